"""A question -> how often a guess among its possible answers is right."""

import itertools
import math
import re

from reelproof.schemas.answers.overlap import span_iou
from reelproof.schemas.answers.places import Interval, strict_spans
from reelproof.schemas.question import Question, Task

_COUNTS = re.compile(r"\bhow (?:many|often)\b|\bnumber of\b|\bcount\b", re.IGNORECASE)
_MOST_COUNTED = 10
_ASKS_FOR_TIME = ("second", "when", "what time", "at which time")


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


def open_guess_rate(question: Question, min_graded_score: float = 0.5) -> float | None:
    """`guess_rate`, and for counts, times and spans the share of the range that the question leaves open.

    A count is guessed from 1 to the number of frames shown, or to 10. A time is guessed anywhere between
    the first frame's and the last one's: right within its tolerance. A span is guessed from any shown frame
    to any later one: right where their overlap scores `min_graded_score`. None for other numbers, for text
    and for boxes: what leaves them open is not in the question.
    """
    if (known := guess_rate(question)) is not None:
        return known
    if question.task is Task.NUMERICAL and question.tolerance is None and _COUNTS.search(question.text):
        return 1 / min(max(len(question.frames), 2), _MOST_COUNTED)
    times_s = [each.shown_s for each in question.frames if each.shown_s is not None]
    if len(times_s) < 2 or times_s[0] >= times_s[-1]:
        return None
    if question.task is Task.TEMPORAL_GROUNDING:
        return _spans_right(question.answer, times_s, min_graded_score)
    asks_for_time = any(word in question.text.lower() for word in _ASKS_FOR_TIME)
    if (
        question.task in (Task.NUMERICAL, Task.REGRESSION)
        and question.tolerance is not None
        and asks_for_time
    ):
        return _times_right(question.answer, question.tolerance, times_s)
    return None


def _times_right(answer: str, tolerance_s: float, times_s: list[float]) -> float | None:
    try:
        gold_s = float(answer)
    except ValueError:
        return None
    first_s, last_s = times_s[0], times_s[-1]
    right_s = min(gold_s + tolerance_s, last_s) - max(gold_s - tolerance_s, first_s)
    return min(1.0, max(0.0, right_s) / (last_s - first_s))


def _spans_right(answer: str, times_s: list[float], min_score: float) -> float | None:
    gold = strict_spans(answer)
    if not gold:
        return None
    guesses = [Interval(start_s, end_s) for start_s, end_s in itertools.combinations(times_s, 2)]
    return sum(span_iou((guess,), gold) >= min_score for guess in guesses) / len(guesses)
