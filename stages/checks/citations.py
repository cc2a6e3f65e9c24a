"""Traces -> do the times that they cite lie in the clip, near a frame that was shown, and for how much?"""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from reelproof.schemas.answers.observing import cited_share, concludes
from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.answers.thought import NEAR_FRAME_S, cited_near_frames, lies_in_clip
from reelproof.schemas.footage import Clip
from reelproof.schemas.scores import CitationScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.checks.check import Check

VERSION = 8


class CitationConfig(Settings):
    """How exactly a time must be cited."""

    clip_tolerance_s: float = Field(default=0.05, ge=0)
    """How far outside the clip a cited time may lie: printed times are rounded to 0.1 s."""
    frame_tolerance_s: float = Field(default=NEAR_FRAME_S, ge=0)
    """How far from a shown frame a cited time may lie."""


def measure_citations(cases: Iterable[Case], cfg: CitationConfig) -> Iterator[CitationScore]:
    """One score a trace, in order. Only frames shown with their times have times near them, and lines of
    what is said.
    """
    for case in cases:
        times_s = [shown.shown_s for shown in case.question.frames if shown.shown_s is not None]
        for trace in case.traces:
            yield _score(trace, case.clip, times_s, case.lines, cfg)


CHECK = Check("citations", VERSION, measure_citations, CitationConfig, CitationScore, "traces")


def _score(
    trace: Trace, clip: Clip, times_s: Sequence[float], lines: Sequence[SpeechLine], cfg: CitationConfig
) -> CitationScore:
    inside = [lies_in_clip(span, clip, cfg.clip_tolerance_s) for span in trace.cited]
    claims = (each for each in cited_statements(trace.thought) if not concludes(each.text))
    observed = [span for each in claims for span in each.cited] or trace.cited
    return CitationScore(
        trace_id=trace.trace_id,
        citations=len(trace.cited),
        timed_frames=len(times_s),
        citations_in_clip=sum(inside) / len(inside) if inside else None,
        citations_near_frame=cited_near_frames(observed, times_s, cfg.frame_tolerance_s, lines),
        cited_share=cited_share(trace.thought),
    )
