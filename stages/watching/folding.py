"""Ticks and answers as they were noted -> events that open and close, whatever order the answers come in."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reelproof.schemas.event import UNUSUAL, TickAnswer
from reelproof.schemas.tick import Tick
from reelproof.stages.watching.hysteresis import HysteresisConfig, Scored, Stretch, step


class Change(NamedTuple):
    """That an event opened or closed."""

    is_over: bool
    question: str
    stretch: Stretch


@dataclass
class _Line:
    """One question, or what is unusual, along the ticks."""

    cfg: HysteresisConfig
    open: Stretch | None = None
    waiting: deque[Scored] = field(default_factory=deque)
    scores: dict[int, float] = field(default_factory=dict)

    def step(self, question: str) -> Iterator[Change]:
        """As far as scores are known."""
        while self.waiting and self.waiting[0].number in self.scores:
            tick = self.waiting.popleft()
            tick = tick._replace(score=self.scores.pop(tick.number))
            self.open, opened, closed = step(self.open, tick, self.cfg)
            if closed is not None:
                yield Change(True, question, closed)
            if opened is not None:
                yield Change(False, question, opened)

    @property
    def oldest(self) -> int | None:
        """The first tick that may still be part of an event to come."""
        first = [self.open.first] if self.open else []
        first += [self.waiting[0].number] if self.waiting else []
        return min(first, default=None)


class Fold:
    """Events of one watch. The same notes give the same events, however often they are gone through."""

    def __init__(
        self,
        unusual: HysteresisConfig | None,
        questions: Mapping[str, HysteresisConfig],
        window_s: float,
        needs_evidence: bool,
    ) -> None:
        """`unusual` is null where such events are not told; windows of questions are `window_s` long."""
        self._window_s, self._needs_evidence = window_s, needs_evidence
        self._lines = {UNUSUAL: _Line(unusual)} if unusual else {}
        self._lines |= {text: _Line(cfg) for text, cfg in questions.items()}

    def see(self, tick: Tick) -> Iterator[Change]:
        """The next tick."""
        for question, line in self._lines.items():
            is_about_window = question != UNUSUAL
            start_s = max(tick.end_s - self._window_s, 0.0) if is_about_window else tick.start_s
            line.waiting.append(Scored(tick.number, start_s, tick.end_s, 0.0))
            if not is_about_window:
                line.scores[tick.number] = tick.stands_out
            elif not tick.is_asked:
                line.scores[tick.number] = 0.0
            yield from line.step(question)

    def hear(self, answer: TickAnswer) -> Iterator[Change]:
        """An answer about a tick that was seen."""
        line = self._lines.get(answer.question)
        if line is None:
            return
        holds = answer.is_borne_out or not self._needs_evidence
        line.scores[answer.tick] = answer.belief if holds else 0.0
        yield from line.step(answer.question)

    def end(self) -> Iterator[Change]:
        """The stream is over."""
        for question, line in self._lines.items():
            if line.open is not None:
                yield Change(True, question, line.open)
                line.open = None

    @property
    def open_questions(self) -> tuple[str, ...]:
        """Of which an event goes on, as far as is known."""
        return tuple(question for question, line in self._lines.items() if line.open is not None)

    @property
    def oldest(self) -> int | None:
        """The first tick that is still needed; null where nothing is open and nothing waits."""
        return min((each for line in self._lines.values() if (each := line.oldest) is not None), default=None)
