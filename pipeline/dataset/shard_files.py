"""Rows -> one Parquet shard: JPEGs stored once a row group, text compressed, laid out for the Hub."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelproof.pipeline.dataset.prompt_rows import Places
from reelproof.pipeline.dataset.rows import Frames, Rows, nullable
from reelproof.schemas.sample import SftSample
from reelproof.schemas.tables import arrow_schema, leaf_paths

VERSION = 6
"""Bumped when the same rows come out as other bytes."""

IMAGE_ROWS = 100
"""Rows of a row group with images: what the Hub's viewer reads to show one of them."""
TEXT_ROWS = 20_000
"""Rows of a row group without: about those of a block, so that none of its rows wait for the next one's."""
GROUP_BYTES = 100_000_000
"""Of a row group in memory, each row with all its frames; the Hub's viewer gives up at 300 MB."""
WRITTEN_AT_ONCE_BYTES = 1_000_000
"""Pages gather to this before Python is asked to write and hash them; Parquet's writer calls for each one."""
FLUSH_BYTES = 16_000_000
"""At the end of a part, rows that take less than this wait for those of the next part."""

JPEG = "images.list.element.bytes"
LONG_TEXT = frozenset(
    (
        "text",
        "thought",
        "completion.list.element.content.list.element.text",
        "chosen.list.element.content.list.element.text",
        "rejected.list.element.content.list.element.text",
        "question",
        "request_id",
        "sample_id",
        "claims.list.element.text",
    )
)
"""Leaf columns that hardly repeat: not dictionary encoded."""
WITHOUT_STATISTICS = (
    "images.",
    "prompt.",
    "completion.",
    "chosen.",
    "rejected.",
    "text",
    "thought",
    "question",
    "options.",
    "claims.",
    "evidence.",
    "frame_sha256.",
)
_DICTIONARY_BYTES = 256_000_000
"""Page limit of a dictionary; beyond it Parquet falls back to storing a frame once for each row."""
_VALUES_AT_ONCE = 16_384
"""Values of a column that Parquet's writer lays out together: with its 1,024 lists take a tenth more time."""
_CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
"""Where pages end; the Hub looks for this in a file's metadata, as `datasets` leaves it there."""
_IMAGES = nullable(arrow_schema(SftSample).field("images").type)


class WrittenShard(NamedTuple):
    """A finished file."""

    rows: int
    size_bytes: int
    sha256: str


