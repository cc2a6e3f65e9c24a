"""A finished build's scores -> verdicts, shards, manifest and card: its steps over all parts, one by one."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.whole import WholeRun, is_done, read_outcome, run_whole, undone
from reelproof.pipeline.steps.dataset import CARD, CHECKSUMS, CROISSANT, SHARDS, STATISTICS, Published
from reelproof.pipeline.steps.decided_rows import files_of, measured, verdicts_of
from reelproof.pipeline.steps.whole_set import POLICY, Decided
from reelproof.pipeline.workplace import Workplace

_FINISHED = "finished"


class Curated(NamedTuple):
    """What was decided and written."""

    decided: Decided
    published: Published
    written: int
    """Shards, by the last command."""
    unchanged: int


class DecidedRows(NamedTuple):
    """All parts together: their files, and one row per trace of measurements and of verdicts."""

    files: tuple[PartFiles, ...]
    measurements: pl.DataFrame
    verdicts: pl.DataFrame
    """As `decide` gives it, and `published`: false for videos that are no longer among the sources."""


def curate(
    workplace: Workplace,
    until: str | None = None,
    again: Collection[str] = (),
    memo: dict[str, Any] | None = None,
) -> Iterator[Receipt]:
    """Do here every step over all parts that is not done, in order, and those named in `again` as well.

    `until` names the last of them, by default all; calls with the same `memo` read nothing twice.
    Raises UsageError where the build is not finished, or the recipe asks for what cannot be decided.
    """
    memo = {} if memo is None else memo
    if _FINISHED not in memo:
        workplace.require_finished()
        memo[_FINISHED] = True
    tasks = workplace.whole_tasks(until)
    missing = {task.step.name for task in undone(workplace.store, tasks)}
    for task in tasks:
        if task.step.name in again or task.step.name in missing:
            yield run_whole(task, workplace.parts, workplace.store, memo)


def curated(workplace: Workplace, receipts: Collection[Receipt]) -> Curated:
    """What the steps over all parts came to; `receipts` are of those that ran just now."""
    tasks = {task.step.name: task for task in workplace.whole_tasks(SHARDS.name)}
    published, decided = side_by_side(
        workplace.store,
        lambda name: read_outcome(workplace.store, tasks[name]),
        (SHARDS.name, POLICY.name),
    )
    if not isinstance(published, Published) or not isinstance(decided, Decided):
        raise TypeError("steps came to what they do not make")
    written = published.written if any(each.step == SHARDS.name for each in receipts) else 0
    return Curated(decided, published, written, published.written + published.unchanged - written)


def decide_all(workplace: Workplace) -> DecidedRows:
    """Decide, and leave nothing of it but what parts have in common; that is read where it was left.

    Raises UsageError where the build is not finished, or the recipe asks for what cannot be decided.
    """
    workplace.require_finished()
    memo: dict[str, Any] = {}
    *shared, policy = workplace.whole_tasks(POLICY.name)
    for task in shared:
        if not is_done(workplace.store, task):
            run_whole(task, workplace.parts, workplace.store, memo)
    run = WholeRun(workplace.store, policy, workplace.parts, memo)
    measurements = measured(run)
    decided = verdicts_of(measurements, workplace.parts, workplace.recipe.policy)
    return DecidedRows(files_of(run), measurements, decided)


def rewrite_card(workplace: Workplace) -> str:
    """Statistics, plots and card anew, from what the build holds. Returns where the card is."""
    with workplace.store.lock():
        for _ in curate(workplace, again=[step.name for step in (STATISTICS, CARD, CROISSANT, CHECKSUMS)]):
            pass
    return workplace.store.path("dataset/README.md")
