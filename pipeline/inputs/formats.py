"""A manifest's bytes (JSONL, CSV, JSON or Parquet) -> its raw rows, numbered as a person would count them."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq


class Cell(NamedTuple):
    """One raw row, or what is wrong with it."""

    number: int
    value: Any
    problem: str | None = None


def _jsonl_cells(content: bytes) -> Iterator[Cell]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield _json_cell(number, line)


def _json_cell(number: int, line: bytes) -> Cell:
    try:
        return Cell(number, json.loads(line))
    except UnicodeDecodeError:
        return Cell(number, None, "not UTF-8 text")
    except (ValueError, RecursionError) as error:
        return Cell(number, None, f"not JSON ({error})")


def _json_cells(content: bytes) -> Iterator[Cell]:
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(value, list):
        raise ValueError(f"a JSON manifest is a list of objects, got {kind_of(value)}")
    for number, item in enumerate(value, start=1):
        yield Cell(number, item)


def _csv_cells(content: bytes) -> Iterator[Cell]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text ({error})") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None) or []
    except csv.Error as error:
        raise ValueError(f"not CSV ({error})") from error
    start = reader.line_num + 1
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            yield Cell(start, None, f"not CSV ({error})")
            return
        if fields is None:
            return
        if fields and len(fields) != len(header):
            yield Cell(start, None, f"the header has {len(header)} columns, this line {len(fields)}")
        elif fields:
            row = dict(zip((name.strip() for name in header), fields, strict=True))
            yield Cell(start, {name: value for name, value in row.items() if value.strip()})
        start = reader.line_num + 1


def _parquet_cells(content: bytes) -> Iterator[Cell]:
    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise ValueError(f"not Parquet ({error})") from error
    number = 0
    for batch in table.to_batches(max_chunksize=1024):
        for item in batch.to_pylist():
            number += 1
            yield Cell(number, item)


class Format(NamedTuple):
    """How one kind of file is read, and what its rows are called."""

    unit: str
    cells: Callable[[bytes], Iterator[Cell]]


FORMATS = {
    "jsonl": Format("line", _jsonl_cells),
    "ndjson": Format("line", _jsonl_cells),
    "json": Format("item", _json_cells),
    "csv": Format("line", _csv_cells),
    "parquet": Format("row", _parquet_cells),
}


def kind_of(value: Any) -> str:
    """A JSON value's kind, for messages."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), "a number")
