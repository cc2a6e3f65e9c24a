"""A folder or an fsspec URL -> files that are there whole or not at all, whoever dies while writing them."""

import errno
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psutil
import pyarrow as pa
from filelock import FileLock, Timeout
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from reelproof.pipeline.disk.renaming import (
    TEMPORARY,
    full_errno,
    temporary_name,
    writer_is_dead,
    written_then_renamed,
)
from reelproof.pipeline.disk.sealed import read_table, write_parquet
from reelproof.pipeline.errors import BuildFailed, UsageError

MARKER = ".reelproof/about"
_LOCK, _OWNER = ".reelproof/lock", ".reelproof/owner"
_OWNED_BY = re.compile(r"process (?P<pid>\d+) on (?P<host>.*)")
ABOUT = b"reelproof keeps this folder; see recipe.yaml for what it holds.\n"
_NO_MARK = frozenset(("lock", "owner"))
_MAY_BE_THERE = frozenset((".reelproof", "lost+found", ".DS_Store"))
_PUT_IS_ATOMIC = frozenset(
    ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "cos", "r2", "hf", "oci", "swift")
)
_host = socket.gethostname()


class DiskFull(BuildFailed):
    """The store takes no more; whoever met it has left nothing half-written."""


class StoreInUseError(UsageError):
    """Another process holds the store."""


