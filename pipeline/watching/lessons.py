"""What a person calls a false alarm -> the ticks that the gate is taught by.

What is taught changes nothing of what was noted or learned before: it may come at any time, and a watch that
goes on heeds all that was said until then.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from reelproof.pipeline.disk.renaming import written_then_renamed
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.events_folder import VERDICTS, read_verdicts
from reelproof.schemas.event import Choice, EventTicks
from reelproof.schemas.tick import Tick

TICKS = "ticks"
_MOST_NAMED = 3


class Lessons:
    """The verdicts of a watch, and what stood out in each of its unusual events."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        """`note` hears of what changes, and of what cannot be read, which teaches nothing."""
        self._folder, self._note = folder, note
        self._read_at: tuple[int, int] | None = None
        self.taught: dict[str, EventTicks] = {}
        """By event."""

    def keep(self, event_id: str, start_s: float, end_s: float, ticks: Sequence[Tick]) -> None:
        """What stood out in an unusual event, for the day when somebody calls it wrong."""
        path = self._path(event_id)
        if ticks and not path.exists():
            kept = EventTicks(event_id=event_id, start_s=start_s, end_s=end_s, ticks=tuple(ticks))
            with written_then_renamed(path) as file:
                file.write(kept.model_dump_json().encode() + b"\n")

    def heed(self) -> list[Tick] | None:
        """All that is taught now; None where no verdict came since the last time."""
        path = self._folder / VERDICTS
        status = path.stat() if path.exists() else None
        read_at = (status.st_mtime_ns, status.st_size) if status else None
        if read_at == self._read_at:
            return None
        self._read_at = read_at
        try:
            verdicts = read_verdicts(self._folder)
        except UsageError as error:
            self._note(f"{error}: until then no new verdict is heeded")
            return None
        wrong = [event for event, said in verdicts.items() if said is Choice.WRONG]
        before = set(self.taught)
        self.taught = {event: kept for event in wrong if (kept := self._kept(event)) is not None}
        if lesson := _told_lesson(before, self.taught):
            self._note(lesson)
        return [tick for kept in self.taught.values() for tick in kept.ticks]

    def _kept(self, event_id: str) -> EventTicks | None:
        """None for an event of a question, and for one that an older version told."""
        if event_id in self.taught:
            return self.taught[event_id]
        path = self._path(event_id)
        try:
            return EventTicks.model_validate_json(path.read_bytes()) if path.is_file() else None
        except ValueError:
            self._note(f"{path} is damaged: that its event was called wrong teaches nothing")
            return None

    def _path(self, event_id: str) -> Path:
        return self._folder / TICKS / f"{event_id}.json"


def _told_lesson(before: Collection[str], now: Mapping[str, EventTicks]) -> str:
    """Which events' likes stand out no more, and which do again, in a line for a person."""
    new = [each for event, each in now.items() if event not in before]
    again = len(set(before) - set(now))
    named = "; ".join(map(_named, new[:_MOST_NAMED])) + (" …" if len(new) > _MOST_NAMED else "")
    parts = [f"called wrong, so that what is alike counts as usual: {named}"] if new else []
    parts += [f"{again} not called wrong any more: what is alike stands out again"] if again else []
    return "; ".join(parts)


def _named(kept: EventTicks) -> str:
    measures = Counter(tick.because for tick in kept.ticks)
    return f"{kept.start_s:.1f}–{kept.end_s:.1f} s ({', '.join(name for name, _ in measures.most_common())})"
