"""A store of which one command is the only writer -> the same store, small files read once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from reelproof.pipeline.disk.store import Store

_REMEMBERED_BYTES = 1_000_000
"""What a larger file holds is not kept in memory."""
_MOST_BYTES = 64_000_000
"""Of all files together."""


@dataclass(frozen=True)
class RememberingStore(Store):
    """Not for a command whose workers write as well: their writes it would not see. Folders ask the disk."""

    @cached_property
    def _known(self) -> dict[str, bytes]:
        return {}

    def read_bytes(self, name: str) -> bytes:
        """All of a file, in one request the first time. Raises FileNotFoundError."""
        if self.is_local:
            return super().read_bytes(name)
        if name not in self._known:
            return self._remember(name, super().read_bytes(name))
        return self._known[name]

    @contextmanager
    def open_write(self, name: str) -> Iterator[IO[bytes]]:
        """As any store does; what was known of the file is not true any more."""
        try:
            with super().open_write(name) as stream:
                yield stream
        finally:
            self._known.pop(name, None)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, or replace it, at once."""
        super().write_bytes(name, content)
        if not self.is_local:
            self._remember(name, content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        super().remove(name)
        self._known.pop(name, None)

    def _remember(self, name: str, content: bytes) -> bytes:
        held = sum(map(len, self._known.values()))
        if len(content) <= _REMEMBERED_BYTES and held + len(content) <= _MOST_BYTES:
            self._known[name] = content
        return content
