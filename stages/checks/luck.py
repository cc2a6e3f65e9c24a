"""Questions with their rollouts -> what luck would give, and how rarely it gives as much as was right."""

import collections
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.scores import is_right, lenient_score
from reelproof.schemas.intervals import binomial_tail
from reelproof.schemas.question import Question, Task
from reelproof.schemas.scores import LuckScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, ProbeResult, Trace

VERSION = 2

_PRIOR_ROLLOUTS = 2
"""As many blind answers as the guess rate of the question's form is worth where it is not exact."""


_EXACT = (Task.MULTIPLE_CHOICE, Task.BOOLEAN, Task.ORDERING)


class LuckConfig(Settings):
    """What counts as a pass: as in `difficulty`."""

    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""


class _Tally(NamedTuple):
    passes: int
    rollouts: int


def measure_luck(cases: Iterable[Case], cfg: LuckConfig) -> Iterator[LuckScore]:
    """One score a trace, in order; a teacher's rollouts of a question are counted apart from the others'."""
    for case in cases:
        rate = luck_rate(case.question, case.probe, cfg.min_graded_score)
        by_teacher = collections.defaultdict[str, list[Trace]](list)
        for trace in case.traces:
            by_teacher[trace.model].append(trace)
        tallies = {model: _tally(traces, case.question, cfg) for model, traces in by_teacher.items()}
        everyone = _Tally(*(sum(counts) for counts in zip(*tallies.values(), strict=True)))
        for trace in case.traces:
            mine = tallies[trace.model]
            yield LuckScore(
                trace_id=trace.trace_id,
                luck_rate=rate,
                teacher_passes=mine.passes,
                teacher_rollouts=mine.rollouts,
                luck_tail=_tail(mine, rate),
                question_luck_tail=_tail(everyone, rate),
            )


def luck_rate(question: Question, probe: ProbeResult | None, min_graded_score: float) -> float | None:
    """Share of answers that need no evidence to be right.

    Exact for options, yes or no, and orders. Otherwise what the range that the question leaves open gives, or
    what was answered blind, whichever is more; None where neither is known.
    """
    by_form = open_guess_rate(question, min_graded_score)
    if question.task in _EXACT:
        return by_form
    if probe is None or not probe.blind_rollouts:
        return by_form
    prior = 0.0 if by_form is None else by_form
    seen = (probe.blind_passes or 0) + _PRIOR_ROLLOUTS * prior
    return max(prior, seen / (probe.blind_rollouts + _PRIOR_ROLLOUTS * (by_form is not None)))


def _tally(traces: Iterable[Trace], question: Question, cfg: LuckConfig) -> _Tally:
    answered = [trace for trace in traces if trace.finish_reason != "error"]
    scores = [
        lenient_score(question.task, trace.answer, question.answer, question.options, question.tolerance)
        for trace in answered
    ]
    return _Tally(sum(is_right(question.task, each, cfg.min_graded_score) for each in scores), len(scores))


def _tail(tally: _Tally, rate: float | None) -> float | None:
    return None if rate is None or not tally.rollouts else binomial_tail(tally.passes, tally.rollouts, rate)
