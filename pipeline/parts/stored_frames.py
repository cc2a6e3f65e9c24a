"""Files that hold frames: the footage, and questions about edited ones -> their hashes and JPEG bytes."""

from collections.abc import Collection, Iterator
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


class StoredFrames(NamedTuple):
    """A step's file, and the column of lists in which its frames lie."""

    path: str
    column: str

    @classmethod
    def of_footage(cls, path: str) -> Self:
        """The frames that `footage` kept of films, in its file at `path`."""
        return cls(path, "candidates")

    @classmethod
    def of_edited(cls, path: str) -> Self:
        """The frames that `edited` made for questions, in its file at `path`."""
        return cls(path, "frames")

    @property
    def hashes(self) -> str:
        """Parquet's name of the leaf column that holds their sha256."""
        return f"{self.column}.list.element.frame.sha256"

    @property
    def jpegs(self) -> str:
        """… and of the one that holds their JPEG bytes."""
        return f"{self.column}.list.element.jpeg"

    def flat(self, table: pa.Table) -> pa.Array:
        """The frames of all rows, one after the other, with what was read of each."""
        return pc.list_flatten(table[self.column].combine_chunks())

    def counts(self, metadata: pq.FileMetaData) -> npt.NDArray[np.int64]:
        """How many frames each of the file's row groups holds."""
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        columns = [[group.column(place) for place in range(group.num_columns)] for group in groups]
        leaves = [leaf for group in columns for leaf in group if leaf.path_in_schema == self.hashes]
        return np.array([leaf.num_values for leaf in leaves], dtype=np.int64)

    def found(self, file: pq.ParquetFile, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """sha256 and JPEG bytes of the wanted ones that the file holds, one row group at a time."""
        names = pa.array(sorted(wanted), pa.string())
        for group in range(file.num_row_groups):
            frames = self.flat(file.read_row_group(group, columns=[self.hashes, self.jpegs]))
            hashes = pc.struct_field(frames, ["frame", "sha256"])
            hit = pc.is_in(hashes, value_set=names)
            jpegs = pc.struct_field(frames, "jpeg").filter(hit)
            yield from zip(hashes.filter(hit).to_pylist(), jpegs.to_pylist(), strict=True)
