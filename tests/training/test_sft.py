import contextlib
import json
import math
import os
import pickle
import re
import signal
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from accelerate.utils import is_bnb_available, is_deepspeed_available
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.distributed import checkpoint as distributed
from transformers import AutoModelForImageTextToText, AutoProcessor

from reelproof.schemas.sample import SftSample
from reelproof.training import heads, runs
from reelproof.training.batches import sft_batch
from reelproof.training.logprobs import completion_logprobs
from reelproof.training.networks import load_network
from reelproof.training.preflight import SetupError
from reelproof.training.runs import RunFolder
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import LoraSettings, OptimizerConfig, SftConfig
from reelproof.training.sft import RowTraining, train_sft
from reelproof.training.shards import example_of, stream_examples
from reelproof.training.trainer import Trainer, learning_rate_share
from reelproof.training.weights_only import weights_only
from tests.forked import run_forked
from tests.pipeline.conftest import reelproof_here
from tests.tiny_training import sft_row, write_dataset, write_sft
from tests.training_processes import (
    deepen,
    deepspeed_environment,
    fsdp_environment,
    run_in_processes,
    shard,
    train,
    train_and_be_killed,
)

CFG = SftConfig(
    steps=6,
    batch_rows=3,
    accumulate=2,
    optimizer=OptimizerConfig(learning_rate=1e-3, warmup_steps=2),
    log_every_steps=1,
    checkpoint_every_steps=2,
    trackers=("tensorboard",),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_sft(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def plain_run(model, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "plain"
    train_sft(dataset, model, out, CFG)
    return out


def curve(run):
    return {line["step"]: line["loss"] for line in map(json.loads, (run / "metrics.jsonl").open())}


def batches(model):
    processor = AutoProcessor.from_pretrained(model)
    examples = [example_of(sft_row(number, frames=1 + number % 3).model_dump()) for number in range(6)]
    return [sft_batch(processor, part, PromptConfig()) for part in (examples[:2], examples[2:])]


def test_loss_equals_a_ten_line_reference(model):
    network = AutoModelForImageTextToText.from_pretrained(model)
    total, tokens = 0.0, 0
    for batch in batches(model):
        chances = network(**batch.inputs).logits.log_softmax(dim=-1)
        for row in range(batch.counted.shape[0]):
            for place in batch.counted[row].nonzero().flatten().tolist():
                total -= float(chances[row, place - 1, batch.inputs["input_ids"][row, place]])
                tokens += 1
    trainer = Trainer(Accelerator(cpu=True), network, OptimizerConfig(), 1)
    assert trainer.step(batches(model))["loss"] == pytest.approx(total / tokens, rel=1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_head_that_sees_a_few_places_at_a_time_changes_neither_loss_nor_gradient(
    model, monkeypatch, checkpointing
):
    batch = batches(model)[1]
    counted = batch.counted[:, 1:]
    network = AutoModelForImageTextToText.from_pretrained(model)
    logits = network(**batch.inputs).logits[:, :-1]
    whole = torch.nn.functional.cross_entropy(
        logits[counted], batch.inputs["input_ids"][:, 1:][counted], reduction="sum"
    )
    whole.backward()
    wanted = {name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None}
    monkeypatch.setattr(heads, "AT_ONCE", 7)
    network = load_network(model, None, checkpointing)
    seen, project = [], type(network.lm_head).forward
    monkeypatch.setattr(
        type(network.lm_head),
        "forward",
        lambda layer, x: (layer is network.lm_head and seen.append(len(x)), project(layer, x))[1],
    )
    loss = -completion_logprobs(network, batch).sum()
    loss.backward()
    assert counted.sum() > 14
    assert max(seen) == 7
    assert sum(seen) == 2 * counted.sum(), "once forth and once back, and no place that does not count"
    assert loss.item() == pytest.approx(whole.item(), rel=1e-6)
    for name, each in network.named_parameters():
        assert (each.grad is None) == (name not in wanted)
        assert each.grad is None or torch.allclose(each.grad, wanted[name], atol=1e-5), name


def test_accumulated_batches_make_the_step_of_one_large_batch(model):
    processor = AutoProcessor.from_pretrained(model)
    examples = [example_of(sft_row(number, frames=1 + number % 3).model_dump()) for number in range(6)]
    weights = []
    for cuts in ([(0, 6)], [(0, 1), (1, 6)]):
        network = AutoModelForImageTextToText.from_pretrained(model)
        trainer = Trainer(Accelerator(cpu=True), network, OptimizerConfig(learning_rate=0.1), 1)
        trainer.step([sft_batch(processor, examples[a:b], PromptConfig()) for a, b in cuts])
        weights.append(network.lm_head.weight.grad or network.lm_head.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-4)


def test_a_step_of_several_batches_is_one_to_whoever_steps_on_the_way_back(model, monkeypatch):
    """DeepSpeed steps in `backward` where accelerate tells it that gradients are complete."""
    network = AutoModelForImageTextToText.from_pretrained(model)
    trainer, seen = Trainer(Accelerator(cpu=True), network, OptimizerConfig(), 1), []
    backward = trainer.accelerator.backward
    monkeypatch.setattr(
        trainer.accelerator,
        "backward",
        lambda loss: (seen.append(trainer.accelerator.sync_gradients), backward(loss)),
    )
    trainer.step(batches(model))
    trainer.step(batches(model))
    assert seen == [False, True] * 2


def test_run_learns_and_records_what_it_was_made_from(plain_run, dataset):
    losses = curve(plain_run)
    assert list(losses) == [1, 2, 3, 4, 5, 6]
    assert losses[6] < losses[1]
    run = json.loads((plain_run / "run.json").read_text())
    assert run["state"] == "done"
    assert run["setup"]["dataset_sha256"] == "d" * 64
    assert json.loads(run["setup"]["policy"])["name"] == "test"
    assert run["setup"]["frames"]["sizes_px"] == [[16, 16]]
    assert run["versions"]["torch"] == torch.__version__.split("+")[0] or run["versions"]["torch"]
    assert list((plain_run / "tensorboard").iterdir())
    AutoModelForImageTextToText.from_pretrained(plain_run / "model")


def test_epochs_are_as_many_steps_as_the_rows_come_to(model, tmp_path):
    """In any number of processes; a number of steps goes before."""
    dataset = write_sft(tmp_path / "data", 10)
    cfg = CFG.model_copy(update={"steps": 0, "epochs": 1.5})
    settled = RowTraining(dataset, model, cfg).settled
    assert [settled(processes).steps for processes in (1, 2, 8)] == [3, 2, 1]
    assert RowTraining(dataset, model, CFG).settled(1) == CFG
    summary = train_sft(dataset, model, tmp_path / "run", cfg)
    assert summary.steps == 3
    assert list(curve(tmp_path / "run")) == [1, 2, 3]
    assert train_sft(dataset, model, tmp_path / "run", cfg) == summary


def test_finished_run_is_left_as_it_is(model, dataset, plain_run):
    before = {path: path.stat().st_mtime_ns for path in plain_run.rglob("*")}
    summary = train_sft(dataset, model, plain_run, CFG)
    assert (summary.model, summary.steps) == (plain_run / "model", CFG.steps)
    assert summary.loss == curve(plain_run)[CFG.steps]
    assert {path: path.stat().st_mtime_ns for path in plain_run.rglob("*")} == before


def test_steps_are_told_every_few_seconds_and_the_last_one_always(tmp_path, monkeypatch):
    told, now_s = [], iter([100.0, 102.0, 110.0, 111.0])
    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    run = RunFolder(tmp_path / "run", {"config": {"steps": 4}}, tell=told.append)
    for step in range(1, 5):
        run.log(step, {"loss": 1 / step, "reward/total": 0.25})
    assert told == [
        "step 1/4: loss 1, reward 0.25",
        "step 3/4: loss 0.3333, reward 0.25, 5 s left",
        "step 4/4: loss 0.25, reward 0.25",
    ]


class Lines(GeneralTracker):
    """A tracker as accelerate has them."""

    name, requires_logging_directory = "lines", True

    def __init__(self, project, folder):
        super().__init__()
        self.file = Path(folder).with_name(f"{project}.jsonl")

    tracker = None

    def store_init_configuration(self, values):
        self.write(values)

    def log(self, values, step):
        self.write({"step": step, **values})

    def finish(self):
        self.write("finished")

    def write(self, each):
        with self.file.open("a") as file:
            file.write(json.dumps(each) + "\n")


def test_trackers_get_what_the_log_gets_and_the_settings(model, dataset, tmp_path, monkeypatch):
    """A run that goes on may have others."""
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "lines", Lines)
    cfg = CFG.model_copy(update={"steps": 2, "trackers": ("lines",)})
    train_sft(dataset, model, tmp_path / "run", cfg)
    settings, *logged, last = map(json.loads, (tmp_path / "run/reelproof.jsonl").open())
    assert last == "finished"
    assert (settings["config.optimizer.learning_rate"], settings["command"]) == (1e-3, "train sft")
    assert logged == [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    assert not (tmp_path / "run/tensorboard").exists()
    assert train_sft(dataset, model, tmp_path / "run", cfg.model_copy(update={"trackers": ()})).steps == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("comet_ml", "comet_ml is not installed in this Python; pip install comet-ml, or leave it out"),
        ("tensorbord", "accelerate knows no 'tensorbord'; it knows aim, "),
    ],
)
def test_trackers_that_are_not_there_are_refused_before_anything_is_written(
    name, told, model, dataset, tmp_path
):
    AcceleratorState._reset_state(True)  # as in a process that trained nothing yet
    with pytest.raises(SetupError, match=f"trackers: {told}"):
        train_sft(dataset, model, tmp_path / "run", CFG.model_copy(update={"trackers": (name,)}))
    assert not (tmp_path / "run").exists()


def test_command_says_what_came_out_and_what_comes_next(model, dataset, plain_run):
    (plain_run.parent / "sft.yaml").write_text(yaml.safe_dump(CFG.model_dump(mode="json")))
    config = ("--config", plain_run.parent / "sft.yaml")
    ran = reelproof_here("train", "sft", dataset, "--model", model, "--out", plain_run, *config)
    assert ran.code == 0, ran.err
    first, *rest = ran.out.splitlines()
    assert re.fullmatch(r"6 steps, loss [\d.]+, \d+ tokens/s, \d+ s", first)
    assert rest[0] == f"model: {plain_run}/model"
    assert rest[1:] == [
        f"  reelproof {command} {dataset} --model {plain_run} --out {out}"
        for command, out in (("evaluate", "EVALUATION"), ("train dpo", "RUN"), ("train rl", "RUN"))
    ] + [f"  reelproof publish {plain_run} USER/NAME --dry-run"]


class Bomb:
    """Writes a file where somebody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_checkpoint_of_somebody_else_runs_nothing(model, tmp_path):
    def trainer():
        network = AutoModelForImageTextToText.from_pretrained(model)
        return Trainer(Accelerator(cpu=True), network, OptimizerConfig(), 1)

    run = RunFolder(tmp_path / "run", {})
    trainer().checkpoint(run, 1)
    assert trainer().resume(run) == 1
    held = [each for each in run.latest_checkpoint().iterdir() if each.suffix in (".bin", ".pkl", ".pt")]
    assert held
    for place, path in enumerate([*held, run.latest_checkpoint() / "custom_checkpoint_0.pkl"]):
        whole = path.read_bytes() if path.exists() else None
        torch.save(Bomb(tmp_path / f"gone off {place}"), path)
        with contextlib.suppress(pickle.UnpicklingError, RuntimeError):
            trainer().resume(run)
        assert not (tmp_path / f"gone off {place}").exists()
        path.write_bytes(whole or b"")


@pytest.mark.parametrize("place", ["table", "value"])
def test_a_shared_out_checkpoint_of_somebody_else_runs_nothing(place, tmp_path):
    folder, gone_off = tmp_path / "optimizer_0", tmp_path / "gone off"
    distributed.save({"weight": torch.ones(2, dtype=torch.bfloat16), "rate": 0.5}, checkpoint_id=folder)
    sound = {"weight": torch.zeros(2, dtype=torch.bfloat16), "rate": 0.0}
    with weights_only(tmp_path):
        distributed.load(sound, checkpoint_id=folder)
    assert (sound["weight"].tolist(), sound["rate"]) == ([1, 1], 0.5)
    if place == "table":
        (folder / ".metadata").write_bytes(pickle.dumps(Bomb(gone_off)))
    else:
        distributed.save({"weight": torch.ones(2), "rate": Bomb(gone_off)}, checkpoint_id=folder)
    error = SetupError if place == "table" else distributed.CheckpointException
    with pytest.raises(error), weights_only(tmp_path):
        distributed.load({"weight": torch.zeros(2), "rate": 0.0}, checkpoint_id=folder)
    assert not gone_off.exists()


@pytest.mark.real
def test_killed_run_goes_on_with_the_same_losses(model, dataset, plain_run, tmp_path):
    out = tmp_path / "killed"
    child = run_forked(tmp_path / "said", train_and_be_killed, dataset, model, out, CFG)
    assert child.codes == [-signal.SIGKILL], child.said
    assert [each.name for each in (out / "checkpoints").iterdir()] == ["step-00000002"]
    assert list(curve(out)) == [1, 2, 3]
    (events,) = (out / "tensorboard/reelproof").iterdir()
    events.rename(events.with_name("events.out.tfevents.0"))  # or both begin in one second
    train_sft(dataset, model, out, CFG)
    # A sum in another order differs in the last bit; another batch or lost optimizer state, far sooner.
    assert curve(out) == pytest.approx(curve(plain_run), rel=1e-6)
    seen = EventAccumulator(str(out / "tensorboard/reelproof")).Reload().Scalars("loss")
    assert {each.step: each.value for each in seen} == pytest.approx(curve(out))
    assert len(seen) == CFG.steps


def test_workers_that_make_batches_ahead_and_packed_rows_change_nothing(model, dataset, plain_run, tmp_path):
    """From where a run was cut off as well."""
    cfg = CFG.model_copy(update={"workers": 2, "packed": True})
    child = run_forked(tmp_path / "said", train_and_be_killed, dataset, model, tmp_path / "run", cfg)
    assert child.codes == [-signal.SIGKILL], child.said
    train_sft(dataset, model, tmp_path / "run", cfg)
    assert curve(tmp_path / "run") == pytest.approx(curve(plain_run), rel=1e-5)


def test_what_a_worker_cannot_make_a_batch_of_ends_the_run(model, dataset, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no such template")

    monkeypatch.setattr(RowTraining, "make_batch", fail)
    with pytest.raises(ValueError, match="no such template"):
        train_sft(dataset, model, tmp_path / "run", CFG.model_copy(update={"workers": 1}))


def test_rows_of_a_step_that_are_about_as_long_go_together(model, tmp_path):
    """No row leaves its step."""
    rows = [sft_row(number, frames=1 + number % 3) for number in range(12)]
    training = RowTraining(write_dataset(tmp_path, "sft", rows, SftSample), model, CFG)
    training.cfg = training.cfg.model_copy(update={"steps": 2, "batch_rows": 2, "accumulate": 3})
    state = torch.get_rng_state()
    assert len(list(training.batches(0))) == 6
    assert torch.equal(torch.get_rng_state(), state), "dropout's numbers are left alone"
    parts = list(training._parts(0))
    assert [[len(row.images) for row in part] for part in parts] == [
        sorted(found)[first : first + 2]
        for found in ([len(row.images) for part in parts[at : at + 3] for row in part] for at in (0, 3))
        for first in (0, 2, 4)
    ]
    wanted = [row.sample_id for row in islice(stream_examples(training.shards, CFG.shards), 12)]
    for step, at in enumerate((0, 3)):
        found = {row.sample_id for part in parts[at : at + 3] for row in part}
        assert found == set(wanted[6 * step : 6 * step + 6])


def test_rows_are_not_packed_where_layers_carry_a_state_from_one_to_the_next(model):
    network = AutoModelForImageTextToText.from_pretrained(model)
    network.config.get_text_config().layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(SetupError, match="packed: LlavaForConditionalGeneration has layers other than"):
        Trainer(Accelerator(cpu=True), network, OptimizerConfig(), 1, packed=True)


def test_an_attention_kernel_is_chosen_and_one_that_is_not_there_is_named(model, dataset, tmp_path):
    assert load_network(model, None, False, "eager").config._attn_implementation == "eager"
    cfg = CFG.model_copy(update={"attention": "flash_attention_2"})
    with pytest.raises(SetupError, match="attention: flash_attention_2 cannot be used"):
        train_sft(dataset, model, tmp_path / "run", cfg)
    assert not (tmp_path / "run").exists()


@pytest.mark.real
def test_two_processes_learn_as_one_does(model, dataset, plain_run, tmp_path):
    """The network's eyes have a layer that feeds no loss, for which plain DDP waits."""
    cfg = CFG.model_copy(update={"accumulate": 1})
    done = run_in_processes(2, tmp_path / "said", train, dataset, model, tmp_path / "run", cfg)
    assert done.codes == [0, 0], done.said
    assert curve(tmp_path / "run") == pytest.approx(curve(plain_run), rel=1e-4)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["processes"] == 2


@pytest.mark.real
def test_shared_out_weights_learn_as_one_does_and_go_on_in_another_number_of_processes(
    model, dataset, plain_run, tmp_path
):
    """Two processes of three rows are killed in step 4; three of two rows go on from step 2."""
    out = tmp_path / "run"
    for count, work, code, steps in ((2, train_and_be_killed, -signal.SIGKILL, 3), (3, train, 0, 6)):
        cfg = CFG.model_copy(update={"accumulate": 1, "batch_rows": 6 // count})
        given, more = (work, dataset, model, out, cfg), fsdp_environment()
        done = run_in_processes(count, tmp_path / "said", shard, *given, more=more)
        assert done.codes == [code] * count, done.said
        assert list(curve(out)) == list(range(1, steps + 1))
    assert curve(out) == pytest.approx(curve(plain_run), rel=1e-4)
    weights = [AutoModelForImageTextToText.from_pretrained(run / "model") for run in (out, plain_run)]
    for name, weight in weights[0].state_dict().items():
        assert torch.allclose(weight, weights[1].state_dict()[name], atol=1e-4), name


@pytest.mark.real
@pytest.mark.skipif(not is_deepspeed_available(), reason="DeepSpeed is not installed")
def test_deepspeed_learns_as_one_process_does_and_goes_on_where_it_was_killed(
    model, dataset, plain_run, tmp_path
):
    """ZeRO-3 in two processes, two forward passes a step."""
    cfg = CFG.model_copy(update={"batch_rows": 1, "accumulate": 3, "trackers": ()})
    out, more = tmp_path / "run", deepspeed_environment()
    for work, code, steps in ((train_and_be_killed, -signal.SIGKILL, 3), (train, 0, 6)):
        given = (work, dataset, model, out, cfg)
        done = run_in_processes(2, tmp_path / "said", deepen, *given, more=more)
        assert done.codes == [code] * 2, done.said
        assert list(curve(out)) == list(range(1, steps + 1))
    assert curve(out) == pytest.approx(curve(plain_run), rel=1e-4)
    AutoModelForImageTextToText.from_pretrained(out / "model")


def test_run_of_another_setup_is_not_gone_on_with(model, dataset, plain_run):
    with pytest.raises(SetupError, match=r"config.steps \(6 there, 7 now\)"):
        train_sft(dataset, model, plain_run, CFG.model_copy(update={"steps": 7}))


def test_lora_trains_additions_and_leaves_a_merged_model(model, dataset, tmp_path):
    cfg = CFG.model_copy(
        update={"steps": 2, "lora": LoraSettings(rank=2, alpha=4), "gradient_checkpointing": True}
    )
    train_sft(dataset, model, tmp_path / "run", cfg)
    before = AutoModelForImageTextToText.from_pretrained(model).state_dict()
    after = AutoModelForImageTextToText.from_pretrained(tmp_path / "run" / "model").state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("norm" in name or "embed" in name for name in changed)
    assert (tmp_path / "run" / "adapter" / "adapter_config.json").is_file()


@pytest.fixture(scope="module")
def lora_curve(model, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "lora"
    train_sft(dataset, model, out, CFG.model_copy(update={"lora": LoraSettings(rank=2, alpha=4)}))
    return curve(out)


@pytest.mark.parametrize(
    ("base", "dtype", "near"), [("bf16", torch.bfloat16, 3e-3), ("4bit", torch.uint8, 3e-2)]
)
def test_what_lies_below_additions_may_take_less_room(
    model, dataset, lora_curve, tmp_path, base, dtype, near
):
    """The additions are float32, they learn about the same, and are merged into weights as they were."""
    lora = LoraSettings(rank=2, alpha=4, base=base)
    if base == "4bit" and not is_bnb_available():
        with pytest.raises(SetupError, match=r"lora\.base: 4bit needs bitsandbytes: `pip"):
            train_sft(dataset, model, tmp_path / "run", CFG.model_copy(update={"lora": lora}))
        assert not (tmp_path / "run").exists()
        return
    network = load_network(model, lora, False)
    below = network.get_base_model().model.language_model.layers[0].mlp.up_proj.base_layer.weight
    assert below.dtype == dtype
    assert {each.dtype for each in network.parameters() if each.requires_grad} == {torch.float32}
    train_sft(dataset, model, tmp_path / "run", CFG.model_copy(update={"lora": lora}))
    assert curve(tmp_path / "run") == pytest.approx(lora_curve, rel=near)
    start, trained = (
        AutoModelForImageTextToText.from_pretrained(each).state_dict()
        for each in (model, tmp_path / "run/model")
    )
    changed = {name for name in start if not torch.equal(start[name], trained[name])}
    assert any("up_proj" in name for name in changed)
    assert not any("norm" in name or "embed" in name for name in changed)


def test_bf16_trains(model, dataset, tmp_path):
    AcceleratorState._reset_state(True)  # one precision a process
    summary = train_sft(dataset, model, tmp_path, CFG.model_copy(update={"steps": 1, "precision": "bf16"}))
    AcceleratorState._reset_state(True)
    assert math.isfinite(summary.loss)


@pytest.mark.parametrize(
    ("schedule", "step", "share"),
    [("cosine", 0, 0.5), ("cosine", 1, 1.0), ("cosine", 6, 0.5), ("linear", 4, 0.75), ("constant", 9, 1.0)],
)
def test_learning_rate_by_hand(schedule, step, share):
    cfg = OptimizerConfig(schedule=schedule, warmup_steps=2)
    assert learning_rate_share(step, 10, cfg) == pytest.approx(share)


def test_rows_order_has_its_own_seed(model, dataset, plain_run, tmp_path):
    train_sft(dataset, model, tmp_path, CFG.model_copy(update={"shards": ShardsConfig(seed=9)}))
    assert curve(tmp_path) != curve(plain_run)
