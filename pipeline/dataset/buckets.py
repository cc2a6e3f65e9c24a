"""Rows that come part by part -> buckets that each hold in memory, with all rows of a key in the same one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import polars as pl
import pyarrow as pa


class Buckets:
    """Rows in temporary files, one per bucket, until they are asked for; a single bucket stays in memory.

    Rows of a bucket keep the order in which they were added. Which bucket a key falls in tells nothing.
    """

    def __init__(self, count: int) -> None:
        self._count = max(1, count)
        self._only: list[pl.DataFrame] = []
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="reelproof-buckets-")
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._folder.cleanup()

    def add(self, rows: pl.DataFrame, key: str) -> None:
        """Put each row into the bucket of its key."""
        if self._count == 1:
            self._only.append(rows)
            return
        placed = rows.with_columns((pl.col(key).hash() % self._count).alias("_bucket"))
        for (bucket,), few in placed.partition_by("_bucket", as_dict=True, include_key=False).items():
            table = few.to_arrow(compat_level=pl.CompatLevel.oldest())
            if bucket not in self._writers:
                self._writers[bucket] = pa.ipc.new_stream(self._file(bucket), table.schema)
            self._writers[bucket].write_table(table)

    def each(self) -> Iterator[pl.DataFrame]:
        """The rows of one bucket after the other. Nothing can be added any more."""
        self._close()
        if self._only:
            yield pl.concat(self._only)
        for bucket in sorted(self._writers):
            with pa.OSFile(self._file(bucket)) as file:
                yield pl.DataFrame(pa.ipc.open_stream(file).read_all())

    def _file(self, bucket: int) -> str:
        return str(Path(self._folder.name, f"{bucket}.arrows"))

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
