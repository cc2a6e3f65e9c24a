"""A step over all parts, in a worker or the client: files of every part -> its own files, and a receipt."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import polars as pl

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.accounts.at_work import announced
from reelproof.pipeline.accounts.memory import peak_rss_mb
from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.disk.malloc import give_back
from reelproof.pipeline.disk.sealed import read_record, sealed_json
from reelproof.pipeline.disk.side_by_side import Spread, side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.step import Step, WholeStep
from reelproof.schemas.record import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")

OUTCOME = "outcome.json"


@dataclass(frozen=True)
class WholeTask:
    """A step over all parts, as it is to be done once for just these parts."""

    step: Step[WholeStep]
    key: str
    """16 hex digits over all that its results depend on."""
    outside: Any
    """What it takes from elsewhere than from parts and recipe."""
    folders: Mapping[str, str]
    """Step over all parts -> where its files lie, for every one above it."""

    @property
    def folder(self) -> str:
        """Where its files lie, within the build's folder."""
        return f"whole/{self.step.name}-{self.key}"


@dataclass
class WholeRun:
    """A step over all parts at work: what it reads from, and where it leaves what it makes."""

    store: Store
    task: WholeTask
    parts: Sequence[PartInputs]
    memo: dict[str, Any] = field(default_factory=dict)
    """What steps that run in the same process need not read twice."""
    spread: Spread | None = None
    """How work is done that holds much in memory; none for this process."""

    def table(self, step: str, name: str) -> pl.DataFrame:
        """A table that a step over all parts above left."""
        return read_left(self.store, self.task.folders[step], name)

    def outcome(self, step: str, record: type[R]) -> R:
        """What a step over all parts above came to."""
        return _read_outcome(self.store, self.task.folders[step], record)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What is made of that name, which nobody in this process makes twice."""
        if name not in self.memo:
            self.memo[name] = make()
        made: T = self.memo[name]
        return made

    def write_table(self, name: str, table: pl.DataFrame) -> None:
        """Leave a table, for the steps below to read."""
        self.store.write_table(f"{self.task.folder}/{name}.parquet", table.to_arrow())


def plan_whole(build: Any, steps: Iterable[Step[WholeStep]], parts: Sequence[PartInputs]) -> list[WholeTask]:
    """The steps over all parts as tasks, in order, for the parts as they are now.

    Raises UsageError where something that they take from elsewhere cannot be read.
    """
    held = parts_key(parts)
    tasks: dict[str, WholeTask] = {}
    wanted = list(steps)
    for step, outside in zip(
        wanted, side_by_side(build.store, lambda step: step.kind.outside(build), wanted), strict=True
    ):
        above = [tasks[each.name] for each in step.ancestors if each.name in tasks]
        key = fingerprint(step.name, step.kind.version, [step.fingerprint, held, outside.counts],
                          [each.key for each in above])  # fmt: skip
        tasks[step.name] = WholeTask(
            step, key, outside.value, {each.step.name: each.folder for each in above}
        )
    return list(tasks.values())


def parts_key(parts: Sequence[PartInputs]) -> str:
    """32 hex digits over which parts there are, which of their videos count, and under which licence."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.name}{part.given_key}{part.subtitles_key}{part.again_key}\n".encode())
        for source in part.sources:
            digest.update(f" {source.video_id} {source.file.license}\n".encode())
    return digest.hexdigest()[:32]


def is_done(store: Store, task: WholeTask) -> bool:
    """Whether its files are there, and what it published is as it left it."""
    try:
        outcome = read_outcome(store, task)
    except (FileNotFoundError, Damaged):
        return False
    kind = task.step.kind
    left = [f"{name}.parquet" for name in kind.leaves(outcome)]
    return kind.intact(store, outcome) and (not left or {*left} <= {*store.names(task.folder)})


def undone(store: Store, tasks: Sequence[WholeTask]) -> list[WholeTask]:
    """The tasks that are not done, or rest on one that is not, in order."""
    done = side_by_side(store, lambda task: is_done(store, task), tasks)
    missing: dict[str, WholeTask] = {}
    for task, is_there in zip(tasks, done, strict=True):
        if not is_there or any(each.name in missing for each in task.step.after):
            missing[task.step.name] = task
    return list(missing.values())


def read_outcome(store: Store, task: WholeTask) -> Record:
    """What the step came to. Raises FileNotFoundError where it is not done."""
    return _read_outcome(store, task.folder, task.step.kind.makes)


def _read_outcome(store: Store, folder: str, record: type[R]) -> R:
    return read_record(store, f"{folder}/{OUTCOME}", record)


def read_left(store: Store, folder: str, name: str) -> pl.DataFrame:
    """A table that a step over all parts left. Raises Damaged where it is not as it was, or gone."""
    file, outcome = f"{folder}/{name}.parquet", f"{folder}/{OUTCOME}"
    try:
        return pl.DataFrame(store.read_table(file))
    except FileNotFoundError:
        raise Damaged(store.url, file, "it is gone", outcome) from None
    except Damaged as error:
        raise Damaged(store.url, file, error.why, outcome) from None


def run_whole(
    task: WholeTask,
    parts: Sequence[PartInputs],
    store: str | Store,
    memo: dict[str, Any] | None = None,
    spread: Spread | None = None,
    *_after: Receipt,
) -> Receipt:
    """Do the step and leave its files, what it came to last of all. `_after` only says what must be done."""
    start = time.monotonic()
    place = Store(store) if isinstance(store, str) else store
    step, videos = task.step, sum(len(part.sources) for part in parts)
    run = WholeRun(place, task, parts, {} if memo is None else memo, spread)
    with announced(step.name, None, videos, UseCounter()):
        outcome = step.kind.run(run, *step.settings)
        name = f"{task.folder}/{OUTCOME}"
        place.write_bytes(name, sealed_json(outcome, name))
    give_back()
    return Receipt(
        step=step.name,
        part=None,
        rows=0,
        videos=videos,
        seconds=time.monotonic() - start,
        peak_rss_mb=peak_rss_mb(),
    )
