"""`reelproof train sft|dpo|rl`: shards and a model in, a model out."""

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from reelproof.pipeline.commands.launching import GPUS, become_processes, sharing_option
from reelproof.pipeline.commands.run_options import Explained, Typed, typed_command, verified_command

if TYPE_CHECKING:
    from reelproof.training.rewards import Verifier


def _spread(*ways: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same, in several processes where that is asked for, which share a model in one of these ways."""

    def decorate(do: Callable[..., None]) -> Callable[..., None]:
        @GPUS
        @wraps(do)
        def command(gpus: int | None, sharing: str = ways[0], **more: Any) -> None:
            if gpus is not None:
                from reelproof.pipeline.teachers.gpu_claims import visible_gpus

                become_processes(gpus, sharing, len(visible_gpus()))
            do(**more)

        return sharing_option(ways)(command) if len(ways) > 1 else command

    return decorate


@click.group()
def train() -> None:
    """Train a model on a build's rows: `sft`, then `dpo` or `rl`."""


@train.command(cls=Explained, settings="reelproof.training.settings.runs:SftConfig")
@_spread("fsdp", "ddp", "zero3")
@typed_command
def sft(typed: Typed) -> None:
    """Fine-tune a model on the kept thoughts of DIR."""
    from reelproof.training.settings.runs import SftConfig

    cfg = typed.settings(SftConfig)  # what is wrong there is told before torch is loaded
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.training.sft import train_sft

    do = partial(train_sft, *typed[:3], cfg)
    train_and_tell(do, typed.build_dir, typed.out, "train dpo", "train rl")


@train.command(cls=Explained, settings="reelproof.training.settings.runs:DpoConfig")
@_spread("fsdp", "ddp", "zero3")
@typed_command
def dpo(typed: Typed) -> None:
    """Teach a model to prefer kept thoughts over others (DPO).

    The others of DIR's pairs are wrong, ungrounded or lucky.
    """
    from reelproof.training.settings.runs import DpoConfig

    cfg = typed.settings(DpoConfig)
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.training.dpo import train_dpo

    do = partial(train_dpo, *typed[:3], cfg)
    train_and_tell(do, typed.build_dir, typed.out, "tts")


@train.command(cls=Explained, settings="reelproof.training.settings.rl:RlConfig")
@_spread("ddp", "fsdp")
@verified_command
def rl(typed: Typed, verifier: "Verifier | None") -> None:
    """Reward a model for right and grounded answers (GRPO).

    To the questions of DIR.
    """
    from reelproof.training.settings.rl import RlConfig

    cfg = typed.settings(RlConfig)
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.pipeline.teachers.rollout_server import rollout_server
    from reelproof.training.rl import train_rl

    do = partial(train_rl, *typed[:3], cfg, verifier, serve=rollout_server)
    train_and_tell(do, typed.build_dir, typed.out, "tts")
