"""Written questions, answered again without their key -> how often the answers agree with it."""

from collections.abc import Iterable, Iterator

from reelproof.schemas.scores import KeyScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 1


class KeyConfig(Settings):
    """Nothing to choose: how questions are answered again is their writer's setting."""


def measure_key(cases: Iterable[Case], _cfg: KeyConfig) -> Iterator[KeyScore]:
    """One score a trace, in order; null for questions that no teacher wrote, or that nobody tried."""
    for case in cases:
        for trace in case.traces:
            yield KeyScore(trace_id=trace.trace_id, key_agreement=case.key_agreement)


CHECK = Check("key", VERSION, measure_key, KeyConfig, KeyScore, "asked", of_question=True)
