"""Traces -> what speaks against the film where their clip is: damage, and colours made for HDR."""

from collections.abc import Iterable, Iterator

from reelproof.schemas.scores import FilmScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 1


class FilmConfig(Settings):
    """Nothing to choose."""


def measure_film(cases: Iterable[Case], _cfg: FilmConfig) -> Iterator[FilmScore]:
    """One score a trace, in order."""
    for case in cases:
        for trace in case.traces:
            yield FilmScore(trace_id=trace.trace_id, damaged_share=case.clip.damaged_share, hdr=case.clip.hdr)


CHECK = Check("film", VERSION, measure_film, FilmConfig, FilmScore, "traces", of_question=True)
