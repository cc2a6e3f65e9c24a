"""Steps that this process is at right now -> what each has asked for so far, for another process to see."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Self

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse, UseCounter
from reelproof.schemas.counted import counted
from reelproof.schemas.record import Record

_lock = threading.Lock()


class RunningStep(Record):
    """One step at work on one part, or over all."""

    step: str
    part: int | None
    videos: int
    """0 of what is done ahead of the step."""
    seconds: float
    """Since it began."""
    use: TeacherUse
    waiting: int = 0
    """Completions asked for and not there yet."""
    film_s: float = 0
    """Seconds of film scanned so far."""
    film_of_s: float = 0
    """… of so many that are begun; 0 where nobody knows."""

    def __add__(self, other: Self) -> Self:
        """Work of one step on several parts. Of films whose length one does not know, nobody knows it."""
        is_known = all(each.film_of_s or not each.film_s for each in (self, other))
        return type(self)(
            step=self.step,
            part=None,
            videos=self.videos + other.videos,
            seconds=max(self.seconds, other.seconds),
            use=self.use + other.use,
            waiting=self.waiting + other.waiting,
            film_s=self.film_s + other.film_s,
            film_of_s=(self.film_of_s + other.film_of_s) * is_known,
        )

    @property
    def told(self) -> str:
        """How far it is: seconds of film, completions; empty where it has come to neither."""
        told = []
        if self.film_s:
            of = f" of {self.film_of_s:,.0f} s" if self.film_of_s else ""
            told.append(f"{self.film_s:,.0f} s{of} of film")
        if self.use.calls or self.waiting:
            told.append(f"{counted(self.use.calls, 'completion')}, {self.waiting:,} to come")
        return ", ".join(told)

    @property
    def so_far(self) -> StepUse:
        """As accounts take it: the part is not through."""
        return StepUse(step=self.step, seconds=self.seconds, use=self.use)


class OwingServer(Record):
    """A server that was asked and has not answered yet."""

    url: str
    seconds: float
    """Since its last answer, or since it was first asked."""


class AtWork(Record):
    """The steps that one process, or several together, work on now."""

    steps: tuple[RunningStep, ...] = ()
    in_flight: int = 0
    """Requests at servers that have not been answered."""
    owing: tuple[OwingServer, ...] = ()
    """Where they are; of a server that several processes ask, by its latest answer to one of them."""

    @classmethod
    def together(cls, works: Iterable[Self]) -> Self:
        """What several processes work on.

        A worker that was killed may leave another at a step that begins anew elsewhere, with what was done
        ahead of it: of these, the one that is furthest.
        """
        found = list(works)
        begun = sorted((step for each in found for step in each.steps), key=lambda step: step.seconds)
        whole = {(step.step, step.part): step for step in begun if step.videos}
        ahead = (step for step in begun if (step.step, step.part) not in whole)
        steps = sorted(
            (*whole.values(), *ahead), key=lambda step: (step.part is None, step.part or 0, step.step)
        )
        owing = latest(each for work in found for each in work.owing)
        return cls(steps=tuple(steps), in_flight=sum(each.in_flight for each in found), owing=owing)

    def by_step(self) -> dict[str, RunningStep]:
        """What each step is at, of whichever parts."""
        found: dict[str, RunningStep] = {}
        for each in self.steps:
            found[each.step] = found[each.step] + each if each.step in found else each
        return found


class _Begun(NamedTuple):
    step: str
    part: int | None
    videos: int
    since_s: float
    counter: UseCounter


_begun: dict[int, _Begun] = {}
"""What this process is at: a worker runs several parts in threads."""


@contextmanager
def announced(step: str, part: int | None, videos: int, counter: UseCounter) -> Iterator[None]:
    """Have the step seen by `at_work` for as long as the block lasts."""
    begun = _Begun(step, part, videos, time.monotonic(), counter)
    with _lock:
        _begun[id(begun)] = begun
    try:
        yield
    finally:
        with _lock:
            del _begun[id(begun)]


def at_work() -> AtWork:
    """The steps that this process works on now."""
    with _lock:
        begun = list(_begun.values())
    teachers = {id(each): each for one in begun for each in one.counter.teachers}
    owing = [
        OwingServer(url=url, seconds=s) for each in teachers.values() for url, s in each.owing_s().items()
    ]
    now_s = time.monotonic()
    steps = tuple(
        RunningStep(
            step=each.step,
            part=each.part,
            videos=each.videos,
            seconds=now_s - each.since_s,
            use=each.counter.use,
            waiting=each.counter.waiting,
            film_s=each.counter.film_s,
            film_of_s=each.counter.film_of_s,
        )
        for each in begun
    )
    in_flight = sum(each.in_flight for each in teachers.values())
    return AtWork(steps=steps, in_flight=in_flight, owing=latest(each for each in owing if each.seconds))


def latest(owing: Iterable[OwingServer]) -> tuple[OwingServer, ...]:
    """One a server: whoever heard of it last knows best."""
    longest_first = sorted(owing, key=lambda each: -each.seconds)
    return tuple({each.url: each for each in longest_first}.values())
