import hashlib
import json
import math
import signal
import time
import warnings
from threading import Event

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL.JpegImagePlugin import JpegImageFile
from transformers import AutoModelForImageTextToText

from reelproof.schemas.rollout import RolloutGroup
from reelproof.training.batches import read_row
from reelproof.training.curriculum import Curriculum
from reelproof.training.frames import keep_frames
from reelproof.training.groups import Group, shuffle_frames
from reelproof.training.grpo import group_advantages
from reelproof.training.learner import Learner
from reelproof.training.logprobs import (
    apart_logprobs,
    bundle_logprobs,
    forbidden_tokens,
    make_bundle,
)
from reelproof.training.networks import Start, checkpoint_layers, load_network, shares_prompts
from reelproof.training.rl import train_rl
from reelproof.training.sampling import Ask, LocalSampler, Said
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import CurriculumConfig, GrpoConfig, RlConfig, TemporalConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import LoraSettings, OptimizerConfig
from reelproof.training.shards import open_shards, stream_in_order
from reelproof.training.trainer import Trainer
from tests.forked import run_forked
from tests.tiny_qwen import FAMILIES, frame_px, tiny_qwen_processor, write_tiny_qwen
from tests.tiny_training import EvenJudge, write_rl
from tests.training_processes import fsdp_environment, run_in_processes, shard

CFG = RlConfig(
    steps=4,
    questions=2,
    rollouts=4,
    sampling=SamplingConfig(max_tokens=6, batch_rows=8),
    rewards=RewardConfig(accuracy=0.0, length=1.0, min_words=6, max_words=8),
    grpo=GrpoConfig(kl=0.02),
    optimizer=OptimizerConfig(learning_rate=1e-3, schedule="constant", warmup_steps=0),
    checkpoint_every_steps=1,
    examples_every_steps=2,
)
WAYS = [(3, bundle_logprobs), (1, apart_logprobs)]
JUDGED = CFG.model_copy(update={"rewards": RewardConfig(evidence=1.0), "checkpoint_every_steps": 2})


def train_and_be_killed(dataset, model, out, calls):
    """What the child process of a test runs."""
    train_rl(dataset, model, out, JUDGED, EvenJudge(calls))


SHARED_OUT = JUDGED.model_copy(
    update={
        "questions": 3,
        "updates": 2,
        "steps": 3,
        "batch_rows": 4,
        "sampling": SamplingConfig(max_tokens=6, batch_rows=4),
    }
)


def train_shared_out(dataset, model, out):
    """What the processes of a test run: three questions, so that one of two has less to do."""
    train_rl(dataset, model, out, SHARED_OUT, EvenJudge())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_rl(tmp_path_factory.mktemp("data"))


def qwen(folder, family):
    """A tiny Qwen-VL, its processor, and questions whose frames that shows as they are."""
    model = write_tiny_qwen(folder / "model", family=family)
    dataset = write_rl(folder / "data", side_px=frame_px(family))
    return str(model), tiny_qwen_processor(model, family), dataset


def network(folder):
    return AutoModelForImageTextToText.from_pretrained(folder)


def lines(run, name="metrics.jsonl"):
    return [json.loads(line) for line in (run / name).open()]


@pytest.mark.real
def test_killed_run_goes_on_with_the_same_losses(model, dataset, tmp_path):
    train_rl(dataset, model, tmp_path / "whole", JUDGED, EvenJudge())
    cut = tmp_path / "cut"
    child = run_forked(tmp_path / "said", train_and_be_killed, dataset, model, cut, 3)
    assert child.codes == [-signal.SIGKILL], child.said
    assert [line["step"] for line in lines(cut)] == [1, 2, 3]
    assert not (cut / "model" / "config.json").exists()
    train_rl(dataset, model, cut, JUDGED, EvenJudge())
    curves = [{line["step"]: line["loss"] for line in lines(run)} for run in (cut, tmp_path / "whole")]
    # A sum in another order differs in the last bit; other rollouts or lost optimizer state, far sooner.
    assert curves[0] == pytest.approx(curves[1], rel=1e-6)
    assert list(curves[0]) == [1, 2, 3, 4]
    assert len({*curves[0].values()}) == 4
    drawn = [lines(run, "rollouts.jsonl") for run in (cut, tmp_path / "whole")]
    assert drawn[0] == drawn[1]


