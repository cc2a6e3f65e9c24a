"""An object store on this machine's disk that takes its time for each request, and remembers them all."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

LATENCY_S = 0.03


class Request(NamedTuple):
    """One request, by a monotonic clock."""

    start_s: float
    end_s: float
    what: str


_requests: list[Request] = []
_lock = threading.Lock()


@contextmanager
def _request(what: str) -> Iterator[None]:
    start = time.monotonic()
    time.sleep(LATENCY_S)
    try:
        yield
    finally:
        with _lock:
            _requests.append(Request(start, time.monotonic(), what))


@contextmanager
def counted_requests() -> Iterator[list[Request]]:
    """The requests that are made inside the block, once it ends."""
    with _lock:
        first = len(_requests)
    found: list[Request] = []
    yield found
    with _lock:
        found += _requests[first:]


def one_after_the_other(requests: list[Request]) -> list[Request]:
    """A longest row of requests none of which began before the one before it had ended."""
    row: list[Request] = []
    for each in sorted(requests, key=lambda each: each.end_s):
        if not row or each.start_s >= row[-1].end_s:
            row.append(each)
    return row


class SlowStore(AbstractFileSystem):
    """`slow:///folder`: what S3 does of fsspec's methods, a folder of this machine behind it."""

    protocol = ("slow", "s3")
    cachable = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._disk = LocalFileSystem()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return "/" + str(path).removeprefix("slow://").strip("/")

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """One listing, whatever its length."""
        with _request(f"ls {path}"):
            return self._disk.ls(self._strip_protocol(path), detail=detail)

    def find(
        self, path: str, maxdepth: Any = None, withdirs: bool = False, detail: bool = False, **_: Any
    ) -> Any:
        """One listing of all that begins so."""
        with _request(f"find {path}"):
            return self._disk.find(self._strip_protocol(path), maxdepth, withdirs, detail=detail)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """One look at a name."""
        with _request(f"info {path}"):
            return self._disk.info(self._strip_protocol(path))

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        """One request, ranged or not."""
        with _request(f"get {path}"):
            return self._disk.cat_file(self._strip_protocol(path), start, end)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """One upload."""
        with _request(f"put {rpath}"):
            self._disk.makedirs(self._parent(self._strip_protocol(rpath)), exist_ok=True)
            self._disk.put_file(lpath, self._strip_protocol(rpath))

    def rm_file(self, path: str) -> None:
        """One deletion."""
        with _request(f"rm {path}"):
            self._disk.rm_file(self._strip_protocol(path))

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """A copy and a deletion, both on the store's side."""
        with _request(f"copy {path1}"), _request(f"rm {path1}"):
            self._disk.makedirs(self._parent(self._strip_protocol(path2)), exist_ok=True)
            self._disk.mv(self._strip_protocol(path1), self._strip_protocol(path2))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Nothing: there are no folders in an object store."""

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return _SlowFile(self, self._strip_protocol(path), mode, **options)


class _SlowFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.cat_file(self.path, start, end)


fsspec.register_implementation("slow", SlowStore, clobber=True)
