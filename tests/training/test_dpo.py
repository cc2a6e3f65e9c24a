import json
import signal
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL.JpegImagePlugin import JpegImageFile
from transformers import AutoModelForImageTextToText, AutoProcessor

from reelproof.training.dpo import PairTrainer, pair_batch, train_dpo
from reelproof.training.networks import load_network
from reelproof.training.preflight import SetupError
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import DpoConfig, LoraSettings, OptimizerConfig
from reelproof.training.shards import example_of
from tests.forked import run_forked
from tests.tiny_qwen import FAMILIES, frame_px, tiny_qwen_processor, write_tiny_qwen
from tests.tiny_training import dpo_row, write_dpo, write_sft
from tests.training_processes import fsdp_environment, run_in_processes, shard, train, train_and_be_killed

CFG = DpoConfig(
    steps=10,
    batch_rows=2,
    accumulate=2,
    beta=1.0,
    optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=1),
    log_every_steps=1,
    checkpoint_every_steps=2,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dpo(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plain_run(model, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "plain"
    train_dpo(dataset, model, out, CFG)
    return out


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").open()]


def batches(model):
    processor = AutoProcessor.from_pretrained(model)
    examples = [example_of(dpo_row(number, frames=1 + number % 3).model_dump()) for number in range(5)]
    return [pair_batch(processor, part, PromptConfig()) for part in (examples[:2], examples[2:])]


def test_frames_of_a_pair_are_decoded_once(model, monkeypatch):
    decoded, convert = [], JpegImageFile.convert
    monkeypatch.setattr(JpegImageFile, "convert", lambda each, mode: decoded.append(1) or convert(each, mode))
    shown = [len(batch.inputs["pixel_values"]) for batch in batches(model)]
    assert sum(shown) == 2 * len(decoded) == 2 * (1 + 2 + 3 + 1 + 2)


def moved(model):
    """The model a little further on, so that it differs from its reference."""
    network = AutoModelForImageTextToText.from_pretrained(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn_like(weight)
    return network


def sequence_logprobs(network, batch):
    """Of each row's completion, token by token."""
    chances = network(**batch.inputs).logits.log_softmax(dim=-1)
    return [
        sum(float(chances[row, place - 1, batch.inputs["input_ids"][row, place]])
            for place in batch.counted[row].nonzero().flatten().tolist())
        for row in range(len(batch.counted))
    ]  # fmt: skip


def test_loss_is_trls_formula(model):
    """`sigmoid` of its DPOTrainer: -logsigmoid(beta * ((pi_c - ref_c) - (pi_r - ref_r))), mean over pairs."""
    policy, start = moved(model), AutoModelForImageTextToText.from_pretrained(model)
    losses, preferred = [], 0
    for batch in batches(model):
        said, held = sequence_logprobs(policy, batch), sequence_logprobs(start, batch)
        pairs = len(said) // 2
        for pair in range(pairs):
            chosen, rejected = said[pair] - held[pair], said[pairs + pair] - held[pairs + pair]
            losses.append(-torch.nn.functional.logsigmoid(torch.tensor(0.3 * (chosen - rejected))).item())
            preferred += chosen > rejected
    trainer = PairTrainer(Accelerator(cpu=True), policy, CFG.model_copy(update={"beta": 0.3}), model)
    update = trainer.step(batches(model))
    assert update["loss"] == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert update["preferred"] == pytest.approx(preferred / len(losses))
    assert update["margin"] == pytest.approx(update["chosen_reward"] - update["rejected_reward"], abs=1e-6)


@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2, alpha=4)])
def test_untrained_model_is_its_own_reference(model, lora):
    network = load_network(model, lora, gradient_checkpointing=False)
    update = PairTrainer(Accelerator(cpu=True), network, CFG, model).step(batches(model))
    assert update["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert update["margin"] == pytest.approx(0.0, abs=1e-5)


def test_reference_stays_as_it_was_while_additions_are_trained(model):
    network = load_network(model, LoraSettings(rank=2, alpha=4), gradient_checkpointing=False)
    trainer = PairTrainer(Accelerator(cpu=True), network, CFG, model)
    batch = batches(model)[0]
    before = trainer.reference(batch)
    for _ in range(3):
        trainer.step([batch])
    assert torch.allclose(trainer.reference(batch), before)
    assert trainer.network.training
    start = AutoModelForImageTextToText.from_pretrained(model)
    assert before.tolist() == pytest.approx(sequence_logprobs(start, batch), rel=1e-4)


def test_run_learns_to_prefer_and_records_what_it_was_made_from(plain_run):
    told = lines(plain_run)
    assert [line["step"] for line in told] == list(range(1, 11))
    assert told[0]["loss"] == pytest.approx(0.693147, abs=1e-4)
    assert sum(line["loss"] for line in told[-3:]) / 3 < 0.55
    assert sum(line["preferred"] for line in told[-3:]) / 3 > 0.8
    assert told[-1]["margin"] > 0
    run = json.loads((plain_run / "run.json").read_text())
    assert (run["state"], run["setup"]["command"]) == ("done", "train dpo")
    AutoModelForImageTextToText.from_pretrained(plain_run / "model")


@pytest.mark.parametrize("family", FAMILIES)
def test_qwen_is_its_own_reference_and_learns(family, tmp_path):
    """Its frames are patches in one flat list, each of which goes through the model twice."""
    start = str(write_tiny_qwen(tmp_path / "model", family=family))
    processor = tiny_qwen_processor(Path(start), family)
    pairs = [example_of(dpo_row(number, side_px=frame_px(family)).model_dump()) for number in range(2)]
    batch = pair_batch(processor, pairs, PromptConfig())
    network = load_network(start, None, gradient_checkpointing=True)
    trainer = PairTrainer(Accelerator(cpu=True), network, CFG, start)
    told = [trainer.step([batch]) for _ in range(4)]
    assert told[0]["loss"] == pytest.approx(0.693147, abs=1e-4)
    assert told[-1]["loss"] < told[0]["loss"]
    assert told[-1]["margin"] > 0


@pytest.mark.real
def test_killed_run_goes_on_with_the_same_losses(model, dataset, plain_run, tmp_path):
    """Its reference is still the start, not the checkpoint."""
    out = tmp_path / "killed"
    child = run_forked(tmp_path / "said", train_and_be_killed, dataset, model, out, CFG)
    assert child.codes == [-signal.SIGKILL], child.said
    assert [line["step"] for line in lines(out)] == [1, 2, 3]
    train_dpo(dataset, model, out, CFG)
    for name in ("loss", "margin"):
        assert [each[name] for each in lines(out)] == pytest.approx(
            [each[name] for each in lines(plain_run)], rel=1e-5, abs=1e-6
        )


def test_rows_that_are_no_pairs_are_refused(model, dataset, tmp_path):
    sft = write_sft(tmp_path / "sft", 4)
    with pytest.raises(SetupError, match=r"shards\.subset=sft"):
        train_dpo(sft, model, tmp_path / "run", DpoConfig(shards=ShardsConfig()))
    with pytest.raises(SetupError, match=r"prompt\.style=direct"):
        train_dpo(dataset, model, tmp_path / "run", DpoConfig(prompt=PromptConfig(style="direct")))


@pytest.mark.real
@pytest.mark.parametrize("sharing", ["ddp", "fsdp"])
def test_two_processes_prefer_as_one_does(model, dataset, plain_run, tmp_path, sharing):
    """Where weights are shared out, the reference still is whole in both."""
    cfg = CFG.model_copy(update={"accumulate": 1})
    given = (train, dataset, model, tmp_path / "run", cfg)
    work, more = ((shard, *given), fsdp_environment()) if sharing == "fsdp" else (given, {})
    done = run_in_processes(2, tmp_path / "said", *work, more=more)
    assert done.codes == [0, 0], done.said
    for name in ("loss", "preferred", "margin"):
        both, one = ([line[name] for line in lines(run)] for run in (tmp_path / "run", plain_run))
        assert both == pytest.approx(one, rel=1e-4, abs=1e-5)
