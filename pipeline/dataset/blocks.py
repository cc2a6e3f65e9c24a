"""Finished parts -> blocks: 64 of them in one file of measurements and two of words: none is opened alone.

A block's files are named by what they hold and never change; the one that is not full yet is made again as it
grows. What the parts hold stays where it is: blocks are copies, made for reading.
"""

import hashlib
import itertools
import json
from collections.abc import Sequence, Set
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.part_files import PartFiles, measured, read_columns, read_metadata
from reelproof.pipeline.dataset.prompt_rows import Places
from reelproof.pipeline.dataset.rows import read_part
from reelproof.pipeline.disk.sealed import write_parquet
from reelproof.pipeline.disk.side_by_side import Here, Spread, side_by_side
from reelproof.pipeline.disk.store import Store

VERSION = 3
PARTS_A_BLOCK = 64
PARTS_A_GROUP = 8
"""Parts in a row group of a block's words: what a shard of few parts reads beside its own."""
FOLDER = "blocks"
_SIZES, _SCORES = b"reelproof.parts", b"reelproof.scores"


class PartSizes(NamedTuple):
    """What planning needs to know of parts, (parts,) each."""

    traces: Places
    questions: Places
    image_bytes: Places
    """Of candidate frames."""
    text_bytes: Places
    """Of completions and thoughts."""


class Block:
    """Some consecutive parts, and where their files lie together."""

    def __init__(self, number: int, parts: Sequence[PartFiles]) -> None:
        self.number, self.parts = number, tuple(parts)

    @property
    def first(self) -> int:
        """The place of its first part among all parts."""
        return self.number * PARTS_A_BLOCK

    @cached_property
    def measured(self) -> str:
        """One row per trace: keys and scores."""
        return self._named("measured", [part.measured_identity for part in self.parts])

    @cached_property
    def traces(self) -> str:
        """One row per trace: what was said, and `question_place` among the block's questions."""
        return self._named("traces", self._words)

    @cached_property
    def questions(self) -> str:
        """One row per question: what was asked, of what, with which frames."""
        return self._named("questions", self._words)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its three files."""
        return (self.measured, self.traces, self.questions)

    @cached_property
    def _words(self) -> list[str]:
        return [part.words_identity for part in self.parts]

    def _named(self, kind: str, held: Sequence[str]) -> str:
        digest = hashlib.sha256("\n".join([str(VERSION), *held]).encode()).hexdigest()[:24]
        return f"{FOLDER}/{kind}/{self.number:05d}-{digest}.parquet"


def blocks_of(parts: Sequence[PartFiles]) -> tuple[Block, ...]:
    """Consecutive parts, 64 a block, fewer in the last."""
    starts = range(0, len(parts), PARTS_A_BLOCK)
    return tuple(Block(number, parts[start : start + PARTS_A_BLOCK]) for number, start in enumerate(starts))


def compact(store: Store, parts: Sequence[PartFiles], spread: Spread | None = None) -> tuple[Block, ...]:
    """Make the blocks that are not there yet, by `spread`, in this process by default. Returns all.

    Raises ValueError where a part's files do not fit each other, or have other columns than the part before.
    """
    blocks = blocks_of(parts)
    kinds = ("measured", "traces", "questions")
    held = {
        f"{FOLDER}/{kind}/{name}"
        for kind, names in zip(
            kinds, side_by_side(store, lambda kind: store.names(f"{FOLDER}/{kind}"), kinds), strict=True
        )
        for name in names
    }
    makings = [_Making(each, *_sorted_out(each, held)) for each in blocks]
    unfinished = [each for each in makings if each.older or len(each.there) < len(each.block.files)]
    (spread or Here(store))(partial(_make, store), unfinished)
    return blocks


def read_measured(store: Store, block: Block, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Keys and scores of a block's traces, and each one's part's place among all; rows as in their files."""
    held = pl.DataFrame(read_columns(store, block.measured, columns))
    return held.with_columns((pl.col("part") + block.first).cast(pl.UInt32)) if "part" in held else held


def read_block_measurements(store: Store, blocks: Sequence[Block]) -> pl.DataFrame:
    """Keys and scores of every trace, and its part's place; parts in order and rows as in their files."""
    frames = side_by_side(store, lambda block: read_measured(store, block), blocks)
    return pl.concat(frames, how="vertical_relaxed", rechunk=True) if frames else pl.DataFrame()


