"""A dataset's shards -> rows by their number: found by filters, read a page at a time, pictures left alone.

Rows are numbered over all shards, config by config, in the manifest's order. Counts come from the manifest, a
filter reads the columns that it names, and a page reads its own rows: nothing grows with the dataset but what
a filter found, and that is kept for the next page.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.pipeline.report.query import SETS, Query
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.manifest import ManifestFile
from reelproof.schemas.published import Published

CONFIGS = ("sft", "rejected", "rl", "dpo")
LIST_COLUMNS = (
    "sample_id",
    "clip_id",
    "video",
    "frame_sha256",
    "question_kind",
    "question_source",
    "task",
    "question",
    "answer",
    "prediction",
    "reasons",
    "pair_reason",
    "chosen_prediction",
    "rejected_prediction",
)
"""What a list shows of a row."""
KEPT_ANSWERS = 16
"""Filters whose rows are remembered; a million rows found are 8 MB."""

Numbers = npt.NDArray[np.int64] | range


class NumberedFile(NamedTuple):
    """One file, and the numbers of its rows: `first` and the `rows - 1` after it."""

    file: ManifestFile
    first: int

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return self.file.rows


class ReportRows:
    """The rows of one dataset. Safe to ask from several threads."""

    def __init__(self, dataset: Published) -> None:
        self._dataset = dataset
        self.shards = tuple(_numbered(dataset))
        self._firsts = [shard.first for shard in self.shards]
        self._answers: OrderedDict[Query, Future[Numbers]] = OrderedDict()
        self._lock = Lock()
        self._searchers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="report-search")
        self.schema = lru_cache(maxsize=None)(self._schema)
        """Config -> its columns; empty where it has no rows. Raises KeyError."""

    def numbers(self, query_set: str) -> range:
        """The numbers of a set's rows: one of `SETS`."""
        mine = [shard for shard in self.shards if shard.file.config in SETS[query_set]]
        first = mine[0].first if mine else 0
        return range(first, first + sum(shard.rows for shard in mine))

    def find(self, query: Query) -> Numbers:
        """Numbers of the rows that pass, in order. What was found before is remembered."""
        answer = self.start(query)
        try:
            return answer.result()
        except Exception:
            with self._lock:
                self._answers.pop(query, None)
            raise

    def start(self, query: Query) -> "Future[Numbers]":
        """Begin to find the rows that pass, or go on doing so."""
        with self._lock:
            answer = self._answers.get(query)
            if answer is None:
                answer = self._answers[query] = self._searchers.submit(self._find, query)
            self._answers.move_to_end(query)
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
        return answer

    def has_found(self, query: Query) -> bool:
        """Whether all rows that pass are known."""
        with self._lock:
            answer = self._answers.get(query)
        return answer is not None and answer.done()

    def find_first(self, query: Query, wanted: int) -> Numbers:
        """The first rows that pass, at least `wanted` of them or all: no more is read than that takes."""
        if query.is_everything or self.has_found(query):
            return self.find(query)
        found: list[int] = []
        for config in self._configs(query):
            condition = query.condition(self.schema(config))
            for shard in self._files_of(config):
                found += self._search(shard, condition).head(wanted).collect()["number"].to_list()
                if len(found) >= wanted:
                    return np.array(found, dtype=np.int64)
        return np.array(found, dtype=np.int64)

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """Names of all measurements that are numbers, in order."""
        named = {
            name: None
            for config in CONFIGS
            for name, kind in self.schema(config).items()
            if kind.is_numeric() and name not in ("clip_start_s", "clip_end_s", "tolerance")
        }
        return tuple(named)

    def row(self, number: int, without: Sequence[str] = ("images", "prompt", "completion")) -> dict[str, Any]:
        """One row with its config, without its pictures. Raises IndexError."""
        return next(self.read([number], without=without))

    def read(
        self, numbers: Numbers | Sequence[int], columns: Sequence[str] = (), without: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """Rows in order, each with its `config` and `number`; of `columns` those that the config has.

        `thought` is there for every trace: where a config holds the completion alone, it is read from that.
        """
        for run in _runs(numbers):
            shard = self._file(run.start)
            wanted = _sources(columns)
            held = [name for name in self.schema(shard.file.config) if name in wanted or not columns]
            frame = self._dataset.scan(shard.file, [name for name in held if name not in without])
            found = frame.slice(run.start - shard.first, len(run)).collect()
            for number, row in zip(run, found.iter_rows(named=True), strict=False):
                yield {"config": shard.file.config, "number": number, **_with_thought(row)}
            left = range(max(run.start, shard.first + shard.rows), run.stop)
            if left:  # the run goes on in the next shard
                yield from self.read(left, columns, without)

    def number_of(self, config: str, sample_id: str, hint: int | None = None) -> int | None:
        """The number of a config's row; `hint` is looked at first. None where there is no such row."""
        if hint is not None and hint in self.numbers(config):
            row = next(self.read([hint], ("sample_id",)))
            if row["sample_id"] == sample_id:
                return hint
        return self._number_of(config, sample_id)

    def images(self, number: int) -> dict[str, bytes]:
        """JPEG bytes by sha256 of a row that holds its pictures; empty for one that only names them."""
        row = next(self.read([number], ("frame_sha256", "images")))
        shown = zip(row["frame_sha256"], row.get("images") or (), strict=False)
        return {sha256: image["bytes"] for sha256, image in shown}

    def numbers_of_clip(self, clip_id: str) -> tuple[int, ...]:
        """Rows of a clip that hold their pictures."""
        found = [self._where(config, pl.col("clip_id") == clip_id) for config in ("sft", "rl", "dpo")]
        return tuple(np.concatenate(found).tolist())

    def clips_of(self, config: str) -> set[str]:
        """The clips of which a config has rows."""
        frames = [self._dataset.scan(shard.file, ["clip_id"]) for shard in self._files_of(config)]
        return set(pl.concat(frames).unique().collect()["clip_id"]) if frames else set()

    def _find(self, query: Query) -> Numbers:
        if query.is_everything:
            return self.numbers(query.set)
        found = [self._where(each, query.condition(self.schema(each))) for each in self._configs(query)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    def _configs(self, query: Query) -> Iterator[str]:
        """Those in which a row can pass."""
        is_number = not query.score or query.score in self.scores
        for config in SETS[query.set]:
            if is_number and query.wants <= set(self.schema(config)):
                yield config

    def _number_of(self, config: str, sample_id: str) -> int | None:
        found = self._where(config, pl.col("sample_id") == sample_id)
        return int(found[0]) if len(found) else None

    def _where(self, config: str, condition: pl.Expr) -> npt.NDArray[np.int64]:
        searches = [self._search(shard, condition) for shard in self._files_of(config)]
        found = [each["number"].to_numpy() for each in pl.collect_all(searches)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *found])

    def _search(self, shard: NumberedFile, condition: pl.Expr) -> pl.LazyFrame:
        """Numbers of a shard's rows that pass."""
        used = sorted(set(condition.meta.root_names())) or ["sample_id"]
        rows = self._dataset.scan(shard.file, used).with_row_index("number", shard.first)
        return rows.filter(condition).select(pl.col("number").cast(pl.Int64))

    def _files_of(self, config: str) -> list[NumberedFile]:
        return [shard for shard in self.shards if shard.file.config == config]

    def _schema(self, config: str) -> Mapping[str, pl.DataType]:
        if config not in CONFIGS:
            raise KeyError(config)
        shard = next(iter(self._files_of(config)), None)
        return {} if shard is None else self._dataset.schema(shard.file)

    def _file(self, number: int) -> NumberedFile:
        place = bisect_right(self._firsts, number) - 1
        if place < 0 or number >= self._firsts[place] + self.shards[place].rows:
            raise IndexError(f"row {number} is not there")
        return self.shards[place]


def _numbered(dataset: Published) -> Iterator[NumberedFile]:
    first = 0
    for config in CONFIGS:
        for file in dataset.contents.shards_of(config):
            yield NumberedFile(file, first)
            first += file.rows


def _sources(columns: Sequence[str]) -> Sequence[str]:
    """Columns to read for those that are asked for."""
    return (*columns, "text") if "thought" in columns else columns


def _with_thought(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("thought") is not None or not row.get("text"):
        return row
    return {**row, "thought": read_completion(row["text"]).thought}


def _runs(numbers: Numbers | Sequence[int]) -> Iterator[range]:
    """Numbers that follow each other, together."""
    if isinstance(numbers, range):
        yield from (numbers,) if numbers else ()
        return
    given = np.asarray(numbers, dtype=np.int64)
    for run in np.split(given, np.flatnonzero(np.diff(given) != 1) + 1):
        if len(run):
            yield range(int(run[0]), int(run[-1]) + 1)
