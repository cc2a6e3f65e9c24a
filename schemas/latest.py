"""What was made last -> kept for whoever asks for the same again."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Latest(Generic[K, V]):
    """The `most` things that were asked for last. Safe to ask from several threads, if making is."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[K, V] = {}
        self._lock = Lock()

    def get(self, key: K, make: Callable[[], V], is_kept: Callable[[V], bool] = lambda _: True) -> V:
        """What is held by that key, or else what `make` gives, which is held from now on if `is_kept`."""
        try:
            value = self._held[key]
        except KeyError:
            value = make()
        if is_kept(value):
            with self._lock:
                self._held.pop(key, None)  # so that it stands last
                self._held[key] = value
                while len(self._held) > self._most:
                    del self._held[next(iter(self._held))]
        return value
