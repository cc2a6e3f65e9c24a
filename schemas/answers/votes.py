"""Answers to one question -> the one that they come to, its votes, and when no more need be asked."""

from collections.abc import Sequence
from typing import Protocol

from reelproof.schemas.answers.scores import GRADED_TASKS, is_right, lenient_score
from reelproof.schemas.question import Task

_SAME_SCORE = 0.5


class Voted(Protocol):
    """What of a question decides whether two answers mean the same."""

    @property
    def task(self) -> Task:
        """What kind of answer it wants."""
        ...

    @property
    def options(self) -> Sequence[str]:
        """Their texts without letters."""
        ...

    @property
    def tolerance(self) -> float | None:
        """The largest difference that still counts as right, where the question states one."""
        ...


def vote(asked: Voted, answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """The answer with the most weight; answers that mean the same are one. Ties go to the one said first.

    Spans, boxes, numbers and text seldom are the same: there the answer wins that scores best against all of
    them. Where no answer has any weight, each counts 1.
    """
    if asked.task in (*GRADED_TASKS, Task.NUMERICAL):
        return _consensus(asked, answers, weights if any(weights) else [1.0] * len(answers))
    tally = count_votes(asked, answers, weights)
    if not any(weight for _, weight in tally):
        tally = count_votes(asked, answers, [1.0] * len(answers))
    return max(tally, key=lambda each: each[1])[0] if tally else None


def count_votes(
    asked: Voted, answers: Sequence[str | None], weights: Sequence[float]
) -> list[tuple[str, float]]:
    """(answer, weight) of each distinct answer, in order of first mention; no answer is no vote."""
    names: list[str] = []
    sums: list[float] = []
    for answer, weight in zip(answers, weights, strict=True):
        if answer is None:
            continue
        place = next((i for i, name in enumerate(names) if _same(asked, answer, name)), len(names))
        if place == len(names):
            names.append(answer)
            sums.append(0.0)
        sums[place] += weight
    return list(zip(names, sums, strict=True))


def leading_share(asked: Voted, answers: Sequence[str | None], leader: str | None) -> float:
    """Share of all answers, those that could not be read included, that say what the leader says."""
    if leader is None or not answers:
        return 0.0
    return sum(each is not None and says_the_same(asked, each, leader) for each in answers) / len(answers)


def says_the_same(asked: Voted, one: str, other: str) -> bool:
    """Whether two answers count as one: where answers are graded, half right against each other is enough."""
    return is_right(asked.task, lenient_score(asked.task, one, other, asked.options), _SAME_SCORE)


def cannot_be_caught(tally: Sequence[tuple[str, float]], left: int) -> bool:
    """Whether the leader stays ahead whatever the `left` votes say that are still to come."""
    lead, second = (*sorted((weight for _, weight in tally), reverse=True), 0.0, 0.0)[:2]
    return lead > second + left


def _consensus(asked: Voted, answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """The answer with the highest weighted mean score against the others; itself counts as one of them."""
    said = [(answer, weight) for answer, weight in zip(answers, weights, strict=True) if answer is not None]

    def support(answer: str) -> float:
        return sum(
            weight * lenient_score(asked.task, answer, other, asked.options, asked.tolerance)
            for other, weight in said
        )

    return max((answer for answer, _ in said), key=support, default=None)


def _same(asked: Voted, one: str, other: str) -> bool:
    return lenient_score(asked.task, one, other, asked.options) == 1
