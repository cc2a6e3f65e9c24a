"""A real vLLM on the CPU draws for a tiny Qwen in training."""

import json
import string

import pytest
import torch
from accelerate.state import AcceleratorState
from transformers import AutoModelForImageTextToText

from reelproof.pipeline.teachers.rollout_server import rollout_server
from reelproof.training.networks import load_network
from reelproof.training.rl import train_rl
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.served import ServedSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import RlConfig, RolloutConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import LoraSettings, OptimizerConfig
from reelproof.training.shards import open_shards, stream_in_order
from tests.cpu_vllm import CPU_ARGS, CPU_ENVIRONMENT, PYTHON
from tests.tiny_qwen import frame_px, tiny_qwen_processor, write_tiny_qwen
from tests.tiny_training import move_weights, write_rl

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-vllm; `make vllm` makes it"),
]
FAMILY = "qwen2_5_vl"
LORA = LoraSettings(rank=8, alpha=16)
CFG = RlConfig(
    steps=20,
    questions=4,
    rollouts=8,
    lora=LORA,
    sampling=SamplingConfig(max_tokens=12, batch_rows=32),
    rewards=RewardConfig(accuracy=0.0, evidence=1.0),
    optimizer=OptimizerConfig(learning_rate=1e-2, schedule="constant", warmup_steps=0),
    checkpoint_every_steps=100,
    examples_every_steps=1,
    backend=RolloutConfig(
        kind="vllm",
        vllm={
            "dtype": "float32",
            "max_model_len": 2048,
            "limit_images": 4,
            "gpu_memory_utilization": 0.05,
            "extra_args": list(CPU_ARGS),
            "executable": str(PYTHON),
        },
    ),
)
LETTERS = set(string.ascii_lowercase)


class LikesLetters:
    """Believes a thought by its share of small letters."""

    def evidence(self, cases):
        return [sum(each in LETTERS for each in thought) / max(1, len(thought)) for _, thought in cases]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Its template opens the thought, so that all of its noise is one."""
    folder = write_tiny_qwen(tmp_path_factory.mktemp("model") / "tiny-qwen", family=FAMILY)
    template = folder / "chat_template.jinja"
    template.write_text(
        template.read_text().replace("assistant\n{% endif %}", "assistant\n<think>{% endif %}")
    )
    network = AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():  # random words are so near to each other that no state makes one of them likely
        network.lm_head.weight.mul_(8)
    network.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def processor(model):
    return tiny_qwen_processor(model, FAMILY)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_rl(tmp_path_factory.mktemp("data"), side_px=frame_px(FAMILY))


@pytest.fixture(scope="module")
def url(model):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CPU_ENVIRONMENT.items():
            patch.setenv(name, value)
        with rollout_server(CFG, model) as url:
            yield url


def at(url):
    return RolloutConfig(kind="server", url=url)


@pytest.mark.parametrize("lora", [LORA, None])
def test_vllm_draws_what_the_policy_draws(url, model, processor, dataset, tmp_path, lora):
    """Greedily the same tokens, of adapters and of whole weights; the log-probabilities are the trainer's."""
    network = load_network(model, lora, gradient_checkpointing=False)
    prompt, cfg = PromptConfig(), SamplingConfig(temperature=0, max_tokens=12)
    asks = [Ask(each) for each in stream_in_order(open_shards(dataset, ShardsConfig(subset="rl")))]
    here = LocalSampler(network, processor, prompt)
    there = ServedSampler(network, processor, prompt, at(url), tmp_path)
    drawn = []
    for version in (0, 1):
        if version:
            move_weights(network, lora, 0.05)
        there.publish(version)
        local, remote = here.sample(asks, cfg), there.sample(asks, cfg)
        assert [each.token_ids for each in remote] == [each.token_ids for each in local]
        drawn.append([each.token_ids for each in remote])
    assert drawn[0] != drawn[1]
    if lora is None:  # the server is others' afterwards
        there.network = load_network(model, None, gradient_checkpointing=False)
        there.publish(2)
    there.close()


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_policy_learns_from_what_vllm_draws(url, model, processor, dataset, tmp_path, monkeypatch, ahead):
    monkeypatch.setattr("reelproof.training.loop.load_processor", lambda *_: processor)
    AcceleratorState._reset_state(True)
    cfg = CFG.model_copy(update={"backend": at(url).model_copy(update={"ahead": ahead})})
    train_rl(dataset, model, tmp_path, cfg, LikesLetters())
    told = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    rewards = [line["reward/total"] for line in told]
    assert sum(rewards[-5:]) / 5 > 1.5 * sum(rewards[:2]) / 2, rewards
    if not ahead:
        assert max(line.get("rollouts/logprob_mismatch", 0.0) for line in told) < 1e-4
    rows = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").open()]
    versions = {row["step"]: {each["version"] for each in row["rollouts"]} for row in rows}
    assert versions == {step: {max(0, step - 1 - ahead)} for step in range(1, 21)}
