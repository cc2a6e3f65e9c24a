"""Completions -> what they cost: calls, reuse, tokens, tokens per second, time left, money."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Self

from reelproof.schemas.chat import Completion
from reelproof.schemas.record import Record
from reelproof.stages.teachers.protocol import CountsInFlight, Teacher, TeacherPrice


class TeacherUse(Record):
    """What one step of one part, or a whole run, asked of its teachers. Adds up."""

    calls: int = 0
    """Completions that a model was asked for; failures among them."""
    reused: int = 0
    """Completions taken from the log, which cost nothing."""
    failed: int = 0
    """Of the calls, those that ended in a lasting failure."""
    last_failure: str | None = None
    """What was told of the last of those."""
    retries: int = 0
    """How often they were asked again after a passing fault: the server erred, hung or went away."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of the calls alone: what was reused was paid for before."""
    cost: float | None = None
    """Of the calls, each at its own teacher's price, in the price's currency; None where none has a price."""
    latency_s: float = 0
    """Of the calls together: divided by the seconds they took, how many were in flight on average."""
    asked_from_s: float | None = None
    """Unix time of the first call."""
    asked_until_s: float | None = None
    """Unix time of the last answer."""

    def __add__(self, other: Self) -> Self:
        """Both together: counts add up, the time runs from the earlier start to the later end."""
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in type(self).model_fields}
        return type(self)(**{name: _joined(name, values) for name, values in pairs.items()})

    @property
    def needed(self) -> int:
        """Completions that the work took, whether they were asked for or in the log."""
        return self.calls + self.reused

    @property
    def seconds(self) -> float:
        """From the first call to the last answer; 0 where nothing was asked."""
        if self.asked_from_s is None or self.asked_until_s is None:
            return 0.0
        return self.asked_until_s - self.asked_from_s


class StepUse(Record):
    """What one step took in all the parts that it went through. Adds up."""

    step: str
    parts: int = 0
    videos: int = 0
    """In those parts."""
    seconds: float = 0
    """Of its tasks together; several run side by side."""
    use: TeacherUse = TeacherUse()

    def __add__(self, other: Self) -> Self:
        """Both together. The step is the same."""
        return type(self)(
            step=self.step,
            parts=self.parts + other.parts,
            videos=self.videos + other.videos,
            seconds=self.seconds + other.seconds,
            use=self.use + other.use,
        )

    @property
    def seconds_a_video(self) -> float | None:
        """Of a task's time; None where no part is through."""
        return self.seconds / self.videos if self.videos else None

    @property
    def needed_a_video(self) -> float | None:
        """Completions; None where no part is through."""
        return self.use.needed / self.videos if self.videos else None


@dataclass
class UseCounter:
    """The running count of one step of one part; `use` is its record so far."""

    use: TeacherUse = field(default_factory=TeacherUse)
    failures: int = 0
    """Completions that are none, from the log as well."""
    waiting: int = 0
    """Completions asked for and not there yet, those in flight among them."""
    film_s: float = 0
    """Seconds of film scanned."""
    film_of_s: float = 0
    """… of so many that those begun declare."""
    teachers: list[CountsInFlight] = field(default_factory=list)
    """Those that are asked, where they stand behind servers."""
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    """Several teachers answer side by side."""

    def expect(self, completions: int) -> None:
        """So many more are asked for."""
        with self._one_at_a_time:
            self.waiting += completions

    def watch(self, teacher: Teacher) -> None:
        """Have what it has in flight counted as well."""
        if isinstance(teacher, CountsInFlight):
            self.teachers.append(teacher)

    def count_reused(self, completion: Completion) -> None:
        """The use of a completion that was in the log: nothing was asked."""
        self._add(completion, TeacherUse(reused=1))

    def count_answer(
        self,
        completion: Completion,
        asked_at_s: float,
        answered_at_s: float,
        price: TeacherPrice | None = None,
    ) -> None:
        """One call's answer, with the Unix times of asking and answering."""
        use = TeacherUse(
            calls=1,
            failed=completion.error is not None,
            last_failure=completion.error,
            retries=completion.retries,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            cost=price.of(completion.prompt_tokens, completion.completion_tokens) if price else None,
            latency_s=completion.latency_s,
            asked_from_s=asked_at_s,
            asked_until_s=answered_at_s,
        )
        self.expect(-1)
        self._add(completion, use)

    def _add(self, completion: Completion, use: TeacherUse) -> None:
        with self._one_at_a_time:
            self.failures += completion.error is not None
            self.use += use


def total_use(uses: Iterable[TeacherUse]) -> TeacherUse:
    """The sum of several uses."""
    return sum(uses, start=TeacherUse())


def by_step(uses: Iterable[StepUse]) -> tuple[StepUse, ...]:
    """One a step, in the order in which the steps first come."""
    steps: dict[str, StepUse] = {}
    for each in uses:
        steps[each.step] = steps[each.step] + each if each.step in steps else each
    return tuple(steps.values())


def _joined(name: str, values: Iterable[Any]) -> Any:
    known = [value for value in values if value is not None]
    return _ENDS.get(name, sum)(known) if known else None


_ENDS: Mapping[str, Callable[[list[Any]], Any]] = {
    "asked_from_s": min,
    "asked_until_s": max,
    "last_failure": itemgetter(-1),
}
"""The fields that do not add up."""
