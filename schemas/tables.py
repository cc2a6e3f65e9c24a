"""Records <-> tables: the Arrow schema that follows from a record type, and rows of it."""

import functools
import types
import typing
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, Union

import numpy as np
import pyarrow as pa

from reelproof.schemas.record import Record

_ARROW_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    bytes: pa.binary(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
}
R = TypeVar("R", bound=Record)

_READ_AT_ONCE = 64
"""Rows that are Python's before they are records, which takes more room than the records do."""


@functools.cache
def arrow_schema(record: type[Record], without: tuple[str, ...] = ()) -> pa.Schema:
    """The Arrow schema of a record type: one column a field, in order; only `X | None` may be null.

    `without` names fields, dotted where they lie deeper, that are left at their defaults and have no column.
    Raises TypeError for a field whose type has no Arrow form (dicts, unions, …).
    """
    return pa.schema(_arrow_fields(record, without))


def leaf_paths(schema: pa.Schema) -> list[str]:
    """Parquet's dotted names of all leaf columns, in order."""
    return [path for field in schema for path in _leaves(field.name, field.type)]


def to_table(records: Iterable[R], record: type[R], schema: pa.Schema | None = None) -> pa.Table:
    """Records -> a table with `arrow_schema(record)`, or one of fewer columns, one row each."""
    rows = [_plain(each) for each in records]
    return pa.Table.from_pylist(rows, schema=schema or arrow_schema(record))


def from_table(table: pa.Table, record: type[R]) -> Iterator[R]:
    """The way back: one record per row. Raises pydantic.ValidationError where a row is not such a record."""
    for batch in table.to_batches(max_chunksize=_READ_AT_ONCE):
        for row in batch.to_pylist():
            yield record.model_validate(row)


def _leaves(name: str, kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_list(kind):
        yield from _leaves(f"{name}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", field.type)
    else:
        yield name


def _arrow_fields(record: type[Record], without: Collection[str] = ()) -> list[pa.Field]:
    return [
        _arrow_field(
            name,
            field.rebuild_annotation(),
            [each.removeprefix(f"{name}.") for each in without if each.startswith(f"{name}.")],
        )
        for name, field in record.model_fields.items()
        if name not in without
    ]


def _arrow_field(name: str, annotation: Any, without: Collection[str] = ()) -> pa.Field:
    inner, nullable = _without_none(annotation)
    return pa.field(name, _arrow_type(inner, without), nullable=nullable)


def _arrow_type(annotation: Any, without: Collection[str] = ()) -> pa.DataType:
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return pa.string()
    if origin is tuple:
        element, ellipsis = typing.get_args(annotation)
        if ellipsis is not Ellipsis:
            raise TypeError(f"only tuple[X, ...] has an Arrow form, got {annotation}")
        return pa.list_(_arrow_field("element", element))
    if isinstance(annotation, type):
        if annotation is np.ndarray:  # a Series
            return pa.list_(pa.field("element", pa.float32(), nullable=False))
        if annotation in _ARROW_SCALARS:
            return _ARROW_SCALARS[annotation]
        if issubclass(annotation, StrEnum):
            return pa.string()
        if issubclass(annotation, Record):
            return pa.struct(_arrow_fields(annotation, without))
    raise TypeError(f"no Arrow form for type {annotation}; use scalars, tuple[X, ...], Series or records")


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    inner = [each for each in typing.get_args(annotation) if each is not type(None)]
    if len(inner) != 1:
        raise TypeError(f"only `X | None` has an Arrow form, got {annotation}")
    return inner[0], True


def _plain(value: Any) -> Any:
    """A record as nested dicts for Arrow, its arrays left as arrays (no Python float a frame)."""
    if isinstance(value, Record):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
