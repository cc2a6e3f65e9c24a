"""A manifest's bytes (JSONL, CSV, JSON, Parquet, text) -> raw rows, numbered as a person would count them."""

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
    lines = list(io.StringIO(text, newline=""))
    header, start = csv_record(lines, 0)
    if isinstance(header, str):
        raise ValueError(header)
    names = [name.strip() for name in header]
    while start < len(lines):
        fields, end = csv_record(lines, start)
        if not isinstance(fields, str) and fields and len(fields) != len(names):
            fields, end = f"the header has {len(names)} columns, this line {len(fields)}", start + 1
        if isinstance(fields, str):
            yield Cell(start + 1, None, fields)
        elif fields:
            row = dict(zip(names, fields, strict=True))
            yield Cell(start + 1, {name: value for name, value in row.items() if value.strip()})
        start = end


def csv_record(lines: list[str], start: int) -> tuple[list[str] | str, int]:
    """The record that begins at a line, or what is wrong with it; and the line where the next one begins.

    A quote that is opened and never closed costs its own line alone: those that it would swallow are read
    again.
    """
    reader = csv.reader((lines[place] for place in range(start, len(lines))), strict=True)
    try:
        fields = next(reader, [])
    except csv.Error as error:
        return f"not CSV ({error})", start + 1
    return fields, start + max(reader.line_num, 1)


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


def _charades_cells(content: bytes) -> Iterator[Cell]:
    """`VIDEO start end##sentence`, a line each. Source: Charades-STA (arXiv 1705.02101)."""
    for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
        video, _, sentence = line.partition("##")
        named = video.split()
        try:
            start_s, end_s = map(float, named[1:])
        except ValueError:
            sentence = ""
        if line.strip() and sentence.strip():
            value = {"video": named[0], "timestamp": [start_s, end_s], "sentence": sentence.strip()}
            yield Cell(number, value)
        elif line.strip():
            yield Cell(number, None, "a line is `VIDEO start end##sentence`, as Charades-STA has it")


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
    "txt": Format("line", _charades_cells),
}


def is_manifest(place: str) -> bool:
    """Whether a path or URL is that of a manifest, by its ending, and not of videos or of a build."""
    return place.rpartition(".")[2].casefold() in FORMATS


def kind_of(value: Any) -> str:
    """A JSON value's kind, for messages."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), "a number")
