"""`reelproof train sft|dpo|rl`, `tts` and `evaluate`: shards and a model in, a model or a table out."""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from reelproof.pipeline.commands.options import DATASET_DIR, OVERRIDES, TRUST_RECIPE

if TYPE_CHECKING:
    from pydantic import BaseModel

    from reelproof.training.rewards import Verifier

    M = TypeVar("M", bound=BaseModel)

MODEL = click.option(
    "--model", required=True, help="A model folder, a run's folder, or a name on the Hub or on the server."
)
OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="A file of settings, as they are listed below.",
)


class _Explained(click.Command):
    """A command whose help says what its settings are; they are read only then."""

    def __init__(self, *arguments: Any, settings: str, **more: Any) -> None:
        """`settings` names their class, as `module:Class`."""
        super().__init__(*arguments, **more)
        self.settings = settings

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own signature
        """Every setting: path, type, default and meaning."""
        from reelproof.pipeline.settings_reference import explain_settings

        module, _, name = self.settings.partition(":")
        try:
            told = explain_settings(getattr(import_module(module), name))
        except ModuleNotFoundError as missing:
            told = f"{missing.name} is not installed here; `pip install reelproof[train]`"
        formatter.write(f"\nSettings, for --set and --config:\n{indent(told, '  ')}\n")


class Typed(NamedTuple):
    """What each of these commands is given."""

    build_dir: Path
    model: str
    out: Path
    config: Path | None
    overrides: tuple[str, ...]

    def settings(self, of: "type[M]") -> "M":
        """From the file that was named, and what was set on the command line."""
        from reelproof.pipeline.settings_text import parse_settings, read_yaml

        given = read_yaml(self.config) if self.config else {}
        return parse_settings(of, given, self.overrides, where=str(self.config or "the settings"))


def _typed(do: Callable[..., None]) -> Callable[..., None]:
    """A function of `Typed`, and of what else is passed, as a command's."""

    @DATASET_DIR
    @MODEL
    @OUT
    @CONFIG
    @OVERRIDES
    @wraps(do)
    def command(
        build_dir: Path, model: str, out: Path, config: Path | None, overrides: tuple[str, ...], **more: Any
    ) -> None:
        do(Typed(build_dir, model, out, config, overrides), **more)

    return command


def _verified(do: "Callable[..., None]") -> Callable[..., None]:
    """The same, with the verifier of the build."""

    @TRUST_RECIPE
    @_typed
    @wraps(do)
    def command(typed: Typed, trust_recipe: bool, **more: Any) -> None:
        from reelproof.pipeline.commands.training_verifier import open_verifier

        with open_verifier(typed.build_dir, trust_recipe) as verifier:
            do(typed, verifier, **more)

    return command


@click.group()
def train() -> None:
    """Train a model on the shards of a build: `sft`, then `dpo` or `rl`."""


@train.command(cls=_Explained, settings="reelproof.training.sft:SftConfig")
@_typed
def sft(typed: Typed) -> None:
    """Fine-tune a model on the kept thoughts of DIR."""
    from reelproof.training.sft import SftConfig, train_sft

    click.echo(train_sft(typed.build_dir, typed.model, typed.out, typed.settings(SftConfig)))


@train.command(cls=_Explained, settings="reelproof.training.dpo:DpoConfig")
@_typed
def dpo(typed: Typed) -> None:
    """Teach a model to prefer kept thoughts of DIR over wrong, ungrounded or lucky ones (DPO)."""
    from reelproof.training.dpo import DpoConfig, train_dpo

    click.echo(train_dpo(typed.build_dir, typed.model, typed.out, typed.settings(DpoConfig)))


@train.command(cls=_Explained, settings="reelproof.training.rl:RlConfig")
@_verified
def rl(typed: Typed, verifier: "Verifier | None") -> None:
    """Reward a model for right and grounded answers to the questions of DIR (GRPO)."""
    from reelproof.training.rl import RlConfig, train_rl

    click.echo(train_rl(typed.build_dir, typed.model, typed.out, typed.settings(RlConfig), verifier))


@click.command(cls=_Explained, settings="reelproof.training.tts_settings:TtsConfig")
@click.option(
    "--videos",
    type=click.Path(path_type=Path),
    help="The folder of the films: `more_frames` goes back to them for more than the rows hold.",
)
@_verified
def tts(typed: Typed, verifier: "Verifier | None", videos: Path | None) -> None:
    """Try test-time scaling on the held-out questions of DIR: accuracy against cost for each strategy."""
    from reelproof.pipeline.commands.training_films import FolderOfFilms
    from reelproof.training.tts import TtsConfig, scale_test_time

    films = FolderOfFilms(videos) if videos else None
    scale_test_time(typed.build_dir, typed.model, typed.out, typed.settings(TtsConfig), verifier, films)
    click.echo((typed.out / "tts.md").read_text())


@click.command(cls=_Explained, settings="reelproof.training.evaluate:EvaluateConfig")
@_verified
def evaluate(typed: Typed, verifier: "Verifier | None") -> None:
    """Ask a model the held-out questions of DIR: accuracy by task, with intervals and baselines."""
    from reelproof.training.evaluate import EvaluateConfig, evaluate_model

    evaluate_model(typed.build_dir, typed.model, typed.out, typed.settings(EvaluateConfig), verifier)
    click.echo((typed.out / "evaluate.md").read_text())
