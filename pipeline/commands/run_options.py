"""What `train`, `tts` and `evaluate` are given: a dataset, a model, a folder, and settings."""

from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from reelproof.pipeline.commands.options import DATASET_DIR, OVERRIDES, TRUST_RECIPE

if TYPE_CHECKING:
    from reelproof.schemas.settings import Settings

    M = TypeVar("M", bound=Settings)

MODEL = click.option(
    "--model", required=True, help="A model folder, a run's folder, a name on the Hub or on --server."
)
OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="A file of settings, as they are listed below.",
)


class Explained(click.Command):
    """A command whose help says what its settings are; they are read only then."""

    def __init__(self, *arguments: Any, settings: str | Mapping[str, str], **more: Any) -> None:
        """`settings` names their class, as `module:Class`, or several by what they are for."""
        super().__init__(*arguments, **more)
        self.settings = {"": settings} if isinstance(settings, str) else settings

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own signature
        """Every setting: path, type, default and meaning; and the option that names a file of them."""
        from reelproof.pipeline.settings_reference import explain_settings

        file = next(
            each.opts[0] for each in self.params if isinstance(each, click.Option) and each.metavar == "YAML"
        )
        for purpose, place in self.settings.items():
            module, _, name = place.partition(":")
            told = explain_settings(getattr(import_module(module), name))
            formatter.write(f"\nSettings{purpose}, for --set and {file}:\n{indent(told, '  ')}\n")


class Typed(NamedTuple):
    """What each of these commands is given."""

    build_dir: Path
    model: str
    out: Path
    config: Path | None
    overrides: tuple[str, ...]

    def settings(self, of: "type[M]", **sources: str | None) -> "M":
        """From the file that was named, what was set on the command line, and where questions come from."""
        from reelproof.pipeline.settings_text import read_settings

        named = {name: place for name, place in sources.items() if place}
        return read_settings(of, self.config, self.overrides, **({"sources": named} if named else {}))


def typed_command(do: Callable[..., None]) -> Callable[..., None]:
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


def verified_command(do: "Callable[..., None]") -> Callable[..., None]:
    """The same, with the verifier of the build."""

    @TRUST_RECIPE
    @typed_command
    @wraps(do)
    def command(typed: Typed, trust_recipe: bool, **more: Any) -> None:
        from reelproof.pipeline.commands.training_verifier import open_verifier

        with open_verifier(typed.build_dir, trust_recipe) as verifier:
            do(typed, verifier, **more)

    return command
