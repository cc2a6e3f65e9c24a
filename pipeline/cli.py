"""The `reelproof` command: what was typed -> one function call; errors -> a message and an exit code."""

import gc
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reelproof.pipeline.commands.applied import ask, highlights, look
from reelproof.pipeline.commands.audit import audit
from reelproof.pipeline.commands.endings import UNFINISHED, tell_ending
from reelproof.pipeline.commands.evaluate import compare, evaluate, tts
from reelproof.pipeline.commands.options import BUILD_DIR, JSON, OVERRIDES, TRUST_RECIPE
from reelproof.pipeline.commands.sharing import browse, card, export_dataset, publish_folder
from reelproof.pipeline.commands.train import train
from reelproof.pipeline.commands.watch import watch
from reelproof.schemas.text import shown_text

if TYPE_CHECKING:
    from rich.console import Console

    from reelproof.pipeline.progress.run_summary import RunSummary
    from reelproof.pipeline.recipe import Recipe

# Every command imports what it needs when it runs, so that `--help` answers at once.

_SELDOM = 10_000
"""Libraries make objects that stay: looking through them for garbage while they load, and all of them once
more as the process ends, is a quarter of what starting a command costs."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reelproof")
def cli() -> None:
    """Video reasoning data you can prove: raw videos in, curated chain-of-thought shards and models out."""


@cli.command()
@click.argument("recipe")
@click.option("--out", required=True, metavar="DIR", help="Where the build goes: a folder, or an fsspec URL.")
@OVERRIDES
@click.option(
    "--scheduler", metavar="ADDRESS", help="A running Dask scheduler; by default this machine's cores."
)
@click.option(
    "--workers", type=click.IntRange(1), help="Worker processes on this machine; by default one per core."
)
@TRUST_RECIPE
@click.option("--retry-quarantined", is_flag=True, help="Try quarantined videos again.")
@click.option("--retry-failed", is_flag=True, help="Ask requests again that ended in a failure.")
@click.option("--check", is_flag=True, help="Read every file that is there first, and mend what is damaged.")
@click.option("--dry-run", is_flag=True, help="Say what would run, why, and what it would cost; run nothing.")
@JSON
def build(
    recipe: str,
    out: str,
    overrides: tuple[str, ...],
    scheduler: str | None,
    workers: int | None,
    trust_recipe: bool,
    retry_quarantined: bool,
    retry_failed: bool,
    check: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build a dataset from a recipe, or from a folder of videos.

    RECIPE is a YAML file, or a folder, glob or manifest of videos.
    Run it again after any change: only what the change calls for is done.
    """
    from reelproof.pipeline.build import build as run
    from reelproof.pipeline.commands.dry_run import dry_run as estimate
    from reelproof.pipeline.commands.named_recipe import named_recipe
    from reelproof.pipeline.ingest import Again

    settings = [f"cluster.scheduler={scheduler}"] if scheduler else []
    settings += [f"cluster.workers={workers}"] if workers else []
    read = named_recipe(recipe, (*overrides, *settings), trust_recipe)
    again = Again(retry_quarantined, retry_failed)
    if dry_run:
        estimate(read, out, again, _console(stderr=False))
        return 0
    return _report(run(read, out, again, _console(), check), out, read, as_json)


