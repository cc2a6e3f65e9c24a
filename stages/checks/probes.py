"""Probe results -> pass counts without the evidence, and what luck would give, on each rollout."""

from collections.abc import Iterable, Iterator

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.scores import ProbeScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 3


class ProbeScoreConfig(Settings):
    """Nothing to choose: what is asked is the probes' own setting."""


def measure_probes(cases: Iterable[Case], _cfg: ProbeScoreConfig) -> Iterator[ProbeScore]:
    """One score a trace, in order; counts are null where the probes of its question did not run."""
    for case in cases:
        probe, lucky = case.probe, open_guess_rate(case.question)
        for trace in case.traces:
            yield ProbeScore(
                trace_id=trace.trace_id,
                guess_rate=lucky,
                blind_passes=probe.blind_passes if probe else None,
                blind_rollouts=probe.blind_rollouts if probe else None,
                single_passes=probe.single_passes if probe else None,
                single_rollouts=probe.single_rollouts if probe else None,
                shuffled_passes=probe.shuffled_passes if probe else None,
                shuffled_rollouts=probe.shuffled_rollouts if probe else None,
            )


CHECK = Check("probes", VERSION, measure_probes, ProbeScoreConfig, ProbeScore, "probes", of_question=True)
