"""Traces -> were they formed as asked, did they end by themselves, how long are their thoughts?"""

from collections.abc import Iterable, Iterator

from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.answers.thought import thought_words
from reelproof.schemas.scores import FormScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case

VERSION = 1


class FormConfig(Settings):
    """Nothing to choose."""


def measure_form(
    cases: Iterable[Case],
    cfg: FormConfig,  # noqa: ARG001 - all checks are called alike
) -> Iterator[FormScore]:
    """One score a trace, in order. Characters of scripts without spaces count as words."""
    for case in cases:
        for trace in case.traces:
            yield FormScore(
                trace_id=trace.trace_id,
                well_formed=read_completion(trace.text).well_formed,
                finished=trace.finish_reason == "stop",
                thought_words=thought_words(trace.thought),
            )
