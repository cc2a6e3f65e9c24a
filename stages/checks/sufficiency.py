"""Judges' answers -> do a thought's observations lead to the right answer by themselves?"""

from collections.abc import Iterable, Iterator

from reelproof.schemas.answers.scores import lenient_score
from reelproof.schemas.scores import SufficiencyScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 7


class SufficiencyScoreConfig(Settings):
    """Nothing to choose: how the judge is asked is its own setting."""


def measure_sufficiency(cases: Iterable[Case], _cfg: SufficiencyScoreConfig) -> Iterator[SufficiencyScore]:
    """One score a trace, in order; null where no judge looked. `unknown` scores 0."""
    for case in cases:
        question = case.question
        said = {each.trace_id: each.said for each in case.sufficiencies}
        for trace in case.traces:
            answer = said.get(trace.trace_id)
            score = None
            if answer is not None:
                score = lenient_score(
                    question.task, answer, question.answer, question.options, question.tolerance
                )
            yield SufficiencyScore(trace_id=trace.trace_id, sufficient=score)


CHECK = Check(
    "sufficiency", VERSION, measure_sufficiency, SufficiencyScoreConfig, SufficiencyScore, "sufficiency"
)
