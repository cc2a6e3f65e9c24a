"""`train sft` and `train rl`, killed at any moment and begun again, end as if nobody had disturbed them.

`REELPROOF_KILLS=20 pytest tests/attacks/test_killed_trainings.py` tries as many moments of each.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import GrpoConfig, RlConfig
from reelproof.training.settings.runs import OptimizerConfig, SftConfig
from reelproof.training.sft import train_sft
from tests.attacks.test_killed_commands import KILLS, held
from tests.killed import states_at_changes
from tests.tiny_training import write_model, write_rl, write_sft

pytestmark = pytest.mark.real

OPTIMIZER = OptimizerConfig(learning_rate=1e-3, schedule="constant", warmup_steps=0)
SFT = SftConfig(steps=3, batch_rows=2, optimizer=OPTIMIZER, log_every_steps=1, checkpoint_every_steps=1)
RL = RlConfig(
    steps=3,
    questions=2,
    rollouts=4,
    sampling=SamplingConfig(max_tokens=6, batch_rows=8),
    rewards=RewardConfig(accuracy=0.0, length=1.0, min_words=6, max_words=8),
    grpo=GrpoConfig(kl=0.02),
    optimizer=OPTIMIZER,
    checkpoint_every_steps=1,
    examples_every_steps=1,
)
TIMES = {"seconds", "tokens_per_s", "memory_gb"}
"""What a clock says, and no seed decides."""


def train_on_traces(dataset: Path, model: str, out: Path) -> None:
    """As the command does."""
    train_sft(dataset, model, out, SFT)


def train_on_questions(dataset: Path, model: str, out: Path) -> None:
    """As the command does."""
    train_rl(dataset, model, out, RL)


def without_times(content: Any) -> Any:
    """What JSON holds, but for the times."""
    if isinstance(content, dict):
        return {name: without_times(value) for name, value in content.items() if name not in TIMES}
    return content


def result(run: Path) -> dict[str, Any]:
    """Every file that a run leaves, as far as it is the same of every run: TensorBoard's bear times."""
    found: dict[str, Any] = {}
    for name, content in held(run).items():
        if name.endswith(".safetensors"):
            found[name] = {key: value.tolist() for key, value in load_file(run / name).items()}
        elif name.endswith((".json", ".jsonl")):
            found[name] = [without_times(json.loads(line)) for line in _documents(name, content)]
        elif not name.startswith("tensorboard/"):
            found[name] = None if "/random_states" in name else content
    return found


def _documents(name: str, content: bytes) -> list[bytes]:
    return content.splitlines() if name.endswith(".jsonl") else [content]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(("work", "write"), [(train_on_traces, write_sft), (train_on_questions, write_rl)])
def test_training_that_was_killed_and_begun_again_ends_as_it_would_have(work, write, model, tmp_path):
    dataset = write(tmp_path / "data")
    run = tmp_path / "place" / "run"
    run.parent.mkdir()
    states = states_at_changes(run.parent, tmp_path / "states", work, dataset, model, run)
    wanted = result(run)
    assert min(len(wanted), len(states)) > 10
    for state in random.Random(work.__name__).sample(states, min(KILLS, len(states))):
        shutil.rmtree(run.parent)
        state.rename(run.parent)  # a run tells where its model lies
        work(dataset, model, run)
        assert result(run) == wanted, state.name
