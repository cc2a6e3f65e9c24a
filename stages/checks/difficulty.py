"""Questions with their rollouts -> how many are right, with the interval that so few rollouts allow."""

from collections.abc import Iterable, Iterator

from pydantic import Field

from reelproof.schemas.answers.scores import is_right, lenient_score
from reelproof.schemas.intervals import wilson
from reelproof.schemas.question import Question
from reelproof.schemas.scores import DifficultyScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Trace

VERSION = 4


class DifficultyConfig(Settings):
    """What counts as a pass: what a person understands, in whatever form it is told."""

    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""


def measure_difficulty(cases: Iterable[Case], cfg: DifficultyConfig) -> Iterator[DifficultyScore]:
    """One score a trace, in order, the same on each rollout of a question. Failures do not count."""
    for case in cases:
        answered = [trace for trace in case.traces if trace.finish_reason != "error"]
        passes = sum(_passes(trace, case.question, cfg) for trace in answered)
        interval = wilson(passes, len(answered))
        for trace in case.traces:
            yield DifficultyScore(
                trace_id=trace.trace_id,
                pass_count=passes,
                rollout_count=len(answered),
                pass_low=interval.low,
                pass_high=interval.high,
            )


def _passes(trace: Trace, question: Question, cfg: DifficultyConfig) -> bool:
    score = lenient_score(question.task, trace.answer, question.answer, question.options, question.tolerance)
    return is_right(question.task, score, cfg.min_graded_score)