@pytest.mark.real
def test_two_processes_learn_as_one_does(model, dataset, tmp_path):
    train_shared_out(dataset, model, tmp_path / "one")
    done = run_in_processes(2, tmp_path / "said", train_shared_out, dataset, model, tmp_path / "two")
    assert done.codes == [0, 0], done.said
    one, two = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert [line["step"] for line in two] == [1, 2, 3], "one process writes"
    for name in ("loss", "kl", "grad_norm", "reward/total", "completion_tokens"):
        assert [line[name] for line in two] == pytest.approx([line[name] for line in one], rel=1e-3, abs=1e-6)
    assert all(line["grad_norm"] > 0 for line in two)
    assert lines(tmp_path / "one", "rollouts.jsonl") == lines(tmp_path / "two", "rollouts.jsonl")


@pytest.mark.real
@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2, alpha=4)])
def test_shared_out_weights_draw_and_learn_as_one_process_does(model, dataset, tmp_path, lora, monkeypatch):
    """Ten steps; a question more in one process than in the other, so that they draw in unlike numbers.

    The head, whose weights are shared out as well, is gone through again on the way back.
    """
    monkeypatch.setattr("reelproof.training.heads.AT_ONCE", 5)
    changes = {"steps": 10, "checkpoint_every_steps": 4, "lora": lora}
    cfg = SHARED_OUT.model_copy(update=changes)
    train_rl(dataset, model, tmp_path / "one", cfg, EvenJudge())
    given, more = (dataset, model, tmp_path / "two", cfg, EvenJudge()), fsdp_environment()
    done = run_in_processes(2, tmp_path / "said", shard, train_rl, *given, more=more)
    assert done.codes == [0, 0], done.said
    one, two = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert [line["step"] for line in two] == list(range(1, 11))
    for name in ("loss", "kl", "grad_norm", "reward/total", "completion_tokens"):
        assert [line[name] for line in two] == pytest.approx([line[name] for line in one], rel=1e-3, abs=1e-6)
    assert lines(tmp_path / "one", "rollouts.jsonl") == lines(tmp_path / "two", "rollouts.jsonl")


def test_components_dropped_groups_and_rollouts_are_logged_apart(model, dataset, tmp_path):
    train_rl(dataset, model, tmp_path, JUDGED.model_copy(update={"steps": 2}), EvenJudge())
    named = {"reward/accuracy", "reward/format", "reward/evidence", "reward/total", "right", "kl"}
    for line in lines(tmp_path):
        assert named <= set(line)
        assert 0 <= line["groups_without_variance"] <= line["groups"] == 2
    shown = lines(tmp_path, "rollouts.jsonl")
    assert len(shown[0]["rollouts"]) == 4
    group = RolloutGroup.model_validate(shown[0])
    rewards = torch.tensor([[each.reward for each in group.rollouts]])
    assert [each.advantage for each in group.rollouts] == pytest.approx(group_advantages(rewards)[0].tolist())
    assert [each.label for each in group.frames] == ["[0.0 s]", "[1.0 s]"]
    for each in group.frames:
        kept = (tmp_path / "frames" / f"{each.sha256}.jpg").read_bytes()
        assert hashlib.sha256(kept).hexdigest() == each.sha256


def test_frames_of_a_question_are_decoded_once_a_step(model, dataset, tmp_path, monkeypatch):
    """For its rollouts, however many, and for what is learned from them."""
    decoded, convert = [], JpegImageFile.convert
    monkeypatch.setattr(JpegImageFile, "convert", lambda each, mode: decoded.append(1) or convert(each, mode))
    train_rl(dataset, model, tmp_path, JUDGED.model_copy(update={"steps": 2}), EvenJudge())
    assert all(line["grad_norm"] > 0 for line in lines(tmp_path))
    steps, questions, frames = 2, 2, 2
    assert len(decoded) == steps * questions * frames


