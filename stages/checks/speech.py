"""Probe results -> pass counts with what is said and no frame, on each rollout."""

from collections.abc import Iterable, Iterator

from reelproof.schemas.scores import SpeechScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 1


class SpeechScoreConfig(Settings):
    """Nothing to choose: what is asked is the probes' own setting."""


def measure_speech(cases: Iterable[Case], _cfg: SpeechScoreConfig) -> Iterator[SpeechScore]:
    """One score a trace, in order; counts are null where its question shows no lines."""
    for case in cases:
        for trace in case.traces:
            yield SpeechScore(
                trace_id=trace.trace_id,
                speech_passes=case.probe.speech_passes if case.probe else None,
                speech_rollouts=case.probe.speech_rollouts if case.probe else None,
            )


CHECK = Check("speech", VERSION, measure_speech, SpeechScoreConfig, SpeechScore, "heard", of_question=True)
