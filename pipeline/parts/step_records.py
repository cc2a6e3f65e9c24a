"""A file that a step left -> its records; those of small files are held for who reads the same ones next."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

from reelproof.pipeline.disk.store import Store
from reelproof.schemas.latest import Latest
from reelproof.schemas.record import Record
from reelproof.schemas.tables import from_table

R = TypeVar("R", bound=Record)

_SMALL_BYTES = 1 << 20
"""A table of at most so many is held; as records it takes about ten times the room."""
_LATEST = Latest[tuple[object, ...], Iterable[Any]](16)
"""The dozen checks of a part read the same few files, which took longer than their thinking."""


def step_records(store: Store, file: str, record: type[R]) -> Iterator[R]:
    """The records of a file. Raises FileNotFoundError, and Damaged for one that is not as it was written."""

    def read() -> Iterable[R]:
        table = store.read_table(file)
        records = from_table(table, record)
        return records if table.nbytes > _SMALL_BYTES else tuple(records)

    if not store.is_local:
        return iter(read())
    state = os.stat(store.path(file))  # noqa: PTH116 - a build that is made anew leaves other files there
    known = (store.url, file, record, state.st_ino, state.st_mtime_ns, state.st_size)
    return iter(cast("Iterable[R]", _LATEST.get(known, read, lambda found: isinstance(found, tuple))))