def test_frames_of_the_next_questions_are_decoded_while_a_step_is_learned(
    model, dataset, tmp_path, monkeypatch
):
    """Not across a checkpoint, beside which test questions may be read."""
    read, steps, collect = [], [], Learner.collect

    def collected(learner, *args):
        ready, groups = set(read), collect(learner, *args)
        steps.append((ready, {each.example.question_id for each in groups}))
        read.clear()
        return groups

    def noted(processor, example, cfg):
        read.append(example.question_id)
        return read_row(processor, example, cfg)

    monkeypatch.setattr("reelproof.training.reading.read_row", noted)
    monkeypatch.setattr(Learner, "collect", collected)
    train_rl(dataset, model, tmp_path, JUDGED.model_copy(update={"steps": 4}), EvenJudge())
    (_, first), (ready, second), (after_checkpoint, third), (again_ready, fourth) = steps
    assert (ready | first) >= second
    assert not after_checkpoint
    assert (again_ready | third) >= fourth


def test_a_step_that_fails_does_not_wait_for_what_is_read_for_the_next(model, tmp_path, monkeypatch):
    learning, read = Event(), []

    def slow(processor, example, cfg):
        if learning.is_set():
            time.sleep(0.1)
        read.append(example.question_id)
        return read_row(processor, example, cfg)

    def fails(learner, groups):
        learning.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("reelproof.training.reading.read_row", slow)
    monkeypatch.setattr(Learner, "learn", fails)
    cfg = JUDGED.model_copy(update={"questions": 6})
    with pytest.raises(KeyboardInterrupt):
        train_rl(write_rl(tmp_path / "data", count=40), model, tmp_path / "run", cfg, EvenJudge())
    time.sleep(1.5)
    assert len(read) <= cfg.questions + 2, "at most what was begun"


def test_groups_without_variance_teach_nothing_and_are_counted(model, dataset, tmp_path):
    """An untrained model is never right, so every group scores the same and the weights stay."""
    cfg = CFG.model_copy(update={"rewards": RewardConfig(), "steps": 1, "refill_rounds": 1})
    train_rl(dataset, model, tmp_path, cfg)
    assert (lines(tmp_path)[0]["groups_without_variance"], lines(tmp_path)[0]["groups"]) == (4, 4)
    asked = [line["question_id"] for line in lines(tmp_path, "rollouts.jsonl")]
    assert len({*asked}) == 4, "a refill asks other questions"
    start, end = (LocalSampler.load(each, PromptConfig()).network for each in (model, str(tmp_path)))
    assert torch.equal(start.lm_head.weight, end.lm_head.weight)


@pytest.mark.parametrize("normalise", ["token", "sequence"])
def test_pieces_of_a_step_add_up_to_the_loss_over_all_rollouts(model, dataset, normalise):
    examples = list(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))[:2]
    lengths, rewards = [[1, 2], [5, 3]], [(1.0, 0.0), (0.0, 1.0)]
    said = [[Said("", (7,) * count, count, None, True, 0.0) for count in row] for row in lengths]
    groups = [
        Group(example, tuple(row), (), gains)
        for example, row, gains in zip(examples, said, rewards, strict=True)
    ]
    reports = []
    for rows in (2, 4):
        grpo = GrpoConfig(scale="none", normalise=normalise)
        cfg = CFG.model_copy(update={"rollouts": 2, "batch_rows": rows, "grpo": grpo})
        sampler = LocalSampler.load(model, PromptConfig())
        trainer = Trainer(Accelerator(), sampler.network, cfg.optimizer, 1)
        reports.append(Learner(cfg, trainer, sampler, None, None).learn(groups))
    # Every ratio is 1: of each token the loss is minus its rollout's advantage.
    by_token = -(0.5 * 1 - 0.5 * 2 - 0.5 * 5 + 0.5 * 3) / (1 + 2 + 5 + 3)
    for report in reports:
        assert report["loss"] == pytest.approx(by_token if normalise == "token" else 0.0, abs=1e-6)
    assert reports[0]["grad_norm"] == pytest.approx(reports[1]["grad_norm"], rel=1e-3)


