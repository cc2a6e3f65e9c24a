"""A manifest's bytes and numbers of some of its rows -> the same file with only those, as they came."""

import io
import json
from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.parquet as pq

from reelproof.pipeline.inputs.formats import as_utf8, csv_record, written_as


def keep_rows(name: str, content: bytes, numbers: Collection[int]) -> bytes:
    """The file with the rows of these numbers, counted as `read_video_list` does; `name` has its ending.

    Lines stay byte for byte, save that UTF-16 becomes UTF-8; a JSON list and a Parquet file are written anew
    with the same values.
    """
    content = as_utf8(content)
    return _KEEPERS[written_as(name, content)](content, frozenset(numbers))


def _lines(content: bytes, numbers: Collection[int]) -> bytes:
    lines = content.split(b"\n")
    kept = [line for number, line in enumerate(lines, start=1) if number in numbers]
    return b"".join(line + b"\n" for line in kept)


def _text_lines(content: bytes, numbers: Collection[int]) -> bytes:
    lines = content.decode("utf-8", errors="surrogateescape").splitlines()
    kept = [line for number, line in enumerate(lines, start=1) if number in numbers]
    return "".join(line + "\n" for line in kept).encode("utf-8", errors="surrogateescape")


def _json_items(content: bytes, numbers: Collection[int]) -> bytes:
    items = json.loads(content.decode())
    kept = [item for number, item in enumerate(items, start=1) if number in numbers]
    return (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode("utf-8", errors="surrogatepass")


def _csv_lines(content: bytes, numbers: Collection[int]) -> bytes:
    lines = list(io.StringIO(content.decode(), newline=""))
    _, start = csv_record(lines, 0)
    kept = lines[:start]
    while start < len(lines):
        _, end = csv_record(lines, start)
        kept += lines[start:end] if start + 1 in numbers else []
        start = end
    return "".join(line if line.endswith(("\n", "\r")) else line + "\n" for line in kept).encode()


def _parquet_rows(content: bytes, numbers: Collection[int]) -> bytes:
    table = pq.read_table(pa.BufferReader(content))
    written = io.BytesIO()
    places = pa.array(sorted(number - 1 for number in numbers), pa.int64())
    pq.write_table(table.take(places), written, compression="zstd")
    return written.getvalue()


_KEEPERS: dict[str, Callable[[bytes, Collection[int]], bytes]] = {
    "jsonl": _lines,
    "ndjson": _lines,
    "json": _json_items,
    "csv": _csv_lines,
    "tsv": _csv_lines,
    "parquet": _parquet_rows,
    "txt": _text_lines,
}
