"""Work that waits for a disk or an object store -> done side by side, results in order."""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from reelproof.pipeline.disk.store import Store

REQUESTS = 32
"""To an object store at a time: what it takes long to answer, it answers side by side."""

_HEAVY = 4
"""The same of work that holds a hundred megabytes."""

A = TypeVar("A")
B = TypeVar("B")


class Spread(Protocol):
    """How work that holds much in memory is done: in this process, or by a cluster's workers."""

    def __call__(self, work: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """Each item's outcome, in order. The work and the items can be pickled."""
        ...


@dataclass(frozen=True)
class Here:
    """In threads of this process, few at a time."""

    store: Store

    def __call__(self, work: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """Each item's outcome, in order."""
        return side_by_side(self.store, work, items, _HEAVY)


def side_by_side(
    store: Store, work: Callable[[A], B], items: Iterable[A], at_once: int = REQUESTS
) -> list[B]:
    """Each item's outcome, in order; an error of one is raised once those before it are done."""
    waiting = list(items)
    threads = min(len(waiting), (os.cpu_count() or 1) if store.is_local else at_once)
    if threads < 2:
        return [work(each) for each in waiting]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, waiting))


def together(store: Store, *works: Callable[[], Any]) -> list[Any]:
    """What each of several things to do comes to, in order: they are done side by side."""
    return side_by_side(store, lambda work: work(), works)


def begun(work: Callable[[], A]) -> Future[A]:
    """What the work comes to, which a thread does meanwhile; a process that ends does not wait for it."""
    outcome: Future[A] = Future()

    def do() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=do, name="begun", daemon=True).start()
    return outcome
