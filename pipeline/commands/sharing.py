"""`reelproof browse`, `publish`, `export` and `card`: a build's dataset, shown to people and handed on."""

from pathlib import Path

import click

from reelproof.pipeline.commands.options import BUILD_DIR, INTO_USED, OVERRIDES
from reelproof.schemas.counted import counted
from reelproof.schemas.install import installing
from reelproof.schemas.text import shown_text

# Every command imports what it needs when it runs, so that `--help` answers at once.


@click.command()
@BUILD_DIR
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="By default any free one.")
@click.option(
    "--static",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the pages to this folder, which can be put anywhere, and serve nothing.",
)
@click.option("--rows", type=click.IntRange(1), help="With --static: rows of each set; by default 500.")
@INTO_USED
def browse(build_dir: str, port: int, folder: Path | None, rows: int | None, into_used: bool) -> None:
    """Search and leaf through the dataset of DIR in a browser.

    At an address that only this machine sees: kept and rejected rows with their frames, thoughts, claims,
    scores, reasons and requests; of a watch its events with clips and frames, and whether each was right is
    asked; of a run of `train rl`, `tts` or `evaluate` what its model said, with frames, thoughts, rewards and
    advantages. Ctrl-C ends it.
    """
    from reelproof.pipeline.inputs.events_folder import is_events_folder
    from reelproof.pipeline.report.rollouts import is_rollouts_folder

    if is_events_folder(build_dir):
        _browse_events(Path(build_dir), port, folder, into_used)
        return
    if is_rollouts_folder(build_dir):
        _browse_rollouts(Path(build_dir), port, folder, into_used)
        return
    from reelproof.pipeline.disk.store import Store
    from reelproof.pipeline.report.server import browse_at
    from reelproof.pipeline.report.static import ReportConfig, write_report

    if folder is None:
        browse_at(Store(build_dir), port, click.echo)
        return
    cfg = ReportConfig(rows=rows) if rows else ReportConfig()
    shown = write_report(Store(build_dir), folder, cfg, into_used)
    click.echo(f"{counted(shown, 'row')}: open {folder / 'index.html'}")


def _browse_events(events: Path, port: int, folder: Path | None, into_used: bool) -> None:
    from reelproof.pipeline.report.events import write_events
    from reelproof.pipeline.report.events_server import browse_events

    if folder is None:
        browse_events(events, port, click.echo)
    else:
        click.echo(
            f"{counted(write_events(events, folder, into_used), 'event')}: open {folder / 'index.html'}"
        )


def _browse_rollouts(run: Path, port: int, folder: Path | None, into_used: bool) -> None:
    from reelproof.pipeline.report.events_server import browse_rollouts
    from reelproof.pipeline.report.rollouts import write_rollouts

    if folder is None:
        browse_rollouts(run, port, click.echo)
    else:
        click.echo(
            f"{counted(write_rollouts(run, folder, into_used), 'question')}: open {folder / 'index.html'}"
        )


