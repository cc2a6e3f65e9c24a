"""Files of this machine under a temporary name until they are whole, and what a dead writer left of them."""

import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

from reelproof.pipeline.errors import NO_ROOM

TEMPORARY = ".tmp-"
_counter = itertools.count()
_host = socket.gethostname()


@contextmanager
def written_then_renamed(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file that is there, whole, once the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(temporary_name())
    try:
        with temporary.open("x+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, outlives a power cut
    finally:
        os.close(folder)


def temporary_name() -> str:
    """One that no other file has, and that tells who writes it."""
    return f"{TEMPORARY}{os.getpid()}-{threading.get_ident()}-{next(_counter)}-{_host}"


def writer_is_dead(leftover: Path) -> bool:
    """Whether the process that wrote it is gone; that of another machine counts as gone after a day."""
    pid, _, _, host = leftover.name.removeprefix(TEMPORARY).split("-", 3)
    written_s = leftover.stat().st_mtime
    if host != _host:
        return time.time() - written_s > 86_400
    try:
        return psutil.Process(int(pid)).create_time() > written_s + 1  # another process has its number now
    except psutil.NoSuchProcess:
        return True


def full_errno(error: BaseException | None) -> int:
    """The number by which an error, or one it came from, says that there is no room; 0 where none does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return error.errno or 0
        error = error.__cause__ or error.__context__
    return 0
