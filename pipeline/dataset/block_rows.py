"""Some parts of a block and their verdicts -> published rows, in Arrow columns."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.dataset.blocks import PARTS_A_GROUP, Block, PartSizes
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.dataset.prompt_rows import Places, lists, turns
from reelproof.pipeline.dataset.rows import Frames, Rows, read_frames, table_schema
from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.side_by_side import together
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.answers.forms import AS_ASKED, as_asked
from reelproof.schemas.question import Task

KEYS = ("trace_id", "clip_id", "video_id")
"""By which a block's rows are put in order and into splits."""
_OF_TRACES = ("request_id", "prompt_id", "teacher", "text", "thought", "prediction", "claims")
_OF_PAIRS = ("request_id", "teacher", "text", "thought", "prediction")
_FORM = "answer_form"


class Piece(NamedTuple):
    """Rows of a shard that are read together: they are of one block, and of parts that follow each other."""

    block: Block
    parts: range
    """Their places in the block."""
    rows: Places
    """Counted from the block's first trace; in the order in which they are written."""
    told: pl.DataFrame
    """`reasons` why each is not in `sft`, and `pair_reason`."""
    chosen: Places | None = None
    """In `dpo`, the row that each is held against."""


class Words(NamedTuple):
    """What was read of some parts of a block: all that rows of some configs are made of but frames."""

    traces: pa.Table
    first: int
    """The first of the traces, counted from the block's."""
    questions: pa.Table
    before: int
    """The same of the questions."""
    measured: pa.Table
    """Scores of all the block's traces."""
    keys: pl.DataFrame
    """`KEYS` of the same."""


def read_words(
    store: Store, block: Block, sizes: PartSizes, parts: range, configs: Collection[str], scores: pa.Schema
) -> Words:
    """Read what configs need of a block's parts; `sizes` are of all its parts."""
    schemas = {config: table_schema(config, scores) for config in configs}
    names = {name for schema in schemas.values() for name in schema.names}
    traced = {name for config, schema in schemas.items() for name in _wanted(schema, config)}
    scored = [each for each in scores.names if each in (*names, _FORM)]
    (traces, first), (questions, before), measured = together(
        store,
        lambda: _read_groups(store, block.traces, traced, parts, sizes.traces),
        lambda: _read_groups(store, block.questions, names.difference(_OF_TRACES), parts, sizes.questions),
        lambda: read_columns(store, block.measured, (*KEYS, *scored)),
    )
    keys = pl.DataFrame(measured.select(KEYS))
    return Words(traces, first, questions, before, measured.select(scored), keys)


def rows_of(store: Store, words: Words, piece: Piece, config: str, scores: pa.Schema, policy: str) -> Rows:
    """A piece's rows as a config publishes them; `policy` is its name. Frames are read from the store."""
    schema = table_schema(config, scores)
    traces, measured = words.traces, words.measured
    rows = piece.rows - words.first
    own = traces["question_place"].to_numpy()[rows] - words.before
    columns = _taken(words.questions, own, schema) | _taken(measured, piece.rows, schema)
    if config == "rl":
        columns["sample_id"] = columns["question_id"]
    elif piece.chosen is not None:
        columns |= _pairs(piece.chosen, piece.rows, words, columns)
        columns["pair_reason"] = piece.told["pair_reason"].to_arrow().cast(pa.string())
    else:
        columns |= _taken(traces, rows, schema)
        columns["sample_id"] = columns["request_id"]
    if config == "sft":
        columns["completion"] = _as_turns(_in_asked_form(columns))
        columns["text"] = pc.if_else(_differs(columns), columns["text"], None)
    columns["policy"] = pa.repeat(pa.scalar(policy), len(rows))
    columns["reasons"] = piece.told["reasons"].to_arrow().cast(pa.list_(pa.string()))
    frames = None if config == "rejected" else _frames(store, piece, words.questions, own)
    return Rows(pa.table([columns[name] for name in schema.names], schema=schema), frames)