def test_rollouts_that_were_cut_off_teach_nothing_where_they_are_left_out(model, dataset):
    examples = list(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))[:1]
    said = [Said("", (7,) * count, count, None, done, 0.0) for count, done in ((2, True), (6, False))]
    group = Group(examples[0], tuple(said), (), (1.0, 0.0))
    losses = {}
    for learned in (True, False):
        grpo = GrpoConfig(scale="none", learn_truncated=learned)
        cfg = CFG.model_copy(update={"rollouts": 2, "grpo": grpo})
        sampler = LocalSampler.load(model, PromptConfig())
        trainer = Trainer(Accelerator(), sampler.network, cfg.optimizer, 1)
        losses[learned] = Learner(cfg, trainer, sampler, None, None).learn([group])["loss"]
    assert losses[True] == pytest.approx(-(0.5 * 2 - 0.5 * 6) / 8, abs=1e-6)
    assert losses[False] == pytest.approx(-0.5, abs=1e-6)


def test_rollouts_near_the_token_limit_lose_reward(model, dataset):
    """`RightSampler` says everything in one token, of two; the last two cost."""
    sampling = SamplingConfig(max_tokens=2)
    cfg = CFG.model_copy(
        update={"grpo": GrpoConfig(overlong_tokens=2), "rewards": RewardConfig(), "sampling": sampling}
    )
    learner = Learner(cfg, None, RightSampler.load(model, PromptConfig()), None, None)
    examples = list(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))[:1]
    assert learner.roll_out(examples, step=1, again=0)[0].rewards == pytest.approx([0.5] * 4)


def test_temporal_contrast_runs_and_shuffles_the_pictures_alone(model, dataset, tmp_path):
    cfg = CFG.model_copy(update={"temporal": TemporalConfig(rollouts=2), "steps": 1})
    train_rl(dataset, model, tmp_path, cfg)
    example = next(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))
    shuffled = shuffle_frames(example, 1)
    assert shuffled.images == example.images[::-1]
    assert shuffled.prompt == example.prompt


class RightSampler(LocalSampler):
    """Says the gold answer to everything."""

    def sample(self, asks, cfg):
        texts = [f"<think>So.</think><answer>{ask.example.answer}</answer>" for ask in asks]
        return [Said(text, (), 1, None, True, 0.0) for text in texts]


def test_temporal_contrast_gates_neither_side_and_rewards_who_passed_the_gate(model, dataset):
    """All are right in either order; the verifier believes every other thought of those in order."""
    rewards = RewardConfig(gate_accuracy=True)
    cfg = CFG.model_copy(update={"temporal": TemporalConfig(rollouts=2), "rewards": rewards})
    sampler = RightSampler.load(model, PromptConfig())
    learner = Learner(cfg, None, sampler, None, EvenJudge())
    examples = list(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))[:2]
    for group in learner.roll_out(examples, step=1, again=0):
        assert group.rewards == pytest.approx([0.0, 1.3, 0.0, 1.3])


@pytest.fixture(scope="module", params=["llava", *FAMILIES])
def drawn(request, model, dataset, tmp_path_factory):
    """A sampler, questions of different length, and three completions of each."""
    sampler = LocalSampler.load(model, PromptConfig())
    if request.param != "llava":
        model, processor, dataset = qwen(tmp_path_factory.mktemp("qwen"), request.param)
        sampler = LocalSampler(network(model).eval(), processor, PromptConfig())
    examples = list(stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))))[:4]
    examples[1] = keep_frames(examples[1], [1])
    asks = [Ask(each) for each in examples for _ in range(3)]
    return sampler, examples, sampler.sample(asks, SamplingConfig(temperature=0.7, max_tokens=6))


