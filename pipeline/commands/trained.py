"""A training from the command line: told as it goes on; then what came of it, and what comes next."""

import math
import os
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from reelproof.schemas.counted import counted
from reelproof.training.loop import TrainSummary


def train_and_tell(do: Callable[..., TrainSummary], build: Path, run: Path, *following: str) -> None:
    """Train, with a line every few seconds; of several processes one says how it ended."""
    left = do(tell=partial(click.echo, err=True))
    if os.environ.get("RANK", "0") == "0":  # as torchrun and accelerate launch number processes
        click.echo("\n".join(tell_trained(left, build, run, following)))


def tell_trained(left: TrainSummary, build: Path, run: Path, following: Sequence[str]) -> list[str]:
    """What a training came to, where the model is, and commands that people go on with."""
    loss = "no step taught anything: all rollouts of each question were rewarded alike"
    if not math.isnan(left.loss):
        loss = f"loss {left.loss:.4g}"
    folders = f"{shlex.quote(str(build))} --model {shlex.quote(str(run))} --out"
    return [
        f"{counted(left.steps, 'step')}, {loss}, {left.tokens_per_s:.0f} tokens/s, {left.seconds:.0f} s",
        f"model: {left.model}",
        f"  reelproof evaluate {folders} EVALUATION",
        *(f"  reelproof {command} {folders} RUN" for command in following),
        f"  reelproof publish {shlex.quote(str(run))} USER/NAME --dry-run",
    ]
