"""A manifest's bytes (JSON, JSONL, CSV, Parquet, text) -> raw rows, numbered as a person would count them."""

import codecs
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


def as_utf8(content: bytes) -> bytes:
    """Without a mark of the order of bytes, and in UTF-8 what Excel and PowerShell save in UTF-16.

    Raises ValueError for UTF-16 that breaks off.
    """
    if content[2:] and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="surrogatepass").encode("utf-8", errors="surrogatepass")
    return content.removeprefix(codecs.BOM_UTF8)


def written_as(name: str, content: bytes) -> str:
    """The name in `FORMATS` by which a file is read: its ending, unless JSON's two kinds changed theirs.

    Many sets call lines of objects `.json`, some a list `.jsonl`. Raises ValueError for another ending.
    """
    ending = name.rpartition(".")[2].casefold()
    if ending not in FORMATS:
        raise ValueError(f"a manifest ends in {', '.join(f'.{each}' for each in FORMATS)}, got {name!r}")
    first, _, further = content.strip().partition(b"\n")
    if ending == "json" and first.startswith(b"{") and further and _is_json(first):
        return "jsonl"
    if ending in ("jsonl", "ndjson") and first.startswith(b"[") and _is_json(content):
        return "json"
    return ending


def _is_json(content: bytes) -> bool:
    return _json_cell(1, content).problem is None


def _jsonl_cells(content: bytes) -> Iterator[Cell]:
    for number, line in enumerate(content.split(b"\n"), start=1):
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
        value = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(value, list):
        raise ValueError(f"a JSON manifest is a list of objects, got {_told_lists(value)}")
    for number, item in enumerate(value, start=1):
        yield Cell(number, item)


def _told_lists(value: Any) -> str:
    lists = (
        [name for name, held in value.items() if isinstance(held, list)] if isinstance(value, dict) else []
    )
    found = f", with a list in {' and in '.join(map(repr, lists))}: write that to a file" if lists else ""
    return kind_of(value) + found


def _csv_cells(content: bytes) -> Iterator[Cell]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text ({error}); save it as UTF-8") from error
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

    Between fields stands what the header has most of: a comma, a tab or a semicolon. A quote that is opened
    and never closed costs its own line alone: those that it would swallow are read again.
    """
    between = max(",\t;", key=lines[0].count) if lines else ","
    reader = csv.reader((lines[place] for place in range(start, len(lines))), strict=True, delimiter=between)
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
    "tsv": Format("line", _csv_cells),
    "parquet": Format("row", _parquet_cells),
    "txt": Format("line", _charades_cells),
}


def kind_of(value: Any) -> str:
    """A JSON value's kind, for messages."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), "a number")
