"""Rollouts that a server draws: the tokens, versions and weights are those of the policy in training."""

import json
import signal
from threading import Event

import pytest
import torch

from reelproof.training.batches import read_row
from reelproof.training.learner import Learner
from reelproof.training.networks import load_network
from reelproof.training.preflight import SetupError, load_processor
from reelproof.training.rl import train_rl
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.served import ServedSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import RlConfig, RolloutConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import LoraSettings, OptimizerConfig
from reelproof.training.shards import open_shards, stream_in_order
from tests.forked import run_forked
from tests.sampling_server import SamplingServer
from tests.tiny_training import EvenJudge, move_weights, write_rl
from tests.training_processes import fsdp_environment, run_in_processes, shard

LORA = LoraSettings(rank=4, alpha=8)
CFG = RlConfig(
    steps=4,
    questions=2,
    rollouts=4,
    lora=LORA,
    sampling=SamplingConfig(max_tokens=6, batch_rows=8),
    rewards=RewardConfig(accuracy=0.0, evidence=1.0),
    optimizer=OptimizerConfig(learning_rate=1e-2, schedule="constant", warmup_steps=0),
    checkpoint_every_steps=100,
    examples_every_steps=1,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_rl(tmp_path_factory.mktemp("data"))


@pytest.fixture
def server(model):
    with SamplingServer(model, load_processor(model)) as server:
        yield server


def served(server, **changes):
    ahead = changes.pop("ahead", 0)
    sleeps = changes.pop("sleeps", False)
    backend = RolloutConfig(kind="server", url=server.url, ahead=ahead, sleeps=sleeps, patience_s=5)
    return CFG.model_copy(update={"backend": backend, **changes})


def train(dataset, model, out, cfg, calls=10**6):
    train_rl(dataset, model, out, cfg, EvenJudge(calls))


def lines(run, name="metrics.jsonl"):
    return [json.loads(line) for line in (run / name).open()]


def versions(run):
    """Step -> the versions that its rollouts were drawn with."""
    found = {}
    for line in lines(run, "rollouts.jsonl"):
        found.setdefault(line["step"], set()).update(each["version"] for each in line["rollouts"])
    return found


@pytest.mark.parametrize("lora", [LORA, None])
def test_a_server_draws_what_the_policy_draws(server, model, dataset, tmp_path, lora):
    """Also after the policy has changed."""
    torch.manual_seed(1)  # draws the adapters; with 0, as training leaves it, two words come out as likely
    network = load_network(model, lora, gradient_checkpointing=False)
    processor, prompt = load_processor(model), PromptConfig()
    asks = [
        Ask(each) for each in stream_in_order(open_shards(dataset, ShardsConfig(subset="rl"))) for _ in "ab"
    ]
    cfg = SamplingConfig(temperature=0, max_tokens=6)
    here = LocalSampler(network, processor, prompt)
    there = ServedSampler(network, processor, prompt, RolloutConfig(kind="server", url=server.url), tmp_path)
    drawn = []
    for version in (0, 1):
        if version:
            move_weights(network, lora, 0.2)
        there.publish(version)
        local, remote = here.sample(asks, cfg), there.sample(asks, cfg)
        assert [each.token_ids for each in remote] == [each.token_ids for each in local]
        assert [each.text for each in remote] == [each.text for each in local]
        assert [each.finished for each in remote] == [each.finished for each in local]
        assert {each.version for each in remote} == {version}
        for one, other in zip(remote, local, strict=True):
            assert one.mean_logprob == pytest.approx(other.mean_logprob, abs=1e-4)
            assert sum(one.logprobs) / one.tokens == pytest.approx(one.mean_logprob)
        drawn.append([each.token_ids for each in remote])
    assert drawn[0] != drawn[1], "the policy has changed"
    there.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lora", [LORA, None])
def test_each_step_learns_from_rollouts_of_the_weights_before_it(server, model, dataset, tmp_path, lora):
    train(dataset, model, tmp_path, served(server, lora=lora, steps=3))
    assert versions(tmp_path) == {1: {0}, 2: {1}, 3: {2}}
    for line in lines(tmp_path):
        assert line["rollouts/versions_behind"] == 0
        assert line["rollouts/logprob_mismatch"] < 1e-4
        assert line["rollouts/importance"] == pytest.approx(1, abs=1e-4)
        assert line["grad_norm"] > 0
    assert list(server.networks) == ["served"], "adapters are unloaded again"
    assert not list((tmp_path / "served").iterdir())


def test_frames_are_decoded_while_the_server_answers(server, model, dataset, tmp_path, monkeypatch):
    """It is held up here until the questions that it was asked are read."""
    every_read, read, sample = Event(), set(), ServedSampler.sample

    def noted(processor, example, cfg):
        read.add(example.question_id)
        if len(read) == CFG.questions:
            every_read.set()
        return read_row(processor, example, cfg)

    def answered(sampler, asks, cfg):
        assert every_read.wait(timeout=60)
        assert read == {ask.example.question_id for ask in asks}
        return sample(sampler, asks, cfg)

    monkeypatch.setattr("reelproof.training.reading.read_row", noted)
    monkeypatch.setattr(ServedSampler, "sample", answered)
    train(dataset, model, tmp_path, served(server, steps=1))
    assert lines(tmp_path)[0]["grad_norm"] > 0


def test_one_step_ahead_rollouts_are_one_version_behind_and_counted_so(server, model, dataset, tmp_path):
    """The first step has none to go before it, and after a checkpoint nothing is under way."""
    train(dataset, model, tmp_path, served(server, ahead=1, steps=5, checkpoint_every_steps=3))
    assert versions(tmp_path) == {1: {0}, 2: {0}, 3: {1}, 4: {3}, 5: {3}}
    told = {line["step"]: line for line in lines(tmp_path)}
    assert [told[step]["rollouts/versions_behind"] for step in told] == [0, 1, 1, 0, 1]
    for step, line in told.items():
        assert (line["rollouts/logprob_mismatch"] > 1e-3) == (step in (2, 3, 5)), "the policy has moved"


def test_a_run_that_was_killed_goes_on_with_the_same_rollouts(server, model, dataset, tmp_path):
    """Also where the server has another address by then."""
    cfg = served(server, ahead=1, steps=5, checkpoint_every_steps=2)
    train(dataset, model, tmp_path / "whole", cfg)
    child = run_forked(tmp_path / "said", train, dataset, model, tmp_path / "cut", cfg, 3)
    assert child.codes == [-signal.SIGKILL], child.said
    assert len(list((tmp_path / "cut" / "served").iterdir())) == 1
    moved = {"url": server.url.replace("127.0.0.1", "localhost"), "patience_s": 6}
    backend = cfg.backend.model_copy(update=moved)
    train(dataset, model, tmp_path / "cut", cfg.model_copy(update={"backend": backend}))
    assert not list((tmp_path / "cut" / "served").iterdir())
    cut, whole = (lines(tmp_path / each, "rollouts.jsonl") for each in ("cut", "whole"))
    assert cut == whole
    curves = [[line["loss"] for line in lines(tmp_path / each)] for each in ("cut", "whole")]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("lora", [LORA, None])
def test_a_server_that_began_anew_is_handed_the_weights_again(server, model, dataset, tmp_path, lora):
    def fault():
        if sum("chat" in each for each in server.told) == 3:
            server.begin_anew()

    server.fault = fault
    train(dataset, model, tmp_path, served(server, lora=lora, steps=2))
    assert versions(tmp_path) == {1: {0}, 2: {1}}
    assert max(line["rollouts/logprob_mismatch"] for line in lines(tmp_path)) < 1e-4


@pytest.mark.real
@pytest.mark.parametrize(("sharing", "lora"), [("ddp", LORA), ("fsdp", LORA), ("fsdp", None)])
def test_two_processes_share_a_server_and_learn_as_one_does(server, model, dataset, tmp_path, sharing, lora):
    """Where weights are shared out, they come together to be handed over."""
    cfg = served(server, ahead=1, questions=3, steps=3, sampling=SamplingConfig(max_tokens=6), lora=lora)
    train(dataset, model, tmp_path / "one", cfg)
    given = (train, dataset, model, tmp_path / "two", cfg)
    work, more = ((shard, *given), fsdp_environment()) if sharing == "fsdp" else (given, {})
    done = run_in_processes(2, tmp_path / "said", *work, more=more)
    assert done.codes == [0, 0], done.said
    one, two = (lines(tmp_path / each, "rollouts.jsonl") for each in ("one", "two"))
    texts = [[each["text"] for row in run for each in row["rollouts"]] for run in (one, two)]
    assert texts[0] == texts[1]
    for name in ("grad_norm", "completion_tokens", "rollouts/versions_behind"):
        both = [[line[name] for line in lines(tmp_path / each)] for each in ("one", "two")]
        assert both[0] == pytest.approx(both[1], rel=1e-3)
    assert list(server.networks) == ["served"]


def test_a_server_that_shares_a_gpu_sleeps_while_the_policy_learns(
    server, model, dataset, tmp_path, monkeypatch
):
    awake = []
    learn = Learner.learn
    monkeypatch.setattr(Learner, "learn", lambda *a: awake.append(server.is_awake) or learn(*a))
    train(dataset, model, tmp_path, served(server, sleeps=True, steps=2))
    assert awake == [False, False]
    assert server.is_awake, "others may want it"
    with pytest.raises(ValueError, match="draws nothing ahead"):
        served(server, sleeps=True, ahead=1)


def test_a_server_that_reads_prompts_otherwise_is_refused(server, model, dataset, tmp_path):
    server.processor.chat_template = "Answer. " + server.processor.chat_template
    with pytest.raises(SetupError, match=r"differ from place \d+ on\. Serve the very model"):
        train(dataset, model, tmp_path, served(server))


def test_a_server_that_takes_no_adapters_is_told_how_to_start(server, model, dataset, tmp_path):
    server.takes_adapters = False
    with pytest.raises(
        SetupError, match=r"takes no weights while it runs .*VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
    ):
        train(dataset, model, tmp_path, served(server))
