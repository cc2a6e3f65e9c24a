"""Some parts of a block and their verdicts -> published rows, in Arrow columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.dataset.blocks import PARTS_A_GROUP, Block, PartSizes
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.dataset.prompt_rows import Places, lists, turns
from reelproof.pipeline.dataset.rows import Frames, Rows, read_frames, table_schema
from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.answers.forms import AS_ASKED, as_asked
from reelproof.schemas.question import Task

_OF_TRACES = ("request_id", "prompt_id", "teacher", "text", "thought", "prediction", "claims")


_OF_PAIRS = ("request_id", "teacher", "text", "thought", "prediction")
_FORM = "answer_form"


class Piece(NamedTuple):
    """Rows of a shard that are read together: they are of one block, and of parts that follow each other."""

    block: Block
    sizes: PartSizes
    """Of all the block's parts."""
    parts: range
    """Their places in the block."""
    rows: Places
    """Counted from the block's first trace; in the order in which they are written."""
    told: pl.DataFrame
    """`reasons` why each is not in `sft`, and `pair_reason`."""
    chosen: Places | None = None
    """In `dpo`, the row that each is held against."""


def read_rows(store: Store, piece: Piece, config: str, scores: pa.Schema, policy: str) -> Rows:
    """A piece's rows as a config publishes them; `policy` is its name."""
    schema = table_schema(config, scores)
    reads: list[Callable[[], Any]] = [
        lambda: _read_groups(store, piece, piece.block.traces, _wanted(schema, config), piece.sizes.traces),
        lambda: _read_groups(store, piece, piece.block.questions, _asked(schema), piece.sizes.questions),
        lambda: read_columns(
            store, piece.block.measured, [each for each in scores.names if each in (*schema.names, _FORM)]
        ),
    ]
    (traces, first), (questions, before), measured = side_by_side(store, lambda read: read(), reads)
    rows = piece.rows - first
    own = traces["question_place"].to_numpy()[rows] - before
    columns = _taken(questions, own, schema) | _taken(measured, piece.rows, schema)
    if config == "rl":
        columns["sample_id"] = columns["question_id"]
    elif piece.chosen is not None:
        columns |= _pairs(piece.chosen, piece.rows, first, traces, measured, columns)
        columns["pair_reason"] = piece.told["pair_reason"].to_arrow().cast(pa.string())
    else:
        columns |= _taken(traces, rows, schema)
        columns["sample_id"] = columns["request_id"]
    if config == "sft":
        columns["completion"] = _as_turns(_in_asked_form(columns))
        columns["text"] = pc.if_else(_differs(columns), columns["text"], None)
    columns["policy"] = pa.repeat(pa.scalar(policy), len(rows))
    columns["reasons"] = piece.told["reasons"].to_arrow().cast(pa.list_(pa.string()))
    frames = None if config == "rejected" else _frames(store, piece, questions, own)
    return Rows(pa.table([columns[name] for name in schema.names], schema=schema), frames)


def _wanted(schema: pa.Schema, config: str) -> list[str]:
    """Columns of the traces file that a config's rows are made of."""
    if config == "rl":
        return ["question_place"]
    if config == "dpo":
        return ["question_place", *_OF_PAIRS]
    named = [name for name in _OF_TRACES if name in schema.names]
    return ["question_place", *named]


def _asked(schema: pa.Schema) -> list[str]:
    """Columns that the questions file may give; what it does not hold is left out there."""
    return [name for name in schema.names if name not in _OF_TRACES]


def _read_groups(
    store: Store, piece: Piece, name: str, columns: Sequence[str], counts: Places
) -> tuple[pa.Table, int]:
    """The row groups that hold the piece's parts, and the number of their first row in the block."""
    low = piece.parts.start // PARTS_A_GROUP
    groups = range(low, (piece.parts.stop - 1) // PARTS_A_GROUP + 1)
    rows = np.add.reduceat(counts, np.arange(0, len(counts), PARTS_A_GROUP))
    there = np.cumsum(rows > 0) - 1  # groups without rows are not in the file
    with open_parquet(store, name) as file:
        held = [each for each in columns if each in file.schema_arrow.names]
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
    return {name: taken[name].combine_chunks() for name in wanted}


def _pairs(
    chosen: Places,
    rejected: Places,
    first: int,
    traces: pa.Table,
    measured: pa.Table,
    asked: Mapping[str, pa.Array],
) -> dict[str, pa.Array]:
    """What sets the two traces of each pair apart. `traces` begin with the block's row `first`."""
    columns: dict[str, pa.Array] = {}
    for side, rows in (("chosen", chosen), ("rejected", rejected)):
        taken = traces.select(_OF_PAIRS).take(rows - first)
        trace = {name: taken[name].combine_chunks() for name in _OF_PAIRS}
        form = measured[_FORM].take(rows).combine_chunks()
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
