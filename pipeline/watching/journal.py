"""What was seen and answered, a line each, before anything follows from it.

A watch that was killed at any moment and begins again knows it all, and does nothing twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeVar

from reelproof.pipeline.disk.json_lines import read_lines
from reelproof.schemas.event import TickAnswer
from reelproof.schemas.record import Record
from reelproof.schemas.tick import Tick

R = TypeVar("R", bound=Record)
Noted = Tick | TickAnswer
_TICKS_A_SEGMENT = 4096
_TO_DO = "it is damaged, or of another version of reelproof: go on with that one, or name another --out"


class LineFile:
    """An append-only file of records, one a line; one that nobody finished writing is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def read(self, record: type[R]) -> Iterator[R]:
        """Every whole line. Raises UsageError for one that is no such record."""
        yield from read_lines(self.path, record, _TO_DO)

    def append(self, record: Record, lasting: bool = False) -> None:
        """Write a line; it outlives the death of this process, and where it is `lasting` a power cut."""
        if self._file is None:
            self.mend()
            self._file = self.path.open("ab", buffering=0)
        self._file.write(record.model_dump_json().encode() + b"\n")
        if lasting:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """It can be appended to again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def mend(self) -> None:
        """Without the line that nobody finished."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            data = self.path.read_bytes()
            if not data.endswith(b"\n"):
                with self.path.open("r+b") as file:
                    file.truncate(data.rfind(b"\n") + 1)


class _Line(Record):
    """Either of what a journal holds."""

    tick: Tick | None = None
    answer: TickAnswer | None = None


class Journal:
    """Ticks and answers in the order in which they came, in segments; old ones go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments = [LineFile(path) for path in sorted(folder.glob("*.jsonl"))]
        for each in self._segments:
            each.mend()
        self._ticks = 0

    def read(self) -> Iterator[Noted]:
        """Everything that it holds."""
        for segment in self._segments:
            self._ticks = 0
            for line in segment.read(_Line):
                self._ticks += line.tick is not None
                noted = line.tick or line.answer
                if noted is not None:
                    yield noted

    def note(self, noted: Noted) -> None:
        """Write a tick or an answer down, behind what is there."""
        if not self._segments:
            self._begin_segment()
        is_tick = isinstance(noted, Tick)
        self._ticks += is_tick
        self._segments[-1].append(_Line(tick=noted) if isinstance(noted, Tick) else _Line(answer=noted))

    def may_forget(self, before_s: float) -> None:
        """Nothing is open: what comes next begins a segment if this one is full, and old segments go."""
        if self._ticks < _TICKS_A_SEGMENT:
            return
        self._begin_segment()
        while len(self._segments) > 2 and _ends_before(self._segments[1], before_s):
            self._segments.pop(0).path.unlink()

    def close(self) -> None:
        """It can be read, and noted in, again."""
        for each in self._segments:
            each.close()

    def _begin_segment(self) -> None:
        if self._segments:
            self._segments[-1].close()
        number = int(self._segments[-1].path.stem) + 1 if self._segments else 1
        self._segments.append(LineFile(self._folder / f"{number:06d}.jsonl"))
        self._ticks = 0


def _ends_before(segment: LineFile, time_s: float) -> bool:
    """Whether a segment begins before then, so that the one before it ends before."""
    first = next(segment.read(_Line), None)
    return first is not None and first.tick is not None and first.tick.start_s < time_s
