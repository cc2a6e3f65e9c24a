"""Questions with their rollouts -> how many are right, with the interval that so few rollouts allow."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from schemas.answer import is_right, lenient_score, strict_score
from schemas.question import Question
from schemas.scores import DifficultyScore
from schemas.trace import Case, Trace

VERSION = 1

_Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


class DifficultyConfig(BaseModel):
    """What counts as a pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strict: bool = True
    """Score answers strictly; otherwise as a lenient reader would."""
    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""


class Interval(NamedTuple):
    """Bounds of a share, in [0, 1]."""

    low: float
    high: float


def measure_difficulty(cases: Iterable[Case], cfg: DifficultyConfig) -> Iterator[DifficultyScore]:
    """One score a trace, in order, the same on each rollout of a question. Failures do not count."""
    for case in cases:
        answered = [trace for trace in case.traces if trace.finish_reason != "error"]
        passes = sum(_passes(trace, case.question, cfg) for trace in answered)
        interval = wilson_interval(passes, len(answered))
        for trace in case.traces:
            yield DifficultyScore(
                trace_id=trace.trace_id,
                pass_count=passes,
                rollout_count=len(answered),
                pass_low=interval.low,
                pass_high=interval.high,
            )


def wilson_interval(passes: int, rollouts: int) -> Interval:
    """95 % score interval of a share; [0, 1] of nothing. Source: Wilson 1927."""
    if rollouts == 0:
        return Interval(0.0, 1.0)
    share, spread = passes / rollouts, _Z95**2 / rollouts
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low = 0.0 if passes == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if passes == rollouts else min(1.0, centre + half))


def _passes(trace: Trace, question: Question, cfg: DifficultyConfig) -> bool:
    score = strict_score if cfg.strict else lenient_score
    said = score(question.task, trace.answer, question.answer, question.options, question.tolerance)
    return is_right(question.task, said, cfg.min_graded_score)
