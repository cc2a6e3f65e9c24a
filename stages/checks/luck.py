"""Questions with their rollouts -> what luck would give, and how rarely it gives as much as was right."""

import collections
from collections.abc import Iterable, Iterator
from functools import partial

from pydantic import Field

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.forms import as_choice
from reelproof.schemas.answers.tally import tally
from reelproof.schemas.question import Question, Task
from reelproof.schemas.scores import LuckScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, ProbeResult, Trace
from reelproof.stages.checks.check import Check

VERSION = 10

_PRIOR_ROLLOUTS = 2
"""As many blind answers as the guess rate of the question's form is worth where it is not exact."""


_EXACT = (Task.MULTIPLE_CHOICE, Task.BOOLEAN, Task.ORDERING)


class LuckConfig(Settings):
    """What counts as a pass: as in `difficulty`."""

    min_graded_score: float = Field(default=0.5, gt=0, le=1)
    """Right from here up, for tasks whose score is a degree."""


def measure_luck(cases: Iterable[Case], cfg: LuckConfig) -> Iterator[LuckScore]:
    """One score a trace, in order; a teacher's rollouts of a question are counted apart from the others'."""
    for case in cases:
        rate = luck_rate(case.question, case.probe, cfg.min_graded_score)
        batches = max((trace.batches for trace in case.traces), default=1)
        by_teacher = collections.defaultdict[str, list[Trace]](list)
        for trace in case.traces:
            by_teacher[trace.model].append(trace)
        count = partial(tally, question=case.question, min_graded_score=cfg.min_graded_score)
        tallies = {model: count(traces) for model, traces in by_teacher.items()}
        first = {
            model: count(each for each in traces if not each.batch) for model, traces in by_teacher.items()
        }
        right = _choice(case.question, case.question.answer)
        question_tail = count(case.traces).luck_tail(rate, batches)
        for trace in case.traces:
            mine, mine_first = tallies[trace.model], first[trace.model]
            yield LuckScore(
                trace_id=trace.trace_id,
                luck_rate=rate,
                teacher_passes=mine.passes,
                teacher_rollouts=mine.rollouts,
                first_passes=mine_first.passes,
                first_rollouts=mine_first.rollouts,
                right_choice=right,
                first_choice=None if trace.batch or right is None else _choice(case.question, trace.answer),
                luck_tail=mine.luck_tail(rate, batches),
                question_luck_tail=question_tail,
            )


CHECK = Check("luck", VERSION, measure_luck, LuckConfig, LuckScore, "probes")


def _choice(question: Question, said: str | None) -> str | None:
    """An answer as one of some; None where a tolerance makes answers a degree."""
    return None if question.tolerance is not None else as_choice(question.task, said, question.options)


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
