"""Traces -> are the times and boxes that they cite near those that came with the question?"""

from collections.abc import Iterable, Iterator

from pydantic import Field

from reelproof.schemas.answers.evidence import NEAR_S, key_place_score, key_time_score, said_places
from reelproof.schemas.answers.overlap import video_iou
from reelproof.schemas.answers.placed import BoxUnit
from reelproof.schemas.question import Question
from reelproof.schemas.scores import KeyPlaceScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.checks.check import Check

VERSION = 3


class KeyPlaceConfig(Settings):
    """How near is near, and how boxes are written."""

    sigma_s: float = Field(default=1.0, gt=0)
    """A cited time this many seconds from a given one counts 0.61, at twice as many 0.14: a Gaussian."""
    box_unit: BoxUnit = "pixels"
    """As in `claims.box_unit`."""


def measure_key_places(cases: Iterable[Case], cfg: KeyPlaceConfig) -> Iterator[KeyPlaceScore]:
    """One score a trace, in order."""
    for case in cases:
        for trace in case.traces:
            yield _score(trace, case.question, cfg)


CHECK = Check("key_places", VERSION, measure_key_places, KeyPlaceConfig, KeyPlaceScore, "traces")


def _score(trace: Trace, question: Question, cfg: KeyPlaceConfig) -> KeyPlaceScore:
    keys = question.key_places
    if not keys or not question.frames:
        return KeyPlaceScore(
            trace_id=trace.trace_id, key_time_score=None, key_place_score=None, key_video_iou=None
        )
    frame = question.frames[0].frame
    said = said_places(trace.thought, frame.width, frame.height, cfg.box_unit)
    times_s = [each.time_s for each in keys if each.time_s is not None]
    boxes = [place.box for thing in said for place in thing]
    return KeyPlaceScore(
        trace_id=trace.trace_id,
        key_time_score=key_time_score(trace.cited, times_s, cfg.sigma_s) if times_s else None,
        key_place_score=key_place_score(said, keys),
        key_video_iou=video_iou(boxes, [each.box for each in keys], NEAR_S),
    )