def bundle(sampler, examples, said, copies):
    """With each question's prompt once for every so many of its completions."""
    rows = [read_row(sampler.processor, each, PromptConfig()) for each in examples]
    rows = [row for row in rows for _ in range(len(said) // len(rows) // copies)]
    pad = sampler.processor.tokenizer.pad_token_id
    return make_bundle(rows, [each.token_ids for each in said], pad, torch.device("cpu"))


@pytest.mark.parametrize(("copies", "logprobs"), WAYS)
def test_log_probabilities_of_training_are_those_of_sampling(drawn, copies, logprobs):
    sampler, examples, said = drawn
    forbidden = forbidden_tokens(sampler.processor)
    chances = logprobs(sampler.network, bundle(sampler, examples, said, copies), forbidden, 0.7)
    for row, each in enumerate(said):
        assert float(chances[row].sum()) / each.tokens == pytest.approx(each.mean_logprob, abs=1e-4)
        assert not set(forbidden) & set(each.token_ids)
    assert len({each.text for each in said[:3]}) > 1


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_shared_prompt_changes_no_gradient(drawn, checkpointing, monkeypatch):
    """Nor does computing its layers again on the way back."""
    sampler, examples, said = drawn
    monkeypatch.setattr("reelproof.training.heads.AT_ONCE", 5)
    gains, gradients = torch.randn(12, generator=torch.Generator().manual_seed(0)), []
    for copies, logprobs in WAYS:
        sampler.network.zero_grad()
        if checkpointing:
            checkpoint_layers(sampler.network.train())
        piece = bundle(sampler, examples, said, copies)
        (logprobs(sampler.network, piece, [], 1.0).sum(dim=1) * gains).sum().backward()
        gradients.append({name: each.grad.clone() for name, each in sampler.network.named_parameters()
                          if each.grad is not None})  # fmt: skip
    sampler.network.eval()
    sampler.network.gradient_checkpointing_disable()
    assert any("vision" in name or "visual" in name for name in gradients[0])
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], atol=1e-4), name


