"""The files that a part's steps left -> one table of measurements over all parts, for policy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.stored_frames import StoredFrames

TRACE_KEYS = ("trace_id", "question_id", "clip_id", "video_id", "sample_index", "model")
QUESTION_KEYS = ("question_id", "task", "source", "kind")


@dataclass(frozen=True)
class PartFiles:
    """Where one part's records are: names in the build's store."""

    footage: str
    clips: str
    questions: str
    traces: str
    claims: str
    """One row per trace, in the traces file's order: what was said of times that it cites, and found true."""
    lines: str | None = None
    """What is said in the clips; null where the recipe does without."""
    calibration: str | None = None
    """What verifiers' beliefs are worth; null where the recipe does not calibrate them."""
    edited: str | None = None
    """Questions about edited frames, with these; null where the recipe does without."""
    scores: Mapping[str, str] = field(default_factory=dict)
    """Check -> its file: one row per trace, in the traces file's order."""
    licenses: Mapping[str, str] = field(default_factory=dict)
    """video_id -> licence as the sources state it now; others have the one of when they were decoded."""

    @property
    def identity(self) -> str:
        """Folder and name of each file: what they hold, since folders carry fingerprints."""
        return f"{self.words_identity}\n{self.measured_identity}"

    @property
    def frames(self) -> tuple[StoredFrames, ...]:
        """Where the frames are that its questions show."""
        edited = (StoredFrames.of_edited(self.edited),) if self.edited else ()
        return (StoredFrames.of_footage(self.footage), *edited)

    @cached_property
    def words_identity(self) -> str:
        """The same of what rows say and show, and of their licences."""
        paths = (self.footage, self.clips, self.questions, self.traces, self.claims, self.lines, self.edited)
        names = _names(path for path in paths if path)
        return "\n".join([*names, *(f"{video} {name}" for video, name in sorted(self.licenses.items()))])

    @cached_property
    def measured_identity(self) -> str:
        """The same of what measurements rest on."""
        return "\n".join(_names((self.questions, self.traces, *self.scores.values())))


def _names(paths: Iterable[str]) -> list[str]:
    return ["/".join(path.rsplit("/", 2)[-2:]) for path in paths]


class Measured(NamedTuple):
    """What one part's checks found."""

    rows: pa.Table
    """Keys, scores and what is asked, one row per trace."""
    scores: tuple[str, ...]
    """Which of the columns are scores."""


def read_columns(store: Store, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Columns of a Parquet file, each in one piece. `columns` may be dotted paths."""
    return store.read_table(name, columns).combine_chunks()


def read_metadata(store: Store, name: str) -> pq.FileMetaData:
    """A Parquet file's footer."""
    with open_parquet(store, name) as file:
        return file.metadata


def read_aligned(store: Store, path: str, trace_ids: pa.ChunkedArray, traces: str) -> pa.Table:
    """A file of one row per trace, without `trace_id`.

    Raises ValueError where its rows are not those of its traces, in their order.
    """
    table = read_columns(store, path)
    if not table["trace_id"].equals(trace_ids):
        raise ValueError(
            f"{path} has {table.num_rows} rows that do not follow the traces of {traces} "
            f"({len(trace_ids)} rows) one by one; delete it, and it is made again"
        )
    return table.drop_columns(["trace_id"])


def read_scores(store: Store, part: PartFiles, trace_ids: pa.ChunkedArray) -> pa.Table:
    """All checks' columns side by side, without `trace_id`."""
    columns: dict[str, pa.ChunkedArray] = {}
    for check, path in part.scores.items():
        table = read_aligned(store, path, trace_ids, part.traces)
        if common := sorted(set(columns) & set(table.column_names)):
            raise ValueError(f"check {check} has columns of another check: {', '.join(common)}; rename them")
        columns |= dict(zip(table.column_names, table.columns, strict=True))
    return pa.table(columns)


def measured(store: Store, part: PartFiles) -> Measured:
    """Keys and scores of a part's traces, in the order of its traces file.

    Raises ValueError where a score file does not fit its traces file, or two checks have a column in common.
    """
    traces = read_columns(store, part.traces, TRACE_KEYS)
    questions = read_columns(store, part.questions, QUESTION_KEYS)
    scores = read_scores(store, part, traces["trace_id"])
    columns = dict(zip(scores.column_names, scores.columns, strict=True))
    rows = pl.DataFrame(pa.table({name: traces[name] for name in TRACE_KEYS} | columns))
    joined = rows.join(pl.DataFrame(questions), on="question_id", how="left", maintain_order="left")
    return Measured(joined.to_arrow().cast(_plain(joined.to_arrow().schema)), tuple(scores.column_names))


def _plain(schema: pa.Schema) -> pa.Schema:
    """The same columns with short strings, as Parquet hands them back."""
    return pa.schema(
        [
            pa.field(each.name, pa.string() if pa.types.is_large_string(each.type) else each.type)
            for each in schema
        ]
    )
