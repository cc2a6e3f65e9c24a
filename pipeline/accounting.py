"""Completions -> what they cost: calls, reuse, tokens, tokens a second, time left, money."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from pydantic import Field

from schemas.chat import Completion
from schemas.record import Record


class TeacherPrice(Record):
    """What tokens cost, in any one currency."""

    per_million_prompt_tokens: float = Field(default=0, ge=0, le=10_000)
    per_million_completion_tokens: float = Field(default=0, ge=0, le=10_000)


class TeacherUse(Record):
    """What one step of one part, or a whole run, asked of its teachers. Adds up."""

    calls: int = 0
    """Completions that a model was asked for; failures among them."""
    reused: int = 0
    """Completions taken from the log, which cost nothing."""
    failed: int = 0
    """Of the calls, those that ended in a lasting failure."""
    retries: int = 0
    """How often they were asked again after a passing fault: the server erred, hung or went away."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens of the calls alone: what was reused was paid for before."""
    latency_s: float = 0
    """Of the calls together: divided by the seconds they took, how many were in flight on average."""
    asked_from_s: float | None = None
    """Unix time of the first call."""
    asked_until_s: float | None = None
    """Unix time of the last answer."""

    def __add__(self, other: Self) -> Self:
        """Both together: counts add up, the time runs from the earlier start to the later end."""
        return type(self)(
            calls=self.calls + other.calls,
            reused=self.reused + other.reused,
            failed=self.failed + other.failed,
            retries=self.retries + other.retries,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            latency_s=self.latency_s + other.latency_s,
            asked_from_s=min(_known(self.asked_from_s, other.asked_from_s), default=None),
            asked_until_s=max(_known(self.asked_until_s, other.asked_until_s), default=None),
        )

    @property
    def seconds(self) -> float:
        """From the first call to the last answer; 0 where nothing was asked."""
        if self.asked_from_s is None or self.asked_until_s is None:
            return 0.0
        return self.asked_until_s - self.asked_from_s

    @property
    def completion_tokens_per_s(self) -> float:
        """Of the calls; 0 where nothing was asked."""
        return self.completion_tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def mean_in_flight(self) -> float:
        """Requests under way on average between the first call and the last answer (Little's law)."""
        return self.latency_s / self.seconds if self.seconds > 0 else 0.0

    @property
    def reuse_share(self) -> float:
        """Of all completions needed, the share that was in the log already."""
        needed = self.calls + self.reused
        return self.reused / needed if needed else 0.0

    def cost(self, price: TeacherPrice) -> float:
        """Of the calls, in the price's currency."""
        prompt = self.prompt_tokens * price.per_million_prompt_tokens
        return (prompt + self.completion_tokens * price.per_million_completion_tokens) / 1e6

    def seconds_left(self, calls_left: int) -> float | None:
        """For so many more calls at the rate so far; None before the rate is known."""
        if calls_left <= 0:
            return 0.0
        return calls_left * self.seconds / self.calls if self.calls and self.seconds > 0 else None

    def expected(self, calls: int) -> Self | None:
        """What so many calls would use if they were like those so far; None where there were none."""
        if not self.calls:
            return None
        share = calls / self.calls
        return type(self)(
            calls=calls,
            failed=round(self.failed * share),
            prompt_tokens=round(self.prompt_tokens * share),
            completion_tokens=round(self.completion_tokens * share),
            latency_s=self.latency_s * share,
        )


@dataclass
class UseCounter:
    """The running count of one step of one part; `use` is its record so far."""

    use: TeacherUse = field(default_factory=TeacherUse)

    def count_reused(self, count: int = 1) -> None:
        """Completions that were in the log."""
        self.use = self.use.model_copy(update={"reused": self.use.reused + count})

    def count_answer(self, completion: Completion, asked_at_s: float, answered_at_s: float) -> None:
        """One call's answer, with the Unix times of asking and answering."""
        use = self.use
        self.use = use.model_copy(
            update={
                "calls": use.calls + 1,
                "failed": use.failed + (completion.error is not None),
                "retries": use.retries + completion.retries,
                "prompt_tokens": use.prompt_tokens + completion.prompt_tokens,
                "completion_tokens": use.completion_tokens + completion.completion_tokens,
                "latency_s": use.latency_s + completion.latency_s,
                "asked_from_s": asked_at_s if use.asked_from_s is None else min(use.asked_from_s, asked_at_s),
                "asked_until_s": max(use.asked_until_s or answered_at_s, answered_at_s),
            }
        )


def total_use(uses: Iterable[TeacherUse]) -> TeacherUse:
    """All of them together."""
    return sum(uses, start=TeacherUse())


def _known(*times_s: float | None) -> list[float]:
    return [time_s for time_s in times_s if time_s is not None]
