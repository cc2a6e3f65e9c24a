"""The records of published rows and of measurements -> every column, with what it holds."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from reelproof.pipeline.dataset.rows import SAMPLES, table_schema
from reelproof.pipeline.dataset.shard_files import file_schema
from reelproof.schemas.measurements import OVER_ALL
from reelproof.schemas.settings import captions
from reelproof.schemas.tables import arrow_schema
from reelproof.stages.measurements import SCORES


class Column(NamedTuple):
    """One column of a config."""

    name: str
    kind: str
    """Its type, in Arrow's words."""
    says: str
    """What it holds."""


def columns_of(config: str) -> tuple[Column, ...]:
    """Every column that a config may have, in the order of its files; those of a step are there with it."""
    says = column_captions(config)
    measured = [field for record in SCORES for field in arrow_schema(record) if field.name != "trace_id"]
    has_frames = "images" in SAMPLES[config].model_fields
    fields = file_schema(table_schema(config, pa.schema(measured)), has_frames)
    return tuple(Column(field.name, _told(field.type), says[field.name]) for field in fields)


def measured_over_all() -> tuple[Column, ...]:
    """What policies know of a trace beside these, from all parts together. It is in no shard: each of them
    would be written anew whenever the set grows.
    """
    return tuple(
        Column(field.name, _told(field.type), captions(record)[field.name])
        for record in OVER_ALL
        for field in arrow_schema(record)
    )


def _told(kind: pa.DataType) -> str:
    """A type in a few words: what structs hold is not listed."""
    if pa.types.is_list(kind):
        return f"list of {_told(kind.value_type)}"
    return "struct" if pa.types.is_struct(kind) else str(kind)


@functools.cache
def column_captions(config: str) -> Mapping[str, str]:
    """Column -> what it holds, in a sentence."""
    measured = {name: says for record in SCORES for name, says in captions(record).items()}
    return {**measured, **captions(SAMPLES[config])}
