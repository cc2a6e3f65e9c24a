"""Traces -> how right their answers are: strictly, leniently, and with part credit."""

from collections.abc import Iterable, Iterator
from typing import Literal

from reelproof.schemas.answers.scores import (
    free_text_score,
    lenient_score,
    partial_score,
    read_completion,
    rouge_mean,
    strict_score,
)
from reelproof.schemas.question import Question, Task
from reelproof.schemas.scores import AnswerScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.checks.check import Check

VERSION = 9


class AnswerConfig(Settings):
    """How free text is compared."""

    open_ended: Literal["f1", "rouge"] = "f1"
    """F1 of words, or the mean of ROUGE-1, ROUGE-2 and ROUGE-L; half of it where another word stands in
    place of one of the right answer's."""


def measure_answer(cases: Iterable[Case], cfg: AnswerConfig) -> Iterator[AnswerScore]:
    """One score a trace, in order; 0 without an answer."""
    for case in cases:
        for trace in case.traces:
            yield _score(trace, case.question, cfg)


CHECK = Check("answer", VERSION, measure_answer, AnswerConfig, AnswerScore, "traces")


def _score(trace: Trace, question: Question, cfg: AnswerConfig) -> AnswerScore:
    if question.task is Task.OPEN_ENDED and cfg.open_ended == "rouge":
        strict = lenient = partial = free_text_score(trace.answer or "", question.answer, rouge_mean)
    else:
        tagged = read_completion(trace.text).answer
        strict, lenient, partial = (
            score(question.task, said, question.answer, question.options, question.tolerance)
            for score, said in (
                (strict_score, tagged),
                (lenient_score, trace.answer),
                (partial_score, trace.answer),
            )
        )
    return AnswerScore(
        trace_id=trace.trace_id, answer_strict=strict, answer_lenient=lenient, answer_partial=partial
    )