def _wanted(schema: pa.Schema, config: str) -> list[str]:
    """Columns of the traces file that a config's rows are made of."""
    if config == "rl":
        return ["question_place"]
    if config == "dpo":
        return ["question_place", *_OF_PAIRS]
    named = [name for name in _OF_TRACES if name in schema.names]
    return ["question_place", *named]


def _read_groups(
    store: Store, name: str, columns: Collection[str], parts: range, counts: Places
) -> tuple[pa.Table, int]:
    """The row groups that hold the parts, of columns that the file has, and their first row's place in it."""
    low = parts.start // PARTS_A_GROUP
    groups = range(low, (parts.stop - 1) // PARTS_A_GROUP + 1)
    rows = np.add.reduceat(counts, np.arange(0, len(counts), PARTS_A_GROUP))
    there = np.cumsum(rows > 0) - 1  # groups without rows are not in the file
    with open_parquet(store, name) as file:
        held = [each for each in file.schema_arrow.names if each in columns]
        table = file.read_row_groups([int(there[each]) for each in groups if rows[each]], columns=held)
    return table.combine_chunks(), int(rows[:low].sum())


def _frames(store: Store, piece: Piece, questions: pa.Table, rows: Places) -> Frames:
    """The frames that the rows show, each question's read once."""
    asked, of_row = np.unique(rows, return_inverse=True)
    shown = questions["frame_sha256"].take(asked).combine_chunks()
    offsets = shown.offsets.to_numpy().astype(np.int64)
    hashes = shown.values.slice(offsets[0], offsets[-1] - offsets[0])
    parts = [piece.block.parts[place] for place in piece.parts]
    return read_frames(store, parts, hashes, offsets - offsets[0]).of(of_row)


def _taken(table: pa.Table, rows: Places, schema: pa.Schema) -> dict[str, pa.Array]:
    """Rows of those columns that a schema has."""
    wanted = [name for name in table.column_names if name in schema.names]
    taken = table.select(wanted).take(rows)
    return {name: _in_one_piece(taken[name]) for name in wanted}


def _in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """A column's values; `combine_chunks` copies them even where there is nothing to combine."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _pairs(
    chosen: Places, rejected: Places, words: Words, asked: Mapping[str, pa.Array]
) -> dict[str, pa.Array]:
    """What sets the two traces of each pair apart."""
    columns: dict[str, pa.Array] = {}
    for side, rows in (("chosen", chosen), ("rejected", rejected)):
        taken = words.traces.select(_OF_PAIRS).take(rows - words.first)
        trace = {name: _in_one_piece(taken[name]) for name in _OF_PAIRS}
        form = _in_one_piece(words.measured[_FORM].take(rows))
        columns[side] = _as_turns(_in_asked_form({**asked, **trace, _FORM: form}))
        columns |= {f"{side}_{name}": trace[name] for name in ("request_id", "teacher", "prediction")}
    ids = (columns["chosen_request_id"], columns["rejected_request_id"])
    columns["sample_id"] = pc.binary_join_element_wise(*ids, "-")
    return columns


def _in_asked_form(columns: Mapping[str, pa.Array]) -> pa.Array:
    """What traces said in the form that was asked for."""
    other = _differs(columns)
    places = np.flatnonzero(other.to_numpy(zero_copy_only=False))
    names = ("thought", "prediction", "task", "options")
    told = zip(*(columns[name].take(places).to_pylist() for name in names), strict=True)
    rewritten = [
        as_asked(thought, predicted, Task(task), options) for thought, predicted, task, options in told
    ]
    return pc.replace_with_mask(columns["text"], other, pa.array(rewritten, pa.string()))


def _differs(columns: Mapping[str, pa.Array]) -> pa.Array:
    """Whether traces came in another form than was asked for."""
    return pc.not_equal(columns[_FORM], AS_ASKED)


def _as_turns(texts: pa.Array) -> pa.Array:
    """One message of one text each."""
    kind = pa.repeat(pa.scalar("text"), len(texts))
    parts = pa.StructArray.from_arrays([kind, texts], names=["type", "text"])
    return turns("assistant", lists(np.arange(len(texts) + 1), parts))
