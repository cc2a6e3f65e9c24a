"""Work of a step over all parts -> tasks of the cluster in one of whose workers the step runs."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distributed import worker_client

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class ByWorkers:
    """The step waits beside its worker's threads, so that its own worker takes tasks as well."""

    def __call__(self, work: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """Each item's outcome, in order. Tasks name no resource: the step holds its worker's."""
        if len(items) < 2:
            return [work(each) for each in items]
        attempt = uuid.uuid4().hex
        keys = [f"piece-{attempt}{place:08x}" for place in range(len(items))]
        with worker_client() as client:
            found: list[B] = client.gather(client.map(work, items, key=keys, pure=False))
        return found
