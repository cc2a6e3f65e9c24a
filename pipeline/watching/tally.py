"""What a watch did, counted as it goes -> status.json, which anyone may read meanwhile."""

import json
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reelproof.pipeline.disk.renaming import written_then_renamed
from reelproof.schemas.event import Event, TickAnswer
from reelproof.schemas.tick import Tick

STATUS = "status.json"
_EVERY_S = 2.0


class Tally:
    """Counts of one run of a watch; its events are those of all runs."""

    def __init__(self, folder: Path, source: str, model: str) -> None:
        self._file, self._source, self._model = folder / STATUS, source, model
        self._counts: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._lags: deque[float] = deque(maxlen=10_000)
        self._written = 0.0
        self._stream_s = 0.0
        self.goes_on = False
        """Whether an earlier run of this watch saw some of it."""
        self.outages, self.removed = 0, 0
        self.taught = 0
        """Events that a person called wrong, whose like is usual."""
        self.missed_s = 0.0
        """Of a live stream, between its connections."""

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count of status.json, such as `dropped_ticks`."""
        self._counts[what] += number

    def recall(self, tick: Tick) -> None:
        """Take up where an earlier run of this watch got to."""
        self._stream_s, self.goes_on = tick.end_s, True

    def recall_events(self, events: Iterable[Event]) -> None:
        """Take up the events that earlier runs of this watch logged."""
        self._events.update(each.question for each in events)

    def saw(self, tick: Tick) -> None:
        """Count a tick that was looked at, with its frames."""
        self._counts["frames"] += tick.frame_count
        self._counts["ticks"] += 1
        self._counts["asked"] += tick.is_asked
        self._stream_s = tick.end_s

    def answered(self, answer: TickAnswer, tick: Tick | None, window_s: float) -> None:
        """A question was answered, or will not be."""
        self._counts["answers"] += bool(answer.votes)
        self._counts["votes"] += len(answer.votes)
        self._counts["not_borne_out"] += bool(answer.belief) and not answer.is_borne_out
        if tick is not None:
            self._counts["late"] += answer.answered_at - tick.arrived_at > window_s

    def logged(self, event: Event) -> None:
        """Count an event, and how late it was told."""
        self._events[event.question] += 1
        self._lags.append(event.lag_s)

    def told(self, open_: Sequence[str] = (), is_over: bool = False) -> dict[str, Any]:
        """All of it, as JSON has it."""
        lags = sorted(self._lags)
        return {
            "source": self._source,
            "model": self._model,
            "state": "ended" if is_over else "watching",
            "stream_s": round(self._stream_s, 3),
            "events": dict(self._events),
            "open": list(open_),
            **dict(sorted(self._counts.items())),
            "taught": self.taught,
            "missed_s": round(self.missed_s, 3),
            "model_outages": self.outages,
            "files_removed": self.removed,
            "lag_p50_s": lags[len(lags) // 2] if lags else None,
            "lag_p95_s": lags[min(int(0.95 * len(lags)), len(lags) - 1)] if lags else None,
            "written_at": round(time.time(), 3),
        }

    def write(self, open_: Sequence[str], is_over: bool = False) -> None:
        """Replace status.json, at most every few seconds."""
        if not is_over and time.monotonic() - self._written < _EVERY_S:
            return
        self._written = time.monotonic()
        with written_then_renamed(self._file) as file:
            file.write(json.dumps(self.told(open_, is_over), indent=1, ensure_ascii=False).encode() + b"\n")
