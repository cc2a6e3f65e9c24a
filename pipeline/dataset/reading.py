"""A build's folder, or a dataset's own, in any store -> the dataset, open for reading."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, TypeVar

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from reelproof.pipeline.disk.sealed import remote_parquet
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.published import Published, open_published

B = TypeVar("B")


def open_dataset(store: Store) -> Published:
    """The dataset that lies there. Raises DatasetError, which is a UsageError, where there is none."""
    return open_published(_StoreFiles(store))


@dataclass(frozen=True)
class _StoreFiles:
    """A store's files, as readers of datasets ask for them."""

    store: Store

    @property
    def place(self) -> str:
        return self.store.url

    def path(self, name: str) -> str | None:
        return self.store.path(name) if self.store.is_local else None

    def read_bytes(self, name: str) -> bytes:
        return self.store.read_bytes(name)

    def open_read(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return self.store.open_read(name)

    def open_parquet(self, name: str) -> pq.ParquetFile:
        if self.store.is_local:
            return pq.ParquetFile(self.store.path(name), filesystem=pafs.LocalFileSystem())
        return pq.ParquetFile(remote_parquet(self.store, name)[1])

    def each(self, work: Callable[[str], B], names: Sequence[str]) -> list[B]:
        return side_by_side(self.store, work, names)
