"""Rollouts of a question -> how many are right."""

from collections.abc import Iterable
from typing import NamedTuple

from reelproof.schemas.answers.scores import is_right, lenient_score
from reelproof.schemas.intervals import binomial_tail
from reelproof.schemas.question import Question
from reelproof.schemas.trace import Trace


class Tally(NamedTuple):
    """Right ones among rollouts that did not fail."""

    passes: int
    rollouts: int

    def luck_tail(self, luck_rate: float | None, batches: int = 1) -> float | None:
        """Chance that guesses are right as often as that, or more often, after one of so many batches.

        Who goes on while luck explains what is right, and stops when it does not, may be fooled after each
        batch: by all of them together no more than by their sum (Bonferroni). None where nothing is known.
        """
        if luck_rate is None or not self.rollouts:
            return None
        return min(1.0, batches * binomial_tail(self.passes, self.rollouts, luck_rate))


def tally(traces: Iterable[Trace], question: Question, min_graded_score: float) -> Tally:
    """Answers are read leniently; a request that failed is no rollout."""
    answered = [trace for trace in traces if trace.finish_reason != "error"]
    scores = [
        lenient_score(question.task, trace.answer, question.answer, question.options, question.tolerance)
        for trace in answered
    ]
    return Tally(sum(is_right(question.task, each, min_graded_score) for each in scores), len(scores))
