"""How many workers a cluster has, look by look -> one line where none has been there for a minute."""

import time
from collections.abc import Callable

SAID_AFTER_S = 60.0


class Absence:
    """Says it once each time that all workers are gone; the build waits for others to come."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._since_s: float | None = None
        self._is_said = False

    def look(self, workers: int, scheduler: str, now_s: float | None = None) -> None:
        """So many are there now, of the scheduler at that address."""
        now_s = time.monotonic() if now_s is None else now_s
        if workers:
            self._since_s, self._is_said = None, False
            return
        self._since_s = now_s if self._since_s is None else self._since_s
        if not self._is_said and now_s - self._since_s >= SAID_AFTER_S:
            self._is_said = True
            self._say(
                f"no worker is there, and none came for {now_s - self._since_s:.0f} s: start some with "
                f"`dask worker {scheduler}`, and the build goes on; Ctrl-C ends it, and nothing is lost"
            )
