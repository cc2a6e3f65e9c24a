"""Traces -> does what the thought concludes agree with the answer?"""

from collections.abc import Iterable, Iterator

from pydantic import Field

from reelproof.schemas.answers.conclusion import Conclusions, Posed, agreement
from reelproof.schemas.scores import AgreementScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 11


class AgreementConfig(Settings):
    """When conclusion and answer are the same."""

    min_graded_score: float = Field(default=Conclusions().min_graded_score, gt=0, le=1)
    """Score of the answer against the conclusion from which they are, for tasks whose score is a degree."""
    sentences: int = Field(default=Conclusions().sentences, ge=1, le=64)
    """How many sentences from the end a conclusion is looked for in."""


def measure_agreement(cases: Iterable[Case], cfg: AgreementConfig) -> Iterator[AgreementScore]:
    """One score a trace, in order; null without an answer or without a conclusion that can be read."""
    how = Conclusions(cfg.min_graded_score, cfg.sentences)
    for case in cases:
        question = case.question
        posed = Posed(question.task, question.text, question.options, question.tolerance)
        for trace in case.traces:
            agrees = agreement(trace.thought, trace.answer, posed, how)
            yield AgreementScore(trace_id=trace.trace_id, agrees=agrees)


CHECK = Check("agreement", VERSION, measure_agreement, AgreementConfig, AgreementScore, "traces")
