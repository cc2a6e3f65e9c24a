"""The frames that a part's questions show -> a mapping of them that does not grow with the films."""

import threading
from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import NamedTuple

IN_MEMORY_BYTES = 32 << 20
"""About 1,300 frames; further ones are read from a file that nobody else sees, as they are asked about."""


class _Place(NamedTuple):
    start: int
    length: int


class FrameShelf(Mapping[str, bytes]):
    """sha256 -> JPEG bytes, from any number of threads."""

    def __init__(self, in_memory_bytes: int = IN_MEMORY_BYTES) -> None:
        self._file = SpooledTemporaryFile(max_size=in_memory_bytes)  # noqa: SIM115  # closed in __del__
        self._places: dict[str, _Place] = {}
        self._one_at_a_time = threading.Lock()

    def put(self, sha256: str, jpeg: bytes) -> None:
        """Add a frame, unless it is there."""
        with self._one_at_a_time:
            if sha256 not in self._places:
                self._places[sha256] = _Place(self._file.seek(0, 2), len(jpeg))
                self._file.write(jpeg)

    def __getitem__(self, sha256: str) -> bytes:
        """The bytes that were put there. Raises KeyError."""
        place = self._places[sha256]
        with self._one_at_a_time:
            self._file.seek(place.start)
            return self._file.read(place.length)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __del__(self) -> None:
        self._file.close()
