"""Questions with their rollouts -> how many are right, with the interval that so few rollouts allow."""

from collections.abc import Iterable, Iterator

from pydantic import Field

from reelproof.schemas.answers.tally import tally
from reelproof.schemas.intervals import wilson
from reelproof.schemas.scores import DifficultyScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 9


class DifficultyConfig(Settings):
    """What counts as a pass: what a person understands, in whatever form it is told."""

    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""


def measure_difficulty(cases: Iterable[Case], cfg: DifficultyConfig) -> Iterator[DifficultyScore]:
    """One score a trace, in order, the same on each rollout of a question. Failures do not count."""
    for case in cases:
        passes, rollouts = tally(case.traces, case.question, cfg.min_graded_score)
        interval = wilson(passes, rollouts)
        for trace in case.traces:
            yield DifficultyScore(
                trace_id=trace.trace_id,
                pass_count=passes,
                rollout_count=rollouts,
                pass_low=interval.low,
                pass_high=interval.high,
            )


CHECK = Check(
    "difficulty", VERSION, measure_difficulty, DifficultyConfig, DifficultyScore, "traces", of_question=True
)
