"""Questions -> can their answer key be guessed: favoured letters, and constant answers that beat chance."""

import math
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.chance import guess_rate
from reelproof.schemas.answers.scores import GRADED_TASKS, lenient_score
from reelproof.schemas.balance import KeyBalance, LetterCount
from reelproof.schemas.intervals import binomial_tail, wilson
from reelproof.schemas.question import Question, Task

VERSION = 1

LEAST_P_VALUE = 0.001
"""An alarm is raised if chance alone would favour letters, or a constant answer, so much more rarely."""
LEAST_QUESTIONS = 30
"""With fewer questions of a task no alarm is raised."""
_MOST_CANDIDATES = 32
_MOST_TRIED = 1000


class Baseline(NamedTuple):
    """A constant answer and its mean score."""

    answer: str
    score: float
    tried: int
    """Answers among which it is the best: one of many beats chance more easily."""


def measure_balance(questions: Iterable[Question]) -> Iterator[KeyBalance]:
    """One record for each task that is asked, in the order of `Task`."""
    by_task: dict[Task, list[Question]] = {}
    for question in questions:
        by_task.setdefault(question.task, []).append(question)
    for task in Task:
        if task in by_task:
            yield _balance(task, by_task[task])


def _balance(task: Task, questions: Sequence[Question]) -> KeyBalance:
    letters = _letters(questions) if task is Task.MULTIPLE_CHOICE else ()
    chi_square = chi_square_of(letters) if letters else None
    p_value = None if chi_square is None else chi_square_tail(chi_square, len(letters) - 1)
    constant = constant_baseline(questions)
    low = wilson(constant.score * len(questions), len(questions)).low
    chance = _chance(questions)
    passes = round(constant.score * len(questions))
    tail = None if chance is None else constant.tried * binomial_tail(passes, len(questions), chance)
    rare = [each for each in (p_value, tail) if each is not None and each < LEAST_P_VALUE]
    return KeyBalance(
        task=task,
        questions=len(questions),
        letters=letters,
        chi_square=chi_square,
        p_value=p_value,
        constant_answer=constant.answer,
        constant_score=min(1.0, constant.score),
        constant_low=low,
        chance=chance,
        constant_p_value=None if tail is None else min(1.0, tail),
        alarm=len(questions) >= LEAST_QUESTIONS and bool(rare),
    )


def constant_baseline(questions: Sequence[Question]) -> Baseline:
    """The gold answer that, given to all the questions of a task, scores best.

    Where the score is a degree, the 32 most frequent golds are tried on at most 1,000 of the questions.
    """
    golds = Counter(question.answer for question in questions)
    likely = sorted(golds, key=lambda answer: (-golds[answer], answer))[:_MOST_CANDIDATES]
    if questions[0].task not in GRADED_TASKS:
        return Baseline(likely[0], golds[likely[0]] / len(questions), len(golds))
    tried = questions[:: math.ceil(len(questions) / _MOST_TRIED)]
    return max(
        (Baseline(answer, _mean_score(answer, tried), len(golds)) for answer in likely),
        key=lambda each: each.score,
    )


class LengthBaseline(NamedTuple):
    """How often the longest option is the right one."""

    right: float
    """Questions; of several that are longest, each counts for its part."""
    questions: int
    chance: float
    p_value: float
    """Chance that as many are right where length tells nothing."""


def longest_option(questions: Iterable[Question]) -> LengthBaseline | None:
    """Answering with the longest option; None without questions with one right option of several."""
    asked = [
        q for q in questions if len(q.options) >= 2 and q.answer in string.ascii_uppercase[: len(q.options)]
    ]
    if not asked:
        return None
    right = 0.0
    for question in asked:
        lengths = [len(option) for option in question.options]
        longest = [place for place, length in enumerate(lengths) if length == max(lengths)]
        right += (string.ascii_uppercase.index(question.answer) in longest) / len(longest)
    chance = sum(1 / len(question.options) for question in asked) / len(asked)
    return LengthBaseline(right, len(asked), chance, binomial_tail(round(right), len(asked), chance))


def _mean_score(answer: str, questions: Sequence[Question]) -> float:
    return sum(lenient_score(q.task, answer, q.answer, q.options, q.tolerance) for q in questions) / len(
        questions
    )


def chi_square_of(letters: Sequence[LetterCount]) -> float:
    """Pearson's statistic of the counts against what chance expects."""
    return sum((each.right - each.expected) ** 2 / each.expected for each in letters)


def chi_square_tail(statistic: float, degrees: int) -> float:
    """P(X >= statistic) of the chi-square distribution with a whole number of degrees of freedom.

    Source: closed forms of the incomplete gamma function, Abramowitz and Stegun 26.4.4 and 26.4.5.
    """
    if degrees < 1 or statistic <= 0:
        return 1.0
    half = statistic / 2
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else 0.0
    power = 0.5 if degrees % 2 else 0.0
    while power < degrees / 2:
        tail += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
        power += 1
    return min(1.0, tail)


def _letters(questions: Sequence[Question]) -> tuple[LetterCount, ...]:
    """Counts of the questions with one right letter among two options or more."""
    single = [
        q for q in questions if len(q.options) >= 2 and q.answer in string.ascii_uppercase[: len(q.options)]
    ]
    if not single:
        return ()
    right = Counter(question.answer for question in single)
    sizes = Counter(len(question.options) for question in single)
    return tuple(
        LetterCount(
            letter=letter,
            right=right[letter],
            expected=sum(count / size for size, count in sizes.items() if size > place),
        )
        for place, letter in enumerate(string.ascii_uppercase[: max(sizes)])
    )


def _chance(questions: Sequence[Question]) -> float | None:
    """Mean share of right guesses; None where the answers are not a closed set."""
    rates = [rate for rate in map(guess_rate, questions) if rate is not None]
    return sum(rates) / len(rates) if rates else None
