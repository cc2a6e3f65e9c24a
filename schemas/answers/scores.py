"""What was said and what is right -> a score in [0, 1]: what filter, reward and evaluation share.

`strict_score` takes the form exactly as asked, `lenient_score` what a person would accept, and
`partial_score` gives the part credit that some tasks have. Strict <= lenient <= partial, and every gold
scores 1 against itself.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.amounts import Amount, lenient_amount, strict_amount
from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.content import puts_other_words
from reelproof.schemas.answers.letters import lenient_letters, strict_letters
from reelproof.schemas.answers.listing import lists_more
from reelproof.schemas.answers.opposites import are_other_numbers, cannot_mean
from reelproof.schemas.answers.orders import lenient_order, strict_order
from reelproof.schemas.answers.overlap import (
    box_match,
    line_accuracy,
    ordered_share,
    rouge_mean,
    span_iou,
    statement_f1,
    word_accuracy,
)
from reelproof.schemas.answers.places import lenient_boxes, lenient_spans, strict_boxes, strict_spans
from reelproof.schemas.answers.reading import Reading, read_completion
from reelproof.schemas.answers.truths import lenient_truth, strict_truth
from reelproof.schemas.answers.wording import words
from reelproof.schemas.question import Task

__all__ = [
    "GRADED_TASKS",
    "Reading",
    "cited_spans",
    "free_text_score",
    "gold_fault",
    "is_right",
    "lenient_score",
    "partial_score",
    "read_completion",
    "rouge_mean",
    "strict_score",
    "unread",
]

GRADED_TASKS = (
    Task.REGRESSION,
    Task.OPEN_ENDED,
    Task.OCR,
    Task.TEMPORAL_GROUNDING,
    Task.SPATIAL_GROUNDING,
)
"""Tasks whose score is a degree: right from a chosen score up. All others are right at 1 only."""

FRAME_TOLERANCE_S = 0.5
"""How far from the gold frame a box may be claimed, on both sides, where the question states no tolerance."""


class _Comparison(NamedTuple):
    """One comparison."""

    said: str
    gold: str
    options: Sequence[str]
    tolerance: float | None
    strict: bool


def strict_score(
    task: Task, said: str | None, gold: str, options: Sequence[str] = (), tolerance: float | None = None
) -> float:
    """Score of an answer in the form that was asked for, in [0, 1]; any other form scores 0.

    `tolerance`: numerical, the largest absolute difference that counts as right; spatial grounding, seconds
    between the claimed frame and the gold one.
    """
    return _score(task, said, _Comparison(said or "", gold, options, tolerance, strict=True))


def lenient_score(
    task: Task, said: str | None, gold: str, options: Sequence[str] = (), tolerance: float | None = None
) -> float:
    """Score of what a person would understand from the answer, in [0, 1]; never below the strict one."""
    asked = _Comparison(said or "", gold, options, tolerance, strict=False)
    return max(_score(task, said, asked), _score(task, said, asked._replace(strict=True)))


def partial_score(
    task: Task, said: str | None, gold: str, options: Sequence[str] = (), tolerance: float | None = None
) -> float:
    """Lenient score with part credit: a subset of the right letters, or how far an order agrees.

    Letters: the share of the right ones, 0 if any wrong one is among them. Orders: (Kendall's tau + 1) / 2.
    """
    whole = lenient_score(task, said, gold, options, tolerance)
    if said is None or whole == 1.0:
        return whole
    if task is Task.MULTIPLE_CHOICE:
        return max(whole, _letters_share(said, gold, options))
    if task is Task.ORDERING:
        return max(whole, _ordered_share(said, gold))
    return whole


def is_right(task: Task, score: float, min_graded_score: float) -> bool:
    """Whether a score counts as right: from `min_graded_score` up where it is a degree, else at 1."""
    return score >= (min_graded_score if task in GRADED_TASKS else 1.0)


def gold_fault(task: Task, gold: str, options: Sequence[str] = ()) -> str | None:
    """Why a gold answer cannot be scored against, or None: to ask of every given question."""
    readings = _READINGS.get(task)
    if readings is None:
        return None if words(gold) else f"a gold answer for {task} needs words, got {gold!r}"
    if readings.lenient(gold, options) is None:
        return f"cannot read {gold!r} as an answer for {task}; expected {readings.form}"
    spans = lenient_spans(gold) if task is Task.TEMPORAL_GROUNDING else None
    if spans and any(span.end_s <= span.start_s for span in spans):
        return f"a gold span must end after it starts, got {gold!r}"
    return None


def unread(task: Task, said: str, options: Sequence[str] = ()) -> bool:
    """Whether a text does not read as one answer to such a question, however leniently."""
    readings = _READINGS.get(task)
    return not words(said) if readings is None else readings.lenient(said, options) is None


def _score(task: Task, said: str | None, asked: _Comparison) -> float:
    if said is None or not asked.said.strip():
        return 0.0
    if asked.said.strip() == asked.gold.strip():
        return 1.0
    return _SCORERS[task](asked)


def _choice(asked: _Comparison) -> float:
    said = (strict_letters if asked.strict else lenient_letters)(asked.said, asked.options)
    return float(said is not None and said == lenient_letters(asked.gold, asked.options))


def _letters_share(said: str, gold: str, options: Sequence[str]) -> float:
    chosen, right = lenient_letters(said, options), lenient_letters(gold, options)
    return len(chosen) / len(right) if chosen and right and chosen <= right else 0.0


def _number(asked: _Comparison) -> float:
    said, gold = _amounts(asked)
    if said is None or gold is None:
        return 0.0
    margin = asked.tolerance or 0.0
    pairs = _comparable(said, gold)
    return float(any(abs(one - other) <= margin + 1e-9 + 4e-16 * abs(other) for one, other in pairs))


def _regression(asked: _Comparison) -> float:
    """Mean relative accuracy over thresholds 0.50, 0.55 … 0.95. Source: arXiv 2412.14171, eq. 1."""
    said, gold = _amounts(asked)
    if said is None or gold is None:
        return 0.0
    return max((_relative_accuracy(one, other) for one, other in _comparable(said, gold)), default=0.0)


def _relative_accuracy(said: float, gold: float) -> float:
    if gold == 0:
        return float(said == 0)
    error = abs(said - gold) / abs(gold)
    return sum(error < (100 - percent) / 100 - 1e-9 or error == 0 for percent in range(50, 100, 5)) / 10


def _amounts(asked: _Comparison) -> tuple[Amount | None, Amount | None]:
    said = (strict_amount if asked.strict else lenient_amount)(asked.said)
    return said, lenient_amount(asked.gold)


def _comparable(said: Amount, gold: Amount) -> list[tuple[float, float]]:
    """The values to compare: in the base unit where both have units, and none where those measure different
    things; both ways where one has none.
    """
    if said.unit is not None and gold.unit is not None:
        same = said.unit.measures == gold.unit.measures
        return [(said.value * said.unit.size, gold.value * gold.unit.size)] if same else []
    pairs = [(said.value, gold.value)]
    if said.unit is not None and said.unit.measures == "time":
        pairs.append((said.value * said.unit.size, gold.value))
    if gold.unit is not None and gold.unit.measures == "time":
        pairs.append((said.value, gold.value * gold.unit.size))
    if said.percent != gold.percent:
        pairs.append((said.value / 100, gold.value) if said.percent else (said.value, gold.value / 100))
    return pairs


def _open_ended(asked: _Comparison) -> float:
    return free_text_score(asked.said, asked.gold, statement_f1)


def free_text_score(said: str, gold: str, likeness: Callable[[str, str], float]) -> float:
    """The likeness of two texts in [0, 1]: less than half where the one puts other content words in place of
    the other's, or lists other things beside them, and 0 where it means something else.
    """
    if cannot_mean(said, gold):
        return 0.0
    score = likeness(said, gold)
    return score / 2 if puts_other_words(said, gold) or lists_more(said, gold) else score


def _ocr(asked: _Comparison) -> float:
    """The share of the words; with another number than is written, less than half."""
    said, gold = asked.said, asked.gold
    if are_other_numbers(said, gold):
        return word_accuracy(said.casefold().split(), gold.casefold().split()) / 2
    if asked.strict:
        return word_accuracy(said.split(), gold.split())
    return line_accuracy(words(said), words(gold))


def _spans(asked: _Comparison) -> float:
    said, gold = (strict_spans if asked.strict else lenient_spans)(asked.said), lenient_spans(asked.gold)
    return span_iou(said, gold) if said and gold else 0.0


def _boxes(asked: _Comparison) -> float:
    said, gold = (strict_boxes if asked.strict else lenient_boxes)(asked.said), lenient_boxes(asked.gold)
    tolerance_s = FRAME_TOLERANCE_S if asked.tolerance is None else asked.tolerance
    return box_match(said, gold, tolerance_s) if said and gold else 0.0


def _order(asked: _Comparison) -> float:
    gold = lenient_order(asked.gold, expected_items=0)
    said = strict_order(asked.said) if asked.strict else lenient_order(asked.said, len(gold or ()))
    return float(said is not None and said == gold)


def _ordered_share(said: str, gold: str) -> float:
    right = lenient_order(gold, expected_items=0) or ()
    order = lenient_order(said, len(right)) or ()
    if len(right) < 2 or len(set(right)) != len(right) or sorted(order) != sorted(right):
        return 0.0
    place = {item: index for index, item in enumerate(right)}
    return ordered_share([place[item] for item in order])


def _truth(asked: _Comparison) -> float:
    said, gold = (strict_truth if asked.strict else lenient_truth)(asked.said), lenient_truth(asked.gold)
    if (
        asked.strict
        and asked.gold.strip().casefold() in ("yes", "no")
        and asked.said.strip() in ("true", "false")
    ):
        return 0.0
    return float(said is not None and said == gold)


_SCORERS: dict[Task, Callable[[_Comparison], float]] = {
    Task.MULTIPLE_CHOICE: _choice,
    Task.NUMERICAL: _number,
    Task.REGRESSION: _regression,
    Task.OPEN_ENDED: _open_ended,
    Task.OCR: _ocr,
    Task.TEMPORAL_GROUNDING: _spans,
    Task.SPATIAL_GROUNDING: _boxes,
    Task.ORDERING: _order,
    Task.BOOLEAN: _truth,
}


class _Gold(NamedTuple):
    lenient: Callable[[str, Sequence[str]], object]
    form: str


_READINGS: dict[Task, _Gold] = {
    Task.MULTIPLE_CHOICE: _Gold(lenient_letters, "a letter of the options, or one option's full text"),
    Task.NUMERICAL: _Gold(lambda gold, _: lenient_amount(gold), "one number"),
    Task.REGRESSION: _Gold(lambda gold, _: lenient_amount(gold), "one number"),
    Task.TEMPORAL_GROUNDING: _Gold(lambda gold, _: lenient_spans(gold), "`[start, end]` in seconds"),
    Task.SPATIAL_GROUNDING: _Gold(
        lambda gold, _: lenient_boxes(gold), "`[12.4 s] [left, top, right, bottom]`"
    ),
    Task.ORDERING: _Gold(lambda gold, _: lenient_order(gold, 0), "`2, 1, 3`"),
    Task.BOOLEAN: _Gold(lambda gold, _: lenient_truth(gold), "yes or no"),
}
