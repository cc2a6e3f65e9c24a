"""One step on one part, in a worker: files above -> stage -> one Parquet file, and a small receipt."""

import itertools
import json
import time
from collections.abc import Iterable
from contextlib import suppress

import pyarrow.parquet as pq

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse
from reelproof.pipeline.accounts.at_work import announced
from reelproof.pipeline.accounts.memory import peak_rss_mb
from reelproof.pipeline.disk.malloc import give_back
from reelproof.pipeline.disk.sealed import open_parquet, write_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BrokenHere, BuildFailed, Damaged, UsageError
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.record import Record
from reelproof.schemas.tables import arrow_schema, to_table

RESTS_ON = "reelproof.completions"
"""In a step's file: name -> bytes of the files of completions that there were; they only grow."""
FAILED = "reelproof.failed"
"""In a step's file: how many of its requests failed for good."""


class Receipt(Record):
    """What one step did to one part, or over all. It travels to the client; the results stay on disk."""

    step: str
    part: int | None
    """None where it was over all parts."""
    rows: int
    videos: int = 0
    """In the part."""
    seconds: float
    peak_rss_mb: float
    """Of the worker and of its largest child, since they started."""
    videos_decoded: int = 0
    quarantined: int = 0
    film_s: float = 0
    """Seconds of film scanned, without what was scanned ahead."""
    use: TeacherUse = TeacherUse()

    @property
    def step_use(self) -> StepUse:
        """The same as accounts take it."""
        return StepUse(step=self.step, parts=1, videos=self.videos, seconds=self.seconds, use=self.use)


class ScannedAhead(Record):
    """What a task did of a step's work on one long film, before the step takes it up."""

    part: int
    film_s: float
    """Seconds of film scanned."""


class StepBroken(Exception):  # noqa: N818 - it is told as a failed step, not raised to a caller
    """A step raised on a part: in words, and what it had asked for by then, which is paid for and logged."""

    def __init__(
        self, told: str, use: StepUse, for_all: bool = False, damaged: Damaged | None = None
    ) -> None:
        """`for_all`: it would raise on every other part as well; `damaged`: what it could not read."""
        super().__init__(told, use, for_all, damaged)  # all of them, so that it travels
        self.told, self.use, self.for_all, self.damaged = told, use, for_all, damaged

    def __str__(self) -> str:
        """In words."""
        return self.told


class StepStopped(StepBroken):
    """The same by what its message tells: a teacher that is gone, a full disk, a damaged file."""


_TOLD = (UsageError, BuildFailed, BrokenHere, OSError)
"""Whose message says what happened and what to do; anything else is a fault of the code, with a traceback."""


def run_step(step: Step[PartStep], inputs: PartInputs, store_url: str, *above: Receipt) -> Receipt:
    """Run the step on the part and leave its file; `above` are only waited for.

    A file that is there already is done: another worker may have left it. Raises StepBroken for whatever the
    step raises.
    """
    del above
    start = time.monotonic()
    store = Store(store_url)
    run = PartRun(store, inputs, {each.name: each.file(inputs) for each in step.ancestors})
    rows = 0
    if not store.exists(step.file(inputs)):
        try:
            rows = _make(step, run)
        except Exception as error:
            use = StepUse(step=step.name, seconds=time.monotonic() - start, use=run.counter.use)
            told, for_all = str(error) or repr(error), isinstance(error, BrokenHere)
            damaged = error if isinstance(error, Damaged) else None
            kind = StepStopped if isinstance(error, _TOLD) else StepBroken
            raise kind(told, use, for_all, damaged).with_traceback(error.__traceback__) from error
        give_back()
    return Receipt(
        step=step.name,
        part=inputs.part.number,
        rows=rows,
        videos=len(inputs.sources),
        seconds=time.monotonic() - start,
        peak_rss_mb=peak_rss_mb(),
        videos_decoded=run.videos_decoded,
        quarantined=len(run.quarantine),
        film_s=run.counter.film_s,
        use=run.counter.use,
    )


def run_ahead(
    step: Step[PartStep],
    inputs: PartInputs,
    store_url: str,
    place: int,
    share: tuple[int, int] | None,
    *above: ScannedAhead,
) -> ScannedAhead:
    """Plan the work on the film at this place in the part, or do a share of it: (which, of how many).

    What goes wrong here is left to the step, which meets it again and tells it.
    """
    del above
    run = PartRun(Store(store_url), inputs, {})
    ahead = step.kind.ahead
    with suppress(Exception), announced(step.name, inputs.part.number, 0, run.counter):
        if ahead and share is None:
            ahead.plan(run, place, *step.settings)
        elif ahead and share:
            ahead.do(run, place, *share, *step.settings)
    give_back()
    return ScannedAhead(part=inputs.part.number, film_s=run.counter.film_s)


def _make(step: Step[PartStep], run: PartRun) -> int:
    """Run the step and leave its files. Returns how many records there were."""
    kind = step.kind.makes
    schema = arrow_schema(kind, without=step.kind.leaves_out(*step.settings))
    announce = announced(step.name, run.inputs.part.number, len(run.inputs.sources), run.counter)
    with (
        announce,
        write_parquet(run.store, step.file(run.inputs), schema, compression="zstd") as writer,
    ):
        rows = write_records(writer, step.kind.run(run, *step.settings), kind, step.kind.rows_at_once)
        if run.quarantine:
            table = to_table(run.quarantine, Quarantine)
            run.store.write_table(quarantine_file(step, run.inputs), table)
        if step.asks:
            told = {RESTS_ON: json.dumps(run.log().sizes()), FAILED: str(run.counter.failures)}
            writer.add_key_value_metadata(told)
    return rows


def failures_in(store: Store, name: str) -> int:
    """How many requests of a step failed, as its file tells; 0 where there is none."""
    try:
        with open_parquet(store, name) as file:
            return int((file.metadata.metadata or {}).get(FAILED.encode(), b"0"))
    except (FileNotFoundError, NotADirectoryError):
        return 0


def quarantine_file(step: Step[PartStep], inputs: PartInputs) -> str:
    """Where a step says which videos it could not use; it is there before the step's own file."""
    return f"parts/quarantine-{step.fingerprint}/{inputs.name}.parquet"


def write_records(
    writer: pq.ParquetWriter, records: Iterable[Record], kind: type[Record], rows_at_once: int
) -> int:
    """Write records, `rows_at_once` in memory and in a row group. Returns how many there were."""
    rows = 0
    waiting = iter(records)
    while batch := list(itertools.islice(waiting, rows_at_once)):
        writer.write_table(to_table(batch, kind, writer.schema))
        rows += len(batch)
    return rows