@click.command("publish")
@BUILD_DIR
@click.argument("target")
@click.option("--public", is_flag=True, help="On the Hub, for all to see; by default it is private.")
@INTO_USED
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.option("--dataset", metavar="NAME", help="With a training run: where its dataset is on the Hub.")
@click.option(
    "--evaluation",
    "evaluations",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="With a training run: what `evaluate` left, for its card; may be repeated.",
)
def publish_folder(
    build_dir: str,
    target: str,
    public: bool,
    into_used: bool,
    dry_run: bool,
    dataset: str | None,
    evaluations: tuple[Path, ...],
) -> None:
    """Send a dataset, or the model of a training run, to TARGET.

    DIR is that of the build or the run; only what changed goes. TARGET is user/name on the Hub, a folder, or
    an fsspec URL; what lies here under that name is meant as that folder. A model goes with a card: what it
    was trained on, its curve, its evaluations. A login is taken from the environment (HF_TOKEN) or the Hub's
    own command.
    """
    from reelproof.pipeline.dataset.reading import open_dataset
    from reelproof.pipeline.disk.store import Store
    from reelproof.pipeline.errors import UsageError
    from reelproof.pipeline.publish.model import is_run, list_model_files, write_model_card
    from reelproof.pipeline.publish.publish import (
        FolderTarget,
        Kind,
        Target,
        publish,
        publish_files,
        tell_published,
    )

    of_run = is_run(Path(build_dir))
    kind: Kind = "model" if of_run else "dataset"
    if (dataset or evaluations) and not of_run:
        raise UsageError(f"--dataset and --evaluation go with a training run; {build_dir} is none")
    if "://" in target or target.startswith((".", "/", "~")) or Path(target).exists():
        place: Target = FolderTarget(target, kind)
    elif "/" not in target:
        raise UsageError(f"{target} is no folder here; say ./{target} for one, or user/name for the Hub")
    else:
        try:
            from reelproof.pipeline.publish.hub import HubTarget
        except ImportError as error:
            raise UsageError(f"publishing to the Hub needs {installing('publish')} ({error})") from error
        place = HubTarget(target, public=public, kind=kind)
    if of_run:
        write_model_card(Path(build_dir), Path(target).name, dataset, evaluations)
        published = publish_files(list_model_files(Path(build_dir)), place, dry_run, into_used)
    else:
        store = Store(build_dir)
        open_dataset(store)  # a place without one is left as it is
        with store.lock():  # no refilter may change it on the way
            published = publish(store, place, dry_run, into_used)
    for line in tell_published(published, dry_run):
        click.echo(shown_text(line))


@click.command("export")
@click.argument("subject", metavar="DIR | MANIFEST")
@click.option(
    "--to", "layout", required=True, metavar="TRAINER", help="Whose layout; a wrong one lists them."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--videos", metavar="FOLDER", help="Where a manifest's videos are; by default beside it.")
@OVERRIDES
def export_dataset(
    subject: str, layout: str, out: Path, videos: str | None, overrides: tuple[str, ...]
) -> None:
    """Write the dataset of DIR as another project takes it.

    As trl, llama-factory, ms-swift, verl, lmms-eval, … do. A MANIFEST's questions become a task folder of
    lmms-eval; `--set` as for `evaluate`.
    """
    from reelproof.pipeline.export.export import export
    from reelproof.pipeline.inputs.dataset_rows import is_manifest

    if is_manifest(subject):
        _export_manifest(subject, layout, out, videos, overrides)
        return
    if videos or overrides:
        raise click.UsageError("--videos and --set go with a manifest; a dataset is written as it is")
    done = export(Path(subject), out, layout)
    for split, rows in done.rows.items():
        left_out = f", {done.skipped[split]} left out" if done.skipped.get(split) else ""
        click.echo(f"{split}: {counted(rows, 'row')}{left_out}")
    click.echo(f"how to start: {', '.join(str(done.target / start) for start in done.starts)}")


def _export_manifest(
    manifest: str, layout: str, out: Path, videos: str | None, overrides: tuple[str, ...]
) -> None:
    from reelproof.pipeline.benchmark.export import export_manifest
    from reelproof.pipeline.benchmark.questions import ManifestQuestions
    from reelproof.pipeline.benchmark.settings import BenchmarkConfig
    from reelproof.pipeline.settings_text import parse_settings

    if layout != "lmms-eval":
        raise click.UsageError(
            f"a manifest's questions go to lmms-eval; build a dataset of it first for {layout}"
        )
    sources = {"manifest": manifest} | ({"root": videos} if videos else {})
    asked = ManifestQuestions(
        parse_settings(BenchmarkConfig, {"sources": sources}, overrides, "the settings")
    )
    count = export_manifest(asked, Path(manifest).stem, out)
    click.echo(
        f"{count} of {counted(len(asked.questions), 'question')}; "
        f"lmms_eval --include_path {out} finds their tasks"
    )


@click.command()
@BUILD_DIR
def card(build_dir: str) -> None:
    """Write card, statistics and plots anew, from what DIR holds."""
    from reelproof.pipeline.curate import rewrite_card
    from reelproof.pipeline.workplace import open_workplace

    click.echo(rewrite_card(open_workplace(build_dir)))
