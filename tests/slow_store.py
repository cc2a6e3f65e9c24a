"""An object store on this machine's disk that keeps count of the rounds that its requests take.

No time passes and nothing waits for another thread: what a pool of threads would do side by side is done one
after the other, on a clock that is set back for each. So the count is the same on a busy machine.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from reelproof.pipeline.disk import side_by_side

A = TypeVar("A")
B = TypeVar("B")


class Request(NamedTuple):
    """One request: the round in which it was made, and what for."""

    round: int
    what: str


class Rounds:
    """Requests as they are made. Each takes one round; so the last round is how many followed each other."""

    def __init__(self) -> None:
        self.now = 0
        self.requests: list[Request] = []
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        """One more request, begun when the one before it had ended."""
        with self._lock:
            self.now += 1
            self.requests.append(Request(self.now, what))

    def longest(self) -> list[Request]:
        """One request of each round."""
        return sorted({each.round: each for each in self.requests}.values())


_rounds = Rounds()


@contextmanager
def counted_rounds() -> Iterator[Rounds]:
    """The rounds of requests inside the block."""
    global _rounds
    _rounds = Rounds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "ThreadPoolExecutor", _Threads)
        yield _rounds


class _Threads:
    """A pool of threads, of which each takes the next item as soon as it has done the one before."""

    def __init__(self, threads: int) -> None:
        self._free = [_rounds.now] * threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _rounds.now = max(self._free)

    def map(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Each item's outcome, in order."""
        for each in items:
            thread = self._free.index(min(self._free))
            _rounds.now = self._free[thread]
            yield work(each)
            self._free[thread] = _rounds.now


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
        _rounds.count(f"ls {path}")
        return self._disk.ls(self._strip_protocol(path), detail=detail)

    def find(
        self, path: str, maxdepth: Any = None, withdirs: bool = False, detail: bool = False, **_: Any
    ) -> Any:
        """One listing of all that begins so."""
        _rounds.count(f"find {path}")
        return self._disk.find(self._strip_protocol(path), maxdepth, withdirs, detail=detail)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """One look at a name."""
        _rounds.count(f"info {path}")
        return self._disk.info(self._strip_protocol(path))

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        """One request, ranged or not."""
        _rounds.count(f"get {path}")
        return self._disk.cat_file(self._strip_protocol(path), start, end)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """One upload."""
        _rounds.count(f"put {rpath}")
        self._disk.makedirs(self._parent(self._strip_protocol(rpath)), exist_ok=True)
        self._disk.put_file(lpath, self._strip_protocol(rpath))

    def rm_file(self, path: str) -> None:
        """One deletion."""
        _rounds.count(f"rm {path}")
        self._disk.rm_file(self._strip_protocol(path))

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """A copy on the store's side."""
        _rounds.count(f"copy {path1}")
        self._disk.makedirs(self._parent(self._strip_protocol(path2)), exist_ok=True)
        self._disk.cp_file(self._strip_protocol(path1), self._strip_protocol(path2))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Nothing: there are no folders in an object store."""

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return _SlowFile(self, self._strip_protocol(path), mode, **options)


class _SlowFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.cat_file(self.path, start, end)


fsspec.register_implementation("slow", SlowStore, clobber=True)
