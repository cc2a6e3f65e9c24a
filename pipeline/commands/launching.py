"""`--gpus 8` on a training command -> the same command in eight processes, started by `accelerate launch`."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import click

from reelproof.schemas.errors import UsageError

GPUS = click.option(
    "--gpus",
    type=click.IntRange(min=1),
    help="Train in so many processes, one a GPU: shows the `accelerate launch` line, and runs it.",
)


def sharing_option(ways: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """In which of these ways processes share a model; the first by default."""
    return click.option(
        "--sharing",
        type=click.Choice(ways),
        default=ways[0],
        show_default=True,
        help="Each GPU holds a part of the model (fsdp, or DeepSpeed's zero3), or all of it (ddp).",
    )


def launch_line(arguments: Sequence[str], gpus: int, sharing: str) -> list[str]:
    """The command that runs `reelproof ARGUMENTS` in so many processes."""
    settings = Path(str(files("reelproof.training"))) / "launch" / f"{sharing}.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(settings)]
    return [*launch, "--num_processes", str(gpus), "--module", "reelproof", *arguments]


def become_processes(gpus: int, sharing: str, there: int) -> None:
    """Replace this process by its own command's launcher. Raises UsageError for GPUs that are not `there`."""
    if there < gpus:
        raise UsageError(
            f"--gpus {gpus}: this machine has {there}; leave --gpus out to train in this process"
        )
    line = launch_line(_without_options(sys.argv[1:]), gpus, sharing)
    click.echo(shlex.join(line), err=True)
    os.execv(line[0], line)  # noqa: S606  # our own command


def _without_options(arguments: Sequence[str]) -> list[str]:
    left, kept = list(arguments), []
    while left:
        word = left.pop(0)
        if word in ("--gpus", "--sharing"):
            left.pop(0)
        elif not word.startswith(("--gpus=", "--sharing=")):
            kept.append(word)
    return kept
