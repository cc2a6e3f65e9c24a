"""What the server is told that draws for a policy in training, and on which GPUs it runs."""

import pytest

from reelproof.pipeline.teachers import rollout_server as starting
from reelproof.pipeline.teachers.rollout_server import rollout_server, rollout_settings
from reelproof.schemas.errors import UsageError
from reelproof.training.settings.rl import RlConfig, RolloutConfig
from reelproof.training.settings.runs import LoraSettings

CFG = RlConfig(
    backend=RolloutConfig(kind="vllm", vllm={"max_model_len": 2048, "extra_args": ["--seed", "1"]})
)


@pytest.mark.parametrize(("rank", "room"), [(8, "8"), (20, "32"), (600, "600")])
def test_a_server_has_room_for_the_adapter(rank, room):
    cfg = CFG.model_copy(update={"lora": LoraSettings(rank=rank)})
    settings = rollout_settings(cfg, "org/m")
    words = settings.extra_args
    assert words[words.index("--max-lora-rank") + 1] == room
    assert settings.max_model_len == 2048
    assert words[-2:] == ("--seed", "1"), "what a user says comes last, and counts"
    assert "--enable-lora" not in rollout_settings(CFG, "org/m").extra_args


def test_settings_that_a_server_does_not_have_are_refused():
    cfg = CFG.model_copy(update={"backend": RolloutConfig(kind="vllm", vllm={"max_len": 1})})
    with pytest.raises(UsageError, match=r"backend.vllm cannot be used:\n.*max_len"):
        rollout_settings(cfg, "org/m")


def test_a_server_needs_a_gpu_that_does_not_train(monkeypatch):
    monkeypatch.setattr(starting, "check_vllm", lambda *_: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with (
        pytest.raises(
            UsageError, match=r"needs 1 GPUs beside the 2 that train, and 0 are free; .*sleeps=true"
        ),
        rollout_server(CFG, "org/m"),
    ):
        pass
