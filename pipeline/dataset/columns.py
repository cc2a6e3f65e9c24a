"""The records of published rows and of measurements -> every column of a config, with what it holds."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from reelproof.pipeline.dataset.rows import SAMPLES, table_schema
from reelproof.pipeline.dataset.shard_files import file_schema
from reelproof.schemas.measurements import PoolMeasurements, SetMeasurements
from reelproof.schemas.record import Record, arrow_schema
from reelproof.schemas.settings import captions
from reelproof.stages.measurements import SCORES

_MEASURED: tuple[type[Record], ...] = (*SCORES, SetMeasurements, PoolMeasurements)


class Column(NamedTuple):
    """One column of a config."""

    name: str
    kind: str
    """Its type, in Arrow's words."""
    says: str
    """What it holds."""


def columns_of(config: str) -> tuple[Column, ...]:
    """Every column of a config, in the order of its files."""
    says = column_captions(config)
    measured = [field for record in _MEASURED for field in arrow_schema(record) if field.name != "trace_id"]
    has_frames = "images" in SAMPLES[config].model_fields
    fields = file_schema(table_schema(config, pa.schema(measured)), has_frames)
    return tuple(Column(field.name, _told(field.type), says[field.name]) for field in fields)


def _told(kind: pa.DataType) -> str:
    """A type in a few words: what structs hold is not listed."""
    if pa.types.is_list(kind):
        return f"list of {_told(kind.value_type)}"
    return "struct" if pa.types.is_struct(kind) else str(kind)


@functools.cache
def column_captions(config: str) -> Mapping[str, str]:
    """Column -> what it holds, in a sentence."""
    measured = {name: says for record in _MEASURED for name, says in captions(record).items()}
    return {**measured, **captions(SAMPLES[config])}
