"""A build's folder -> how far it is: steps by part, what is in quarantine, what the dataset holds."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelproof.pipeline.accounts.use_figures import tell_seconds, tell_use
from reelproof.pipeline.dataset.stats_files import read_stats
from reelproof.pipeline.disk.sealed import read_record
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.whole import is_done
from reelproof.pipeline.progress.run_progress import RunProgress, read_progress
from reelproof.pipeline.progress.run_summary import RUN, RunSummary
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.counted import counted
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.record import Record
from reelproof.schemas.stats import Stats


class StepProgress(Record):
    """How many of the parts have been through a step; one over all parts counts them as one."""

    step: str
    folder: str
    done: int
    parts: int


class BuildStatus(Record):
    """What `reelproof status --json` prints."""

    videos: int
    parts: int
    steps: tuple[StepProgress, ...]
    quarantine: tuple[Quarantine, ...]
    failed_requests: Mapping[str, int]
    """Step -> requests of it that failed for good."""
    alarms: tuple[str, ...]
    """Answer keys that can be guessed: tasks whose commonest answer beats chance."""
    damaged_videos: int | None
    """Of the dataset's videos, those of which a part is lost; null before there is a dataset."""
    damaged_s: float | None
    """… and how many seconds in all."""
    left_out_s: float | None
    """Seconds of the dataset's videos that lie in no clip; null before there is a dataset."""
    last_run: RunSummary | None
    """What `run.json` holds; null before the first command came to its end."""
    running: bool
    """Whether a build is at it now."""
    progress: RunProgress | None
    """What the last build, be it at work, ended or killed, asked of its teachers; null before the first."""


def build_status(workplace: Workplace) -> BuildStatus:
    """Look at the folder; nothing is written."""
    todo = Counter(step.name for todo in workplace.todos() for step in todo.steps)
    parts = len(workplace.parts)
    steps = (
        StepProgress(step=step.name, folder=step.folder, done=parts - todo[step.name], parts=parts)
        for step in workplace.dag.steps
    )
    store = workplace.store
    progress = read_progress(store)
    stats = read_stats(store)
    last = read_record(store, RUN, RunSummary) if store.exists(RUN) else None
    return BuildStatus(
        videos=len(workplace.sources),
        parts=parts,
        steps=(*steps, *_whole_progress(workplace)),
        quarantine=tuple(workplace.quarantined()),
        failed_requests=workplace.failed_requests(),
        alarms=tuple(_alarms(stats)),
        damaged_videos=stats.build.damaged_videos if stats else None,
        damaged_s=stats.build.damaged_s if stats else None,
        left_out_s=stats.build.left_out_s if stats else None,
        last_run=last,
        running=progress is not None and progress.runs(time.time()) and not store.is_deserted(),
        progress=progress,
    )


def _whole_progress(workplace: Workplace) -> Iterator[StepProgress]:
    """Of the steps over all parts, for the parts as they are now."""
    try:
        tasks = {task.step.name: task for task in workplace.whole_tasks()}
    except UsageError:  # an evaluation set is not where it was: nothing over all parts can be done
        tasks = {}
    for step in workplace.dag.whole:
        task = tasks.get(step.name)
        done = task is not None and is_done(workplace.store, task)
        folder = task.folder if task else f"whole/{step.name}"
        yield StepProgress(step=step.name, folder=folder, done=int(done), parts=1)


def _alarms(stats: Stats | None) -> Iterator[str]:
    for key in stats.build.answer_keys if stats else ():
        if key.alarm:
            yield (
                f"{key.task}: always answering {key.constant_answer} is right for "
                f"{key.constant_score:.0%} of {counted(key.questions, 'question')}, more than chance explains"
            )


def print_status(status: BuildStatus, console: Console) -> None:
    """Print a status for a person."""
    console.print(
        f"{counted(status.videos, 'video')} in {counted(status.parts, 'part')}, "
        f"{len(status.quarantine)} in quarantine"
    )
    table = Table("step", "parts done", "folder", box=None, pad_edge=False)
    for step in status.steps:
        table.add_row(step.step, f"{step.done}/{step.parts}", step.folder)
    console.print(table)
    if status.quarantine:
        console.print("\nin quarantine (try again with `reelproof build … --retry-quarantined`):")
        for each in status.quarantine:
            console.print(f"  {each.kind}: {each.name}: {each.detail}")
    if status.failed_requests:
        counts = ", ".join(f"{step} {count}" for step, count in status.failed_requests.items())
        console.print(f"\nrequests that failed (asked again by `reelproof build … --retry-failed`): {counts}")
    for alarm in status.alarms:
        console.print(Text("alarm", style="bold red"), alarm)
    if status.damaged_videos:
        lost = tell_seconds(status.damaged_s or 0.0)
        console.print(
            f"damaged: {lost} of {counted(status.damaged_videos, 'video')}; `explain VIDEO` says where"
        )
    if status.left_out_s:
        left_out = tell_seconds(status.left_out_s)
        console.print(f"{left_out} of the videos are in no clip: `explain VIDEO` says where")
    for line in _tell_progress(status):
        console.print(line)
    if status.last_run is not None:
        console.print(f"\n{status.last_run.told()}")


def _tell_progress(status: BuildStatus) -> Iterator[str]:
    """Of a build at work, and of one that was killed; what one did that ended, its run says."""
    progress = status.progress
    if progress is None or (progress.ended and status.last_run is not None):
        return
    state = "at work" if status.running else "ended" if progress.ended else "stopped without an end"
    yield f"\nbuild {state}, {tell_seconds(progress.updated_s - progress.started_s)} after it began"
    if progress.film_s:
        yield f"{progress.film_s:,.0f} s of film scanned"
    if progress.use.needed:
        yield tell_use(progress.use, progress.figures)
    for each in progress.at_work.steps:
        where = "all parts" if each.part is None else f"part {each.part}"
        yield f"  {where}: {each.step} for {tell_seconds(each.seconds)}{each.told and f', {each.told}'}"
    if status.running:
        yield progress.told_left