@cli.command()
@BUILD_DIR
@OVERRIDES
@JSON
def refilter(build_dir: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Decide anew which rows are kept, from the scores in DIR.

    No film is decoded and no teacher asked. What was set before stays in force; a preset (`--set
    policy.preset=balanced`) sets all of the policy anew.
    """
    from reelproof.pipeline.build import refilter as run
    from reelproof.pipeline.disk.arrow_setup import set_up_arrow

    set_up_arrow()
    summary, recipe = run(build_dir, overrides)
    return _report(summary, build_dir, recipe, as_json)


@cli.command()
@BUILD_DIR
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(build_dir: str, as_json: bool) -> None:
    """Say how far the build in DIR is, and what its dataset holds.

    Steps by part, videos in quarantine, tokens, rates, cost and time left, also while it runs.
    """
    from reelproof.pipeline.commands.status import build_status, print_status
    from reelproof.pipeline.workplace import open_workplace

    found = build_status(open_workplace(build_dir))
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        print_status(found, _console(stderr=False))


@cli.command()
@BUILD_DIR
@click.argument("subject", metavar="ID")
def explain(build_dir: str, subject: str) -> None:
    """Tell the whole story of a row, a question, a clip or a video.

    ID is the start of its id, a video's file name or the end of its path, or a step's name.

    For a video, a contact sheet is drawn: scenes, the curve of change, and the keyframes with their times.
    """
    from reelproof.pipeline.commands.explain import explain as tell
    from reelproof.pipeline.workplace import open_workplace

    for line in tell(open_workplace(build_dir), subject):
        click.echo(shown_text(line))


@cli.command()
@click.argument("before", metavar="DIR_A")
@click.argument("after", metavar="DIR_B")
def diff(before: str, after: str) -> None:
    """Say what came, what went and why, between two datasets.

    DIR_A and DIR_B are builds, or copies of one; what they keep and what they reject is compared.
    """
    from reelproof.pipeline.commands.diff import diff_datasets, tell_diff
    from reelproof.pipeline.disk.store import Store

    for line in tell_diff(diff_datasets(Store(before), Store(after))):
        click.echo(shown_text(line))


@cli.command()
@BUILD_DIR
@click.argument("setting", metavar="POLICY.FIELD")
@click.argument("values")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="By default DIR/sweep.png.")
def sweep(build_dir: str, setting: str, values: str, plot: Path | None) -> None:
    """Count the rows that each of VALUES of a policy setting keeps.

    VALUES are 0:1:0.1, or 1,2,4. As table and picture; the dataset stays as it is.
    """
    from reelproof.pipeline.commands.sweep import parse_values, tell_sweep, write_sweep_plot
    from reelproof.pipeline.curate import decide_all
    from reelproof.pipeline.dataset.sweep import sweep as run
    from reelproof.pipeline.workplace import open_workplace

    workplace = open_workplace(build_dir)
    decided = decide_all(workplace)
    rows = decided.measurements.filter(decided.verdicts["published"])
    found = run([rows], workplace.recipe.policy, setting, parse_values(values))
    for line in tell_sweep(found, setting):
        click.echo(shown_text(line))
    click.echo(write_sweep_plot(workplace.store, found, setting, workplace.recipe.policy, plot), err=True)


@cli.command()
@click.argument("subject", required=False, metavar="[RECIPE | DIR]")
@OVERRIDES
@TRUST_RECIPE
def doctor(subject: str | None, overrides: tuple[str, ...], trust_recipe: bool) -> int:
    """Check this machine and a recipe, or every file of a build.

    Of RECIPE its sources, teachers and cluster; of the build or dataset in DIR which files are damaged or
    gone, and what mends them.
    """
    from reelproof.pipeline.commands.doctor import examine, examine_folder, is_folder_of_ours, report
    from reelproof.pipeline.commands.named_recipe import named_recipe

    if subject and is_folder_of_ours(subject):
        findings = examine_folder(subject)
    else:
        findings = examine(named_recipe(subject, overrides, trust_recipe) if subject else None)
    return UNFINISHED if report(findings, _console(stderr=False)) else 0


@cli.command()
@click.argument("sections", metavar="[SECTION]…", nargs=-1)
@click.option("--explain", "told", flag_value="text", default=True, help="In words (the default).")
@click.option("--json-schema", "told", flag_value="schema", help="As a JSON schema, for editors.")
@click.option("--example", metavar="NAME", help="Print a recipe to begin with; a wrong name lists them.")
def recipe(sections: tuple[str, ...], told: str, example: str | None) -> None:
    """Say what a recipe, or a SECTION of it, may set.

    Path, type, default and meaning of each setting.
    """
    import json

    from reelproof.pipeline.settings_reference import example_recipe

    if example is not None:
        click.echo(example_recipe(example), nl=False)
        return

    from reelproof.pipeline.recipe import Recipe
    from reelproof.pipeline.settings_reference import explain_settings

    click.echo(
        json.dumps(Recipe.model_json_schema(), indent=2)
        if told == "schema"
        else explain_settings(Recipe, sections)
    )


@cli.command()
@click.argument("names", metavar="[CONFIG | COLUMN | REASON]…", nargs=-1)
def columns(names: tuple[str, ...]) -> None:
    """Say what the columns of a dataset hold.

    And what the reasons of its rejected rows mean.
    """
    from reelproof.pipeline.columns_reference import explain_columns

    click.echo(explain_columns(names))


for command in (
    *(audit, browse, publish_folder, export_dataset, card, train, tts, evaluate, compare),
    *(watch, highlights, ask, look),
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the `reelproof` command. Exit code 0 done, 1 unfinished, 2 bad usage, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what its encoding lacks is spelt out
    gc.set_threshold(_SELDOM)
    try:
        sys.exit(cli(prog_name="reelproof", standalone_mode=False))
    except (Exception, KeyboardInterrupt) as error:
        code = tell_ending(error)
        if code is None:
            raise
        sys.exit(code)
    finally:
        gc.freeze()


def _console(stderr: bool = True) -> "Console":
    from reelproof.pipeline.commands.terminal import PlainConsole

    return PlainConsole(stderr=stderr)


def _report(summary: "RunSummary", out: str, recipe: "Recipe", as_json: bool) -> int:
    """Say what was done; 1 where too many sources could not be used, or most requests failed."""
    from reelproof.pipeline.commands.last_lines import tell_kept_nothing, tell_next
    from reelproof.pipeline.workplace import open_workplace

    click.echo(summary.model_dump_json(indent=2) if as_json else summary.told())
    kept, preset = summary.kept.sft, recipe.policy.preset
    for line in tell_next(out, preset) if kept else tell_kept_nothing(open_workplace(out)):
        click.echo(shown_text(line), err=True)
    allowed = recipe.max_quarantined_share * summary.videos
    if summary.quarantined > allowed:
        click.echo(
            f"reelproof: {summary.quarantined} of {summary.videos} videos are in quarantine, more than the "
            f"allowed share of {recipe.max_quarantined_share} (max_quarantined_share); "
            f"`reelproof status {out}` lists them",
            err=True,
        )
        return UNFINISHED
    if summary.mostly_failed:
        click.echo("reelproof: most requests to teachers failed; see above", err=True)
        return UNFINISHED
    return 0