def test_layers_are_checkpointed_and_prompts_shared_without_what_is_deprecated(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        network = load_network(model, None, gradient_checkpointing=True)
        assert shares_prompts(network)


def test_checkpointed_layers_change_no_loss(model, dataset, tmp_path):
    curves = []
    for checkpointing in (False, True):
        out = tmp_path / str(checkpointing)
        cfg = JUDGED.model_copy(update={"steps": 2, "updates": 2, "gradient_checkpointing": checkpointing})
        train_rl(dataset, model, out, cfg, EvenJudge())
        curves.append(
            [value for line in lines(out) for value in (line["loss"], line["kl"], line["grad_norm"])]
        )
    assert curves[0] == pytest.approx(curves[1], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_models_that_number_pictures_in_three_dimensions_are_trained(family, tmp_path, monkeypatch):
    model, processor, dataset = qwen(tmp_path, family)
    monkeypatch.setattr("reelproof.training.loop.load_processor", lambda *_: processor)
    cfg = JUDGED.model_copy(update={"steps": 1, "updates": 2})
    summary = train_rl(dataset, model, tmp_path / "run", cfg, EvenJudge())
    assert math.isfinite(summary.loss)
    start, end = network(model), network(tmp_path / "run" / "model")
    assert not torch.equal(start.lm_head.weight, end.lm_head.weight)


def test_bf16_trains_and_holds_the_reference_to_the_same(model, dataset, tmp_path):
    AcceleratorState._reset_state(True)  # one precision a process
    cfg = JUDGED.model_copy(update={"steps": 1, "precision": "bf16"})
    train_rl(dataset, model, tmp_path, cfg, EvenJudge())
    AcceleratorState._reset_state(True)
    told = lines(tmp_path)[0]
    assert told["grad_norm"] > 0
    assert told["kl"] == pytest.approx(0.0, abs=1e-6), "before the first step the policy is the reference"


def test_low_rank_additions_are_trained_alone(model, dataset, tmp_path):
    cfg = JUDGED.model_copy(update={"steps": 1, "lora": LoraSettings(rank=2, alpha=4)})
    train_rl(dataset, model, tmp_path, cfg, EvenJudge())
    start, end = (LocalSampler.load(each, PromptConfig()).network for each in (model, str(tmp_path)))
    before, after = start.state_dict(), end.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("q_proj" in name for name in changed)
    assert not any("norm" in name or "embed" in name for name in changed)
    assert lines(tmp_path)[0]["kl"] == pytest.approx(0.0, abs=1e-6)


def test_what_a_policy_was_is_the_network_without_its_additions_and_no_copy(model, monkeypatch):
    network = load_network(model, LoraSettings(rank=2, alpha=4), False)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight += 0.1 * ("lora_B" in name)
    ids = {"input_ids": torch.tensor([[5, 6, 7]])}
    plain = LocalSampler.load(model, PromptConfig()).network
    monkeypatch.setattr("reelproof.training.networks.load_frozen", None)
    with Start(Accelerator(cpu=True), network, model).network() as start:
        assert torch.allclose(start(**ids).logits, plain(**ids).logits, atol=1e-5)
    assert network.training
    assert not torch.allclose(network(**ids).logits, plain(**ids).logits, atol=1e-3)


def test_sampling_follows_its_seed(model, dataset):
    sampler = LocalSampler.load(model, PromptConfig())
    asks = [Ask(each) for each in stream_in_order(open_shards(dataset, ShardsConfig(subset="rl")))]

    def texts(seed):
        return [each.text for each in sampler.sample(asks, SamplingConfig(max_tokens=6, seed=seed))]

    assert texts(1) == texts(1) != texts(2)


def test_a_models_own_repetition_penalty_draws_nothing_else(model, dataset):
    """The log-probabilities that are trained know of none."""
    said = []
    for penalty in (1.0, 5.0):
        sampler = LocalSampler.load(model, PromptConfig())
        sampler.network.generation_config.repetition_penalty = penalty
        asks = [Ask(each) for each in stream_in_order(open_shards(dataset, ShardsConfig(subset="rl")))]
        said.append([each.token_ids for each in sampler.sample(asks, SamplingConfig(max_tokens=6))])
    assert said[0] == said[1]


def test_curriculum_asks_for_what_is_half_right_and_follows_the_policy(dataset):
    shards = open_shards(dataset, ShardsConfig(subset="rl"))
    examples = list(stream_in_order(shards))
    counts = [
        example._replace(scores={"pass_count": n, "rollout_count": 8}) for n, example in enumerate(examples)
    ]
    half = Curriculum(counts, CurriculumConfig(order="half_right", floor=0.01), seed=0)
    assert half.weights(0).argmax() == 4
    easy = Curriculum(counts, CurriculumConfig(order="easy_first", steps=10, floor=0.01), seed=0)
    assert easy.weights(0).argmax() == 7
    assert easy.weights(10).argmax() == 0
    others = half.draw(shards, 8, 1, 1, seen=[examples[0].question_id])
    assert {each.question_id for each in others} == {each.question_id for each in examples[1:]}
    assert half.draw(shards, 8, 1, 1, seen=half.ids) == []
    drawn = half.draw(shards, 5, step=1, again=0)
    assert len({each.question_id for each in drawn}) == 5
    assert [each.question_id for each in drawn] == [e.question_id for e in half.draw(shards, 5, 1, 0)]

    class Rolled:
        example = counts[4]
        scored = (type("One", (), {"is_right": True}),) * 2

    half.refresh([Rolled()])
    assert half.rates[4] == 0.75
    forgetful = Curriculum(counts, CurriculumConfig(memory=0.25), seed=0)
    forgetful.refresh([Rolled()])
    assert forgetful.rates[4] == 0.25 * 0.5 + 0.75
    assert forgetful.rates[5] == 5 / 8
    again = Curriculum(counts, CurriculumConfig(), seed=0)
    again.load_state_dict(half.state_dict())
    assert again.rates.tolist() == half.rates.tolist()