def read_sizes(store: Store, blocks: Sequence[Block]) -> PartSizes:
    """How many rows each part has, in order, from one footer per block."""
    footers = side_by_side(store, lambda block: read_metadata(store, block.traces), blocks)
    told = [json.loads(each.metadata[_SIZES]) for each in footers]
    return PartSizes(
        *(np.array([n for each in told for n in each[name]], dtype=np.int64) for name in PartSizes._fields)
    )


def read_score_schema(store: Store, blocks: Sequence[Block]) -> pa.Schema:
    """The columns of all checks. Raises ValueError where blocks differ in them."""
    footers = side_by_side(store, lambda block: read_metadata(store, block.measured), blocks)
    schemas = [json.loads(each.metadata[_SCORES]) for each in footers]
    for block, names in zip(blocks, schemas, strict=True):
        _refuse_others(block.parts[0], names, blocks[0].parts[0], schemas[0])
    if not footers:
        return pa.schema([])
    schema = footers[0].schema.to_arrow_schema()
    return pa.schema([schema.field(name).remove_metadata() for name in schemas[0]])


class _Making(NamedTuple):
    block: Block
    there: frozenset[str]
    """Files of the block that are there."""
    older: frozenset[str]
    """Those of when it held other parts, or parts of other results."""


def _sorted_out(block: Block, held: Set[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Files of the block's number that are there: its own, and older ones."""
    begins = {name.partition("-")[0] + "-" for name in block.files}
    of_number = frozenset(name for name in held if name.partition("-")[0] + "-" in begins)
    return of_number & set(block.files), of_number - set(block.files)


def _make(store: Store, making: _Making) -> None:
    block, there, older = making
    if block.measured not in there:
        _write_measured(store, block)
    if not there.issuperset((block.traces, block.questions)):
        _write_words(store, block)
    for name in older:
        store.remove(name)


def _write_measured(store: Store, block: Block) -> None:
    tables = side_by_side(store, lambda part: measured(store, part), block.parts)
    for part, table in zip(block.parts, tables, strict=True):
        _refuse_others(part, table.scores, block.parts[0], tables[0].scores)
    whole = pa.concat_tables(
        table.rows.append_column("part", pa.repeat(pa.scalar(place, pa.uint32()), table.rows.num_rows))
        for place, table in enumerate(tables)
    )
    told = {_SCORES: json.dumps(tables[0].scores)}
    _write(store, block.measured, whole.replace_schema_metadata(told), [])


def _refuse_others(part: PartFiles, names: Sequence[str], first: PartFiles, wanted: Sequence[str]) -> None:
    if list(names) != list(wanted):
        raise ValueError(
            f"the scores of {part.traces} have the columns {', '.join(names)}, those of {first.traces} "
            f"{', '.join(wanted)}; build, so that all have the same checks"
        )


def _write_words(store: Store, block: Block) -> None:
    read = side_by_side(store, lambda part: read_part(store, part), block.parts)
    firsts = np.cumsum([0, *(each.questions.num_rows for each in read)])
    traces = pa.concat_tables(
        each.traces.append_column("question_place", pa.array(each.question_of_trace + first, pa.int32()))
        for each, first in zip(read, firsts[:-1].tolist(), strict=True)
    )
    questions = pa.concat_tables(each.questions for each in read)
    sizes: dict[str, Any] = {
        "traces": [each.traces.num_rows for each in read],
        "questions": [each.questions.num_rows for each in read],
        "image_bytes": [each.image_bytes for each in read],
        "text_bytes": [each.traces["text"].nbytes + each.traces["thought"].nbytes for each in read],
    }
    told = {_SIZES: json.dumps(sizes)}
    _write(store, block.questions, questions, sizes["questions"])
    _write(store, block.traces, traces.replace_schema_metadata(told), sizes["traces"])


def _write(store: Store, name: str, table: pa.Table, counts: Sequence[int]) -> None:
    """A row group for some parts at a time, whose rows are counted; for all without counts."""
    ends = np.cumsum([0, *(counts or [table.num_rows])])
    bounds = sorted({*ends[::PARTS_A_GROUP].tolist(), int(ends[-1])})
    options = {"compression": "lz4", "use_dictionary": _repeating(table)}
    with write_parquet(store, name, table.schema, **options) as writer:
        for low, high in itertools.pairwise(bounds):
            writer.write_table(table.slice(low, high - low), row_group_size=max(high - low, 1))


def _repeating(table: pa.Table) -> list[str]:
    kept = ("video_id", "clip_id", "video", "license", "task", "kind", "source", "teacher", "prompt_id")
    return [name for name in table.column_names if name in kept]
