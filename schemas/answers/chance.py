"""A question -> how often a guess among its possible answers is right."""

import math

from reelproof.schemas.question import Question, Task


def guess_rate(question: Question) -> float | None:
    """Share of guesses that are right, in (0, 1]; None where the possible answers are not known beforehand.

    Several right letters, and orders, are guessed with their number known.
    """
    match question.task:
        case Task.BOOLEAN:
            return 0.5
        case Task.ORDERING:
            return 1 / math.factorial(min(20, question.answer.count(",") + 1))
        case Task.MULTIPLE_CHOICE:
            right = question.answer.count(",") + 1
            options = len(question.options)
            return 1 / math.comb(options, right) if 0 < right < options else 1.0
        case _:
            return None