@dataclass(frozen=True)
class Store:
    """One folder of files, named by paths relative to it. Cheap to make and to send to another process."""

    url: str

    @cached_property
    def fs(self) -> Any:
        """Its fsspec file system. Raises UsageError for a URL that this installation cannot open."""
        return self._opened[0]

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, so that files can be renamed, locked and appended to."""
        return isinstance(self.fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """A file's path as `fs` knows it; an absolute one where the store is local."""
        root, inner = self._opened[1], "" if name == "." else name.removeprefix("./")
        return f"{root}/{inner}" if inner else root

    def exists(self, name: str) -> bool:
        """Whether the file is there, whole."""
        return os.path.exists(self.path(name)) if self.is_local else bool(self.fs.exists(self.path(name)))  # noqa: PTH110

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders in a folder, in order; empty where there is none."""
        try:
            if self.is_local:
                paths = os.listdir(self.path(folder))  # noqa: PTH208 - folders of parts hold thousands
            else:
                paths = self.fs.ls(self.path(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = {path.rstrip("/").rpartition("/")[2] for path in paths}
        return sorted(name for name in names if name and not name.startswith(TEMPORARY))

    def sizes(self, folder: str) -> dict[str, int]:
        """Name within the folder -> bytes, of every file in it and in its folders: one listing."""
        root = self.path(folder)
        if self.is_local:
            found = (Path(place, name) for place, _, names in os.walk(root) for name in names)
            return {str(path.relative_to(root)): path.stat().st_size for path in found}
        listed = self.fs.find(root, detail=True)
        return {
            path.rstrip("/").removeprefix(f"{root}/"): int(info["size"] or 0) for path, info in listed.items()
        }

    def read_bytes(self, name: str) -> bytes:
        """All of a file, in one request. Raises FileNotFoundError."""
        return (
            Path(self.path(name)).read_bytes() if self.is_local else bytes(self.fs.cat_file(self.path(name)))
        )

    def read_json(self, name: str) -> Any:
        """A JSON file's value."""
        return json.loads(self.read_bytes(name))

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A Parquet file's table; `columns` are dotted names of leaves or of whole columns.

        Raises FileNotFoundError, and Damaged for a file that is not as it was written.
        """
        return read_table(self, name, columns)

    @contextmanager
    def open_read(self, name: str) -> Iterator[IO[bytes]]:
        """A seekable binary stream. Raises FileNotFoundError."""
        with self.fs.open(self.path(name), "rb") as stream:
            yield stream.f if self.is_local else stream

    @contextmanager
    def open_write(self, name: str) -> Iterator[IO[bytes]]:
        """A binary stream; the file is there, whole, once the block ends well, and untouched if it does not.

        Raises DiskFull where there is no room.
        """
        try:
            if self.is_local:
                with written_then_renamed(Path(self.path(name))) as stream:
                    yield stream
            else:
                with tempfile.NamedTemporaryFile(prefix="reelproof-put-") as spool:
                    yield spool.file
                    spool.flush()
                    self._put(spool.name, self.path(name))
        except OSError as error:
            if not full_errno(error):
                raise
            raise DiskFull(
                f"no room to write {name} in {self.url} ({os.strerror(full_errno(error))}); what was there "
                "before is kept, nothing half-written is left: make room, then run the same command again"
            ) from error

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, or replace it, at once."""
        with self.open_write(name) as stream:
            stream.write(content)

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table as Parquet, with its checksum."""
        with write_parquet(self, name, table.schema, compression="zstd") as writer:
            writer.write_table(table)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def remove_folder(self, name: str) -> None:
        """Remove a folder with all that is in it, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm(self.path(name), recursive=True)

    def move(self, name: str, target: str) -> None:
        """Put a finished file where another one may be; a store of objects does it on its own side."""
        if self.is_local:
            Path(self.path(target)).parent.mkdir(parents=True, exist_ok=True)
            Path(self.path(name)).replace(self.path(target))
        elif self._put_is_atomic:
            self.fs.cp_file(self.path(name), self.path(target))
            self.fs.rm_file(self.path(name))
        else:
            self.fs.makedirs(self.path(target).rpartition("/")[0], exist_ok=True)
            self.fs.mv(self.path(name), self.path(target))

    def claim(self) -> None:
        """Make the folder ours, or find that it is.

        Raises UsageError where it holds something else, is a file, or cannot be written.
        """
        with self._refusals_explained():
            if not (self.exists(MARKER) and self.read_bytes(MARKER) == ABOUT):
                self.require_free()
                self.write_bytes(MARKER, ABOUT)

    def require_free(self) -> None:
        """Raises UsageError where the folder holds something that is not ours, or is a file."""
        with self._refusals_explained():
            if not _NO_MARK.issuperset(self.names(".reelproof")):  # ours, be its mark as it was or not
                return
            others = [name for name in self.names("") if name not in _MAY_BE_THERE]
            if others or (self.is_local and Path(self.path("")).is_file()):
                shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "") or "it is a file"
                raise UsageError(
                    f"{self.url} is no build of reelproof's and not empty ({shown}); "
                    "name a new or an empty folder, so that nothing of yours is touched"
                )

    def is_deserted(self) -> bool:
        """Whether the process that held it last was one of this machine, and is gone."""
        found = _OWNED_BY.fullmatch(self._owner()) if self.is_local else None
        return found is not None and found["host"] == _host and not psutil.pid_exists(int(found["pid"]))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the store alone; the kernel lets go when the process dies. Temporary files of the dead are
        removed.

        An object store has no locks: there, two builds at once do the same work twice, and the files come
        out the same. Raises StoreInUseError, naming the process that holds it.
        """
        if not self.is_local:
            yield
            return
        lock = FileLock(self.path(_LOCK), timeout=0)
        try:
            with self._refusals_explained():
                Path(self.path(_LOCK)).parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
        except Timeout:
            raise StoreInUseError(
                f"{self.url} is in use by {self._owner()}; wait for it, or stop it first"
            ) from None
        try:
            self.write_bytes(_OWNER, f"process {os.getpid()} on {_host}".encode())
            self.remove_leftovers()
            yield
        finally:
            lock.release()

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        try:
            self.url.encode()
            fs, root = url_to_fs(self.url, use_listings_cache=False)
        except UnicodeEncodeError:
            raise UsageError(
                f"{self.url}: its name is not UTF-8 here; name another, or where the locale is at fault "
                "(LC_ALL=C), set PYTHONUTF8=1"
            ) from None
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.url} cannot be opened: {error}") from error
        return fs, root.rstrip("/")

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}

    @contextmanager
    def _refusals_explained(self) -> Iterator[None]:
        """What keeps us from writing at all, as a UsageError."""
        try:
            yield
        except (UsageError, BuildFailed, Timeout):
            raise
        except (FileExistsError, NotADirectoryError) as error:
            raise UsageError(f"{self.url} cannot be made: a file is in the way ({error})") from error
        except OSError as error:
            if self.is_local and error.errno == errno.EROFS:
                raise UsageError(f"{self.url} is on a read-only file system; name another folder") from error
            raise UsageError(f"{self.url} cannot be written ({error}); name a folder of yours") from error
        except Exception as error:
            if self.is_local:
                raise
            what = f"{type(error).__name__}: {error}"  # object stores have errors of their own
            raise UsageError(f"{self.url} cannot be reached ({what})") from error

    def _owner(self) -> str:
        try:
            return self.read_bytes(_OWNER).decode()
        except OSError:
            return "another process"

    @property
    def _put_is_atomic(self) -> bool:
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)
        return bool(protocols & _PUT_IS_ATOMIC)

    def _put(self, local: str, path: str) -> None:
        if self._put_is_atomic:
            self.fs.put_file(local, path)  # no folders there, and making one would make the bucket
            return
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        temporary = str(PurePosixPath(path).with_name(temporary_name()))
        self.fs.put_file(local, temporary)
        self.fs.mv(temporary, path)

    def remove_leftovers(self) -> None:
        """Remove what writers that are dead had not finished; on an object store there is nothing of it."""
        for folder, _, names in os.walk(self.path("")) if self.is_local else ():
            for name in names:
                with suppress(OSError):
                    if name.startswith(TEMPORARY) and writer_is_dead(leftover := Path(folder, name)):
                        leftover.unlink()
