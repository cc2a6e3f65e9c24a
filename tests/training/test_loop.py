"""What SFT, DPO and RL have in common: questions of the test split are answered as training goes on."""

import json
import signal

import accelerate
import pytest
from accelerate.utils import DistributedType

from reelproof.training import loop
from reelproof.training.dpo import train_dpo
from reelproof.training.evaluate import evaluate_model
from reelproof.training.preflight import SetupError
from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import EvaluateConfig, SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import RlConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import DpoConfig, LoraSettings, OptimizerConfig, SftConfig
from reelproof.training.sft import train_sft
from tests.forked import run_forked
from tests.tiny_training import write_dpo, write_rl, write_sft, write_test_questions
from tests.training_processes import fsdp_environment, run_in_processes, shard, train, train_and_be_killed

OFTEN = {
    "steps": 4,
    "checkpoint_every_steps": 2,
    "log_every_steps": 3,
    "test_rows": 5,
    "trackers": ("tensorboard",),
}
SHORT = SamplingConfig(max_tokens=6)
LENGTH = RewardConfig(accuracy=0.0, length=1.0, min_words=6, max_words=8)
ROWS = SftConfig(**OFTEN, batch_rows=3, test_tokens=8)
RATE = OptimizerConfig(learning_rate=1e-2, schedule="constant")
DIRECT = ROWS.model_copy(
    update={"prompt": PromptConfig(style="direct"), "steps": 20, "batch_rows": 6, "optimizer": RATE}
)
RUNS = {
    "sft": (write_sft, train_sft, ROWS),
    "dpo": (write_dpo, train_dpo, DpoConfig(**OFTEN, test_tokens=6)),
    "rl": (
        write_rl,
        train_rl,
        RlConfig(**OFTEN, questions=2, rollouts=2, sampling=SHORT, rewards=LENGTH),
    ),
}


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").open()]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = write_sft(tmp_path_factory.mktemp("data"))
    write_test_questions(folder, 4)
    return folder


@pytest.fixture(scope="module")
def learned(model, dataset, tmp_path_factory):
    """A run that learns to answer at once."""
    out = tmp_path_factory.mktemp("run") / "learned"
    train_sft(dataset, model, out, DIRECT)
    return out


@pytest.mark.parametrize("kind", RUNS)
def test_test_questions_are_answered_whenever_a_checkpoint_is_due_and_change_nothing_else(
    kind, model, tmp_path
):
    write, train_it, cfg = RUNS[kind]
    write_test_questions(write(tmp_path / "data"), 2)
    train_it(tmp_path / "data", model, tmp_path / "tested", cfg)
    train_it(tmp_path / "data", model, tmp_path / "plain", cfg.model_copy(update={"test_rows": 0}))
    tested, plain = lines(tmp_path / "tested"), lines(tmp_path / "plain")
    assert {line["step"]: "test/right" in line for line in tested} == {2: True, 3: False, 4: True}
    assert [line["step"] for line in plain] == [3, 4]
    losses = {line["step"]: line.get("loss") for line in tested}
    assert [losses[line["step"]] for line in plain] == [line.get("loss") for line in plain]
    assert len([*(tmp_path / "tested/tensorboard").iterdir()]) == 1


def test_its_figure_is_that_of_evaluate(learned, dataset, tmp_path):
    asked = EvaluateConfig(
        shards=ShardsConfig(subset="rl", split="test"),
        styles=("direct",),
        sampling=SamplingConfig(temperature=0, max_tokens=8),
    )
    (report,) = evaluate_model(dataset, str(learned), tmp_path, asked)
    last = lines(learned)[-1]
    assert last["step"] == 20
    assert 0 < last["test/right"] == report.strict.value


def test_a_second_process_leaves_a_run_to_the_first(model, dataset, tmp_path):
    """As of a job that was sent twice, or processes that do not know of each other."""
    refusals = []

    def begin_again(_):
        with pytest.raises(SetupError, match="another process trains in") as refusal:
            train_sft(dataset, model, tmp_path, DIRECT)
        refusals.append(refusal)

    train_sft(dataset, model, tmp_path, DIRECT, tell=begin_again)
    assert refusals
    steps = [line["step"] for line in lines(tmp_path)]
    assert steps == sorted(set(steps))


@pytest.mark.real
def test_a_killed_run_goes_on_with_the_same_answers_and_another_number_of_them(model, dataset, tmp_path):
    train_sft(dataset, model, tmp_path / "whole", ROWS)
    child = run_forked(tmp_path / "said", train_and_be_killed, dataset, model, tmp_path / "cut", ROWS)
    assert child.codes == [-signal.SIGKILL], child.said
    train_sft(dataset, model, tmp_path / "cut", ROWS.model_copy(update={"test_rows": 4}))
    told = [
        [(line["step"], line.get("test/right")) for line in lines(tmp_path / each)]
        for each in ("cut", "whole")
    ]
    assert told[0] == told[1]


@pytest.mark.real
@pytest.mark.parametrize("sharing", ["ddp", "fsdp"])
def test_two_processes_share_the_questions_out(model, dataset, tmp_path, sharing):
    """Three questions, so that one of them answers more; their weights come together for it."""
    cfg = DIRECT.model_copy(update={"batch_rows": 3, "steps": 10, "test_rows": 3, "log_every_steps": 1})
    one = cfg.model_copy(update={"accumulate": 2})
    train_sft(dataset, model, tmp_path / "one", one)
    given = (train, dataset, model, tmp_path / "two", cfg)
    work, more = ((shard, *given), fsdp_environment()) if sharing == "fsdp" else (given, {})
    done = run_in_processes(2, tmp_path / "said", *work, more=more)
    assert done.codes == [0, 0], done.said
    one, two = (lines(tmp_path / each) for each in ("one", "two"))
    assert [line["test/right"] for line in one[1::2]] == [line["test/right"] for line in two[1::2]]
    assert [line["loss"] for line in one] == pytest.approx([line["loss"] for line in two], rel=1e-3)


def test_questions_that_leave_no_room_for_an_answer_are_refused(model, dataset, tmp_path):
    with pytest.raises(SetupError, match=r"the answer may take 512 more.*answers be shorter .*test_tokens"):
        train_sft(dataset, model, tmp_path / "run", SftConfig(steps=1, test_rows=1))
    assert not (tmp_path / "run").exists()


def test_a_smaller_base_is_refused_where_weights_are_shared_out(model, dataset, tmp_path, monkeypatch):
    class Deep(accelerate.Accelerator):
        distributed_type = DistributedType.DEEPSPEED

    monkeypatch.setattr(loop, "Accelerator", Deep)
    cfg = SftConfig(steps=1, lora=LoraSettings(base="bf16"))
    with pytest.raises(SetupError, match=r"lora\.base: weights in bf16 are whole in each process"):
        train_sft(dataset, model, tmp_path / "run", cfg)


@pytest.mark.parametrize("kind", ["sft", "rl"])
def test_drawing_is_refused_where_weights_cannot_come_together(kind, model, tmp_path, monkeypatch):
    class Deep(accelerate.Accelerator):
        distributed_type = DistributedType.DEEPSPEED

    monkeypatch.setattr(loop, "Accelerator", Deep)
    write, train_it, cfg = RUNS[kind]
    write_test_questions(write(tmp_path / "data"), 1)
    with pytest.raises(SetupError, match="choose --sharing fsdp or ddp"):
        train_it(tmp_path / "data", model, tmp_path / "run", cfg)
    assert not (tmp_path / "run").exists()
