"""Traces -> in which form did they come, did they end by themselves, how long are their thoughts?"""

from collections.abc import Iterable, Iterator

from reelproof.schemas.answers.forms import form_name
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.answers.thought import thought_words
from reelproof.schemas.scores import FormScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 6


class FormConfig(Settings):
    """Nothing to choose."""


def measure_form(cases: Iterable[Case], _cfg: FormConfig) -> Iterator[FormScore]:
    """One score a trace, in order. Characters of scripts without spaces count as words."""
    for case in cases:
        for trace in case.traces:
            yield FormScore(
                trace_id=trace.trace_id,
                answer_form=form_name(read_completion(trace.text), case.question.task, case.question.options),
                finished=trace.finish_reason == "stop",
                failed=trace.finish_reason == "error",
                thought_words=thought_words(trace.thought),
            )


CHECK = Check("form", VERSION, measure_form, FormConfig, FormScore, "traces")
