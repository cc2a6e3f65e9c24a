"""Requests to a server and its answers -> for how long it has owed one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Owing:
    """Counts from the first request that is open, or from the last answer while others are."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._open = 0
        self._since_s: float | None = None

    @contextmanager
    def asked(self) -> Iterator[None]:
        """One request is open for as long as the block lasts; what it raises is no answer."""
        self._open += 1
        if self._since_s is None:
            self._since_s = self._now()
        try:
            yield
        finally:
            self._open -= 1

    def answered(self) -> None:
        """An answer came: what is open is owed from now on."""
        self._since_s = self._now() if self._open else None

    def seconds(self, left_alone: bool) -> float:
        """0 where it owes nothing: all is answered, or was taken away. `left_alone` after faults, it does."""
        since_s = self._since_s
        return self._now() - since_s if since_s is not None and (self._open or left_alone) else 0.0