class ShardWriter:
    """Writes one shard, row groups as they fill. Its bytes follow from the rows and their order alone."""

    def __init__(self, path: Path, schema: pa.Schema, with_images: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema = file_schema(schema, with_images)
        self._sink = _HashingFile(path)
        self._buffer = pa.BufferedOutputStream(pa.PythonFile(self._sink, "w"), WRITTEN_AT_ONCE_BYTES)
        self._parquet = _open_parquet(self._buffer, self._schema)
        self._waiting: list[Rows] = []
        self._waiting_rows, self._waiting_bytes, self._waiting_size = 0, 0, 0
        self._rows = 0

    def add(self, rows: Rows) -> None:
        """Take a part's rows; whatever makes less than a row group of `FLUSH_BYTES` waits for more."""
        ends, start, taken_bytes = np.cumsum(_row_bytes(rows)), 0, 0
        while start < rows.table.num_rows:
            count = self._room(rows, ends[start:] - taken_bytes)
            if not count:
                self._flush()
                continue
            piece = _own_frames(rows.between(start, start + count))
            self._waiting.append(piece)
            self._waiting_rows += count
            self._waiting_size += _size(piece)
            self._waiting_bytes += int(ends[start + count - 1]) - taken_bytes
            start, taken_bytes = start + count, int(ends[start + count - 1])
        if self._waiting_size >= FLUSH_BYTES:
            self._flush()

    def close(self) -> WrittenShard:
        """Write the rest. A shard without rows is a file, too."""
        self._flush()
        self._parquet.close()
        self._buffer.close()
        self._sink.close()
        return WrittenShard(self._rows, self._sink.size_bytes, self._sink.sha256.hexdigest())

    def abandon(self) -> None:
        """Let go of a file that is not to be finished; nothing happens to one that is."""
        self._sink.discards = True
        self._parquet.close()
        self._buffer.close()
        self._sink.close()

    def _room(self, rows: Rows, ends: Places) -> int:
        """How many rows more the row group takes, given how many bytes they come to one after the other."""
        fitting = int(np.searchsorted(ends, GROUP_BYTES - self._waiting_bytes, side="right"))
        room = min(fitting, self._limit(rows) - self._waiting_rows, len(ends))
        return max(room, 0 if self._waiting else 1)

    def _limit(self, rows: Rows) -> int:
        shows = any(each.frames is not None and len(each.frames.places) for each in (rows, *self._waiting))
        return IMAGE_ROWS if shows else TEXT_ROWS

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.concat_tables([each.table for each in self._waiting])
        frames = [each.frames for each in self._waiting if each.frames is not None]
        if frames:
            table = table.append_column("images", _images(frames))
        self._parquet.write_table(table.select(self._schema.names), row_group_size=table.num_rows)
        self._rows += table.num_rows
        self._waiting = []
        self._waiting_rows, self._waiting_bytes, self._waiting_size = 0, 0, 0


class _HashingFile:
    """A file that knows the hash of what was written to it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.sha256 = hashlib.sha256()
        self.size_bytes = 0
        self.discards = False
        """Take what comes and write nothing."""

    @property
    def closed(self) -> bool:
        return self._file.closed

    def write(self, data: Any) -> int:
        if self.discards:
            return len(data)
        self.sha256.update(data)
        self.size_bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def file_schema(schema: pa.Schema, with_images: bool) -> pa.Schema:
    """A config's columns as its files have them."""
    if not with_images:
        return schema
    return schema.insert(schema.get_field_index("prompt"), pa.field("images", _IMAGES))


def hub_features(schema: pa.Schema) -> dict[str, Any]:
    """The columns as `datasets` describes them; `images` decode."""
    image_list = {"_type": "List", "feature": {"_type": "Image"}}
    return {each.name: image_list if each.name == "images" else _feature(each.type) for each in schema}


def _open_parquet(sink: pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    leaves = leaf_paths(schema)
    measured = {field.name for field in schema if pa.types.is_floating(field.type)}  # hardly repeats, either
    writer = pq.ParquetWriter(
        sink,
        _stored(schema),
        compression={leaf: "none" if leaf == JPEG else "zstd" for leaf in leaves},
        use_dictionary=[leaf for leaf in leaves if leaf not in LONG_TEXT and leaf not in measured],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_statistics=[leaf for leaf in leaves if not leaf.startswith(WITHOUT_STATISTICS)],
        write_page_index=True,
        write_batch_size=_VALUES_AT_ONCE,
        use_content_defined_chunking=_CHUNKING,
        store_schema=False,  # it would say that images are dictionaries, which is how they are handed over
    )
    features = {"info": {"features": hub_features(schema)}}
    marks = {"huggingface": features, "content_defined_chunking": _CHUNKING}
    writer.add_key_value_metadata({name: json.dumps(mark) for name, mark in marks.items()})
    return writer


def _stored(schema: pa.Schema) -> pa.Schema:
    place = schema.get_field_index("images")
    if place < 0:
        return schema
    image = pa.struct(
        [pa.field("bytes", pa.dictionary(pa.int32(), pa.binary())), pa.field("path", pa.string())]
    )
    return schema.set(place, pa.field("images", pa.list_(pa.field("element", image))))


def _own_frames(rows: Rows) -> Rows:
    """The same rows, holding on to no other frames than theirs."""
    if rows.frames is None:
        return rows
    held, places = np.unique(rows.frames.places, return_inverse=True)
    return Rows(rows.table, Frames(rows.frames.offsets, places, rows.frames.jpegs.take(pa.array(held))))


def _images(pieces: list[Frames]) -> pa.Array:
    """Frames of consecutive rows -> list<struct<bytes, path>>, each distinct JPEG once in a dictionary."""
    firsts = np.cumsum([0, *(len(each.jpegs) for each in pieces)])
    places = np.concatenate([each.places + first for each, first in zip(pieces, firsts, strict=False)])
    jpegs = pa.concat_arrays([_array(each.jpegs) for each in pieces]).dictionary_encode()
    indices = jpegs.indices.take(pa.array(places))
    encoded = pa.DictionaryArray.from_arrays(indices, jpegs.dictionary)
    images = pa.StructArray.from_arrays(
        [encoded, pa.nulls(len(encoded), pa.string())], names=["bytes", "path"]
    )
    counts = np.concatenate([np.diff(each.offsets) for each in pieces])
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, images, type=pa.list_(pa.field("element", images.type)))


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _row_bytes(rows: Rows) -> Places:
    """(rows,) bytes in memory: of text what rows have on average, of frames each row's own."""
    counted = np.full(rows.table.num_rows, rows.table.nbytes // max(rows.table.num_rows, 1))
    if rows.frames is None:
        return counted
    lengths = pc.binary_length(rows.frames.jpegs).to_numpy(zero_copy_only=False)
    shown = np.concatenate([[0], np.cumsum(lengths[rows.frames.places], dtype=np.int64)])
    taken: Places = counted + shown[rows.frames.offsets[1:]] - shown[rows.frames.offsets[:-1]]
    return taken


def _size(rows: Rows) -> int:
    jpegs = 0 if rows.frames is None else rows.frames.jpegs.nbytes
    return int(rows.table.nbytes + jpegs)


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    names = {"double": "float64"}
    return {"_type": "Value", "dtype": names.get(str(kind), str(kind))}
