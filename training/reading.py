"""Questions -> what the network takes of them, decoded by a thread of its own, ahead of whoever needs it."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from reelproof.training.batches import Inputs, read_row
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.shards import Example


class Reader:
    """Reads each question once for as long as it is kept, whichever thread asks for it."""

    def __init__(self, processor: Any, cfg: PromptConfig) -> None:
        self._processor, self._cfg = processor, cfg
        self._thread = ThreadPoolExecutor(1)  # one: processors are not made for several
        self._rows: dict[str, Future[Inputs]] = {}
        self._lock = Lock()

    def begin(self, examples: Iterable[Example]) -> None:
        """Read them while the caller does something else."""
        for each in examples:
            self._being_read(each)

    def read(self, example: Example) -> Inputs:
        """A question as the network takes it. Raises what reading it raised."""
        return self._being_read(example).result()

    def close(self) -> None:
        """Read nothing that is not begun; who asks then gets RuntimeError."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def keep(self, examples: Iterable[Example]) -> None:
        """Let go of all others."""
        names = {each.question_id for each in examples}
        with self._lock:
            self._rows = {name: row for name, row in self._rows.items() if name in names}

    def _being_read(self, example: Example) -> Future[Inputs]:
        name = example.question_id
        with self._lock:
            if name not in self._rows:
                self._rows[name] = self._thread.submit(read_row, self._processor, example, self._cfg)
            return self._rows[name]
