"""A run's figures -> TensorBoard, wandb, trackio and other trackers, through accelerate."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import LoggerType

from reelproof.training.preflight import SetupError
from reelproof.training.runs import flat

PROJECT = "reelproof"
"""What trackers file runs under."""


def check_trackers(names: Sequence[str]) -> None:
    """Raise SetupError for a tracker that accelerate does not know, or whose package is not installed."""
    known, there = sorted(map(str, LOGGER_TYPE_TO_CLASS)), list(map(str, get_available_trackers()))
    for name in names:
        if name not in known:
            raise SetupError(f"trackers: accelerate knows no {name!r}; it knows {', '.join(known)}")
        if name in LoggerType.list() and name not in there:  # others were registered by a program
            raise SetupError(
                f"trackers: {name} is not installed in this Python; pip install {name.replace('_', '-')}, or "
                "leave it out"
            )


@contextmanager
def tracking(accelerator: Accelerator, run: Path, setup: Mapping[str, Any], done: int) -> Iterator[None]:
    """Within, `accelerator.log` reaches its trackers, for a run that goes on after step `done`."""
    name = run.absolute().name
    # All trackers take these.
    settings = {key: value if isinstance(value, int | float) else str(value) for key, value in flat(setup)}
    same = hashlib.sha256(f"{run.absolute()} {settings}".encode()).hexdigest()[:16]
    given = {
        "tensorboard": {"purge_step": done + 1},
        "trackio": {"name": name, "resume": "allow"},
        "wandb": {"name": name, "id": same, "resume": "allow", "dir": str(run)},
    }
    accelerator.init_trackers(PROJECT, init_kwargs=given)
    for tracker in accelerator.trackers:
        if tracker.name != "tensorboard":  # it would have one more folder each time that a run goes on
            tracker.store_init_configuration(settings)
    try:
        yield
    finally:
        for tracker in accelerator.trackers:
            tracker.finish()


def memory_gb() -> float:
    """The most that tensors took of this process's GPU; without one, what the process takes now."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    return float(psutil.Process().memory_info().rss) / 1e9
