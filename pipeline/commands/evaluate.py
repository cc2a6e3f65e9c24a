"""`reelproof tts`, `evaluate` and `compare`: a model's answers in, a table of how good they are out."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reelproof.pipeline.commands.options import OVERRIDES, SERVER, TRUST_RECIPE, VIDEOS
from reelproof.pipeline.commands.run_options import CONFIG, MODEL, OUT, Explained, Typed, verified_command
from reelproof.schemas.text import shown_text

if TYPE_CHECKING:
    from reelproof.training.rewards import Verifier


@click.command(cls=Explained, settings="reelproof.training.settings.tts:TtsConfig")
@click.option(
    "--videos",
    type=click.Path(path_type=Path),
    help="The folder of the films: `more_frames` goes back to them for more than the rows hold.",
)
@SERVER
@verified_command
def tts(typed: Typed, verifier: "Verifier | None", videos: Path | None, server: str | None) -> None:
    """Try test-time scaling on the held-out questions of DIR.

    Accuracy against cost for each strategy.
    """
    from reelproof.pipeline.commands.training_films import FolderOfFilms
    from reelproof.training.settings.tts import TtsConfig

    films = FolderOfFilms(videos) if videos else None
    typed = _at_server(typed, server)
    cfg = typed.settings(TtsConfig)
    from reelproof.training.tts import scale_test_time

    scale_test_time(typed.build_dir, typed.model, typed.out, cfg, verifier, films)
    click.echo((typed.out / "tts.md").read_text())


@click.command(
    cls=Explained,
    settings={
        " for a manifest": "reelproof.pipeline.benchmark.settings:BenchmarkConfig",
        " for a dataset": "reelproof.training.settings.asking:EvaluateConfig",
    },
)
@click.argument("subject", metavar="DIR | MANIFEST")
@MODEL
@SERVER
@VIDEOS
@OUT
@CONFIG
@OVERRIDES
@click.option(
    "--speech",
    type=click.Choice(["on", "off"]),
    help="Show what is said among the frames, or leave it out; by default a dataset's rows show it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what evaluate.json holds.")
@TRUST_RECIPE
def evaluate(
    subject: str,
    model: str,
    server: str | None,
    videos: str | None,
    out: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    speech: str | None,
    as_json: bool,
    trust_recipe: bool,
) -> None:
    """Ask a model the held-out questions of DIR, or all of MANIFEST.

    Accuracy by task and category, with intervals and baselines; every answer in OUT/scored.jsonl. The same
    command goes on where it was stopped. With `--set frames.count=0` a manifest is asked without any frame.
    """
    from reelproof.pipeline.inputs.dataset_rows import is_manifest

    typed = _at_server(Typed(Path(subject), model, out, config, overrides), server)
    asks_manifest = is_manifest(subject)
    if speech:
        listens = {"on": "{}", "off": "null"} if asks_manifest else {"on": "true", "off": "false"}
        typed = typed._replace(overrides=(f"speech={listens[speech]}", *typed.overrides))
    if asks_manifest:
        _evaluate_manifest(typed, subject, videos)
    else:
        _evaluate_dataset(typed, videos, trust_recipe)
    click.echo((out / ("evaluate.json" if as_json else "evaluate.md")).read_text())


def _at_server(typed: Typed, server: str | None) -> Typed:
    """Where the model is behind a server: the settings that ask it, and the name that it has there."""
    url = server or (typed.model if typed.model.startswith(("http://", "https://")) else None)
    if url is None:
        return typed
    from reelproof.pipeline.teachers.kinds import name_at
    from reelproof.training.settings.asking import AskingConfig

    typed = typed._replace(overrides=(*typed.overrides, f"backend.url={url}", "backend.kind=server"))
    given = tuple(each for each in typed.overrides if each.startswith("backend."))
    key = typed._replace(config=None, overrides=given).settings(AskingConfig).backend.key_variable
    return typed._replace(model=name_at(typed.model, server, key))


def _evaluate_manifest(typed: Typed, manifest: str, videos: str | None) -> None:
    from reelproof.pipeline.benchmark.questions import ManifestQuestions
    from reelproof.pipeline.benchmark.settings import BenchmarkConfig

    cfg = typed.settings(BenchmarkConfig, manifest=manifest, root=videos)
    asked = ManifestQuestions(cfg)
    from reelproof.training.evaluate import evaluate_questions

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
    from reelproof.training.settings.asking import EvaluateConfig

    if videos:
        raise click.UsageError("--videos goes with a manifest; a dataset holds its frames itself")
    cfg = typed.settings(EvaluateConfig)
    from reelproof.pipeline.commands.training_verifier import open_verifier
    from reelproof.training.evaluate import evaluate_model

    with open_verifier(typed.build_dir, trusted) as verifier:
        evaluate_model(typed.build_dir, typed.model, typed.out, cfg, verifier, partial(click.echo, err=True))


@click.command()
@click.argument("one", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("other", metavar="RUN_B", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="By the strict score; by default by the lenient one.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def compare(one: Path, other: Path, strict: bool, as_json: bool) -> None:
    """Compare two evaluations question by question.

    What the second gained and lost, with intervals, by task and for every style. RUN_A and RUN_B are `--out`
    folders of `evaluate`.
    """
    from reelproof.training.compare import compare_runs

    found = compare_runs(one, other, "strict" if strict else "lenient")
    click.echo(found.as_json() if as_json else found.told())
