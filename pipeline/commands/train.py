"""`reelproof train sft|dpo|rl`, `tts` and `evaluate`: shards and a model in, a model or a table out."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from reelproof.pipeline.commands.launching import GPUS, become_processes, sharing_option
from reelproof.pipeline.commands.options import DATASET_DIR, OVERRIDES, TRUST_RECIPE
from reelproof.schemas.install import told_missing
from reelproof.schemas.text import shown_text

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

    def __init__(self, *arguments: Any, settings: str | Mapping[str, str], **more: Any) -> None:
        """`settings` names their class, as `module:Class`, or several by what they are for."""
        super().__init__(*arguments, **more)
        self.settings = {"": settings} if isinstance(settings, str) else settings

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's own signature
        """Every setting: path, type, default and meaning."""
        from reelproof.pipeline.settings_reference import explain_settings

        for purpose, place in self.settings.items():
            module, _, name = place.partition(":")
            try:
                told = explain_settings(getattr(import_module(module), name))
            except ModuleNotFoundError as missing:
                told = told_missing(missing) or str(missing)
            formatter.write(f"\nSettings{purpose}, for --set and --config:\n{indent(told, '  ')}\n")


class Typed(NamedTuple):
    """What each of these commands is given."""

    build_dir: Path
    model: str
    out: Path
    config: Path | None
    overrides: tuple[str, ...]

    def settings(self, of: "type[M]", **sources: str | None) -> "M":
        """From the file that was named, what was set on the command line, and where questions come from."""
        from reelproof.pipeline.settings_text import parse_settings, read_yaml

        given = read_yaml(self.config) if self.config else {}
        if named := {name: place for name, place in sources.items() if place}:
            given["sources"] = {**(given.get("sources") or {}), **named}
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
@_spread("fsdp", "ddp", "zero3")
@_typed
def sft(typed: Typed) -> None:
    """Fine-tune a model on the kept thoughts of DIR."""
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.training.sft import SftConfig, train_sft

    do = partial(train_sft, *typed[:3], typed.settings(SftConfig))
    train_and_tell(do, typed.build_dir, typed.out, "train dpo", "train rl")


@train.command(cls=_Explained, settings="reelproof.training.dpo:DpoConfig")
@_spread("fsdp", "ddp", "zero3")
@_typed
def dpo(typed: Typed) -> None:
    """Teach a model to prefer kept thoughts of DIR over wrong, ungrounded or lucky ones (DPO)."""
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.training.dpo import DpoConfig, train_dpo

    do = partial(train_dpo, *typed[:3], typed.settings(DpoConfig))
    train_and_tell(do, typed.build_dir, typed.out, "tts")


@train.command(cls=_Explained, settings="reelproof.training.rl:RlConfig")
@_spread("ddp")
@_verified
def rl(typed: Typed, verifier: "Verifier | None") -> None:
    """Reward a model for right and grounded answers to the questions of DIR (GRPO)."""
    from reelproof.pipeline.commands.trained import train_and_tell
    from reelproof.training.rl import RlConfig, train_rl

    do = partial(train_rl, *typed[:3], typed.settings(RlConfig), verifier)
    train_and_tell(do, typed.build_dir, typed.out, "tts")


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


@click.command(
    cls=_Explained,
    settings={
        " for a manifest": "reelproof.pipeline.benchmark.settings:BenchmarkConfig",
        " for a dataset": "reelproof.training.evaluate:EvaluateConfig",
    },
)
@click.argument("subject", metavar="DIR | MANIFEST")
@click.option(
    "--model",
    required=True,
    help="A model folder, a run's folder, a name on the Hub, or the address of a server of one model.",
)
@click.option("--videos", metavar="FOLDER", help="Where a manifest's videos are; by default beside it.")
@OUT
@CONFIG
@OVERRIDES
@click.option("--json", "as_json", is_flag=True, help="Print what evaluate.json holds.")
@TRUST_RECIPE
def evaluate(
    subject: str,
    model: str,
    videos: str | None,
    out: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    trust_recipe: bool,
) -> None:
    """Ask a model every question of MANIFEST, or the held-out ones of the dataset in DIR.

    Accuracy by task and category, with intervals and baselines; every answer in OUT/scored.jsonl. The same
    command goes on where it was stopped. With `--set frames.count=0` a manifest is asked without any frame.
    """
    from reelproof.pipeline.inputs.formats import is_manifest

    typed = Typed(Path(subject), model, out, config, overrides)
    if model.startswith(("http://", "https://")):
        typed = _at_server(typed)
    if is_manifest(subject) and not Path(subject).is_dir():
        _evaluate_manifest(typed, subject, videos)
    else:
        _evaluate_dataset(typed, videos, trust_recipe)
    click.echo((out / ("evaluate.json" if as_json else "evaluate.md")).read_text())


def _at_server(typed: Typed) -> Typed:
    """A server's address for a model -> the settings that ask that server, and the name of its model."""
    from reelproof.training.evaluate import AskingConfig
    from reelproof.training.server import BackendConfig, only_model

    ours = (f"backend.url={typed.model}", "backend.kind=server")
    typed = typed._replace(overrides=(*typed.overrides, *ours))
    given = [each for each in typed.overrides if each.startswith("backend.")]
    backend: BackendConfig = (
        typed._replace(config=None, overrides=tuple(given)).settings(AskingConfig).backend
    )
    return typed._replace(model=only_model(backend))


def _evaluate_manifest(typed: Typed, manifest: str, videos: str | None) -> None:
    from reelproof.pipeline.benchmark.questions import ManifestQuestions
    from reelproof.pipeline.benchmark.settings import BenchmarkConfig
    from reelproof.training.evaluate import evaluate_questions

    cfg = typed.settings(BenchmarkConfig, manifest=manifest, root=videos)
    asked = ManifestQuestions(cfg)
    for note in asked.notes:
        click.echo(shown_text(note), err=True)
    found = evaluate_questions(asked, typed.model, typed.out, cfg, tell=partial(click.echo, err=True))
    if found.lost:
        became = "left out" if asked.leaves_out_lost else "counted as wrong"
        click.echo(
            f"{len(found.lost)} of {len(asked.questions)} questions could not be asked, since their videos "
            f"are missing or damaged, and are {became} (missing_videos)",
            err=True,
        )


def _evaluate_dataset(typed: Typed, videos: str | None, trusted: bool) -> None:
    from reelproof.pipeline.commands.training_verifier import open_verifier
    from reelproof.training.evaluate import EvaluateConfig, evaluate_model

    if videos:
        raise click.UsageError("--videos goes with a manifest; a dataset holds its frames itself")
    cfg = typed.settings(EvaluateConfig)
    with open_verifier(typed.build_dir, trusted) as verifier:
        evaluate_model(typed.build_dir, typed.model, typed.out, cfg, verifier, partial(click.echo, err=True))


@click.command()
@click.argument("one", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("other", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="By the strict score; by default by the lenient one.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def compare(one: Path, other: Path, strict: bool, as_json: bool) -> None:
    """Compare two evaluations question by question: what the second gained and lost, with intervals.

    RUN_A and RUN_B are `--out` folders of `evaluate`, by task and for every style.
    """
    from reelproof.training.compare import compare_runs

    found = compare_runs(one, other, "strict" if strict else "lenient")
    click.echo(found.as_json() if as_json else found.told())
