"""Clips and what is written in their frames -> how much of the picture is text, and how much of it stays."""

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
from rapidfuzz import fuzz

from reelproof.schemas.answers.overlap import box_iou
from reelproof.schemas.footage import Clip
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import ClipTextScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.checks.check import Check, Rule

VERSION = 1

_LASTS = 0.8
"""Share of the frames in which a line must stand."""
_SAME_BOX, _SAME_TEXT = 0.5, 70.0
"""IoU and ratio of characters from which two lines are one."""


class ClipTextConfig(Settings):
    """Nothing to choose."""


def measure_clip_text(cases: Iterable[Case], _cfg: ClipTextConfig) -> Iterator[ClipTextScore]:
    """One score a trace, in order."""
    for case in cases:
        read = _read_of(case.clip, case)
        share = sum(map(covered, read)) / len(read) if read else None
        lasting = _lasting_share(read) if read and len(case.clip.scenes) > 1 else None
        for trace in case.traces:
            yield ClipTextScore(trace_id=trace.trace_id, text_share=share, lasting_text_share=lasting)


def covered(text: FrameText) -> float:
    """Share of a frame that its lines cover; lines hardly overlap, so that their areas add up."""
    return min(1.0, sum(map(_area, text.lines)))


def _read_of(clip: Clip, case: Case) -> list[FrameText]:
    frames = {each.sha256: each for each in (*clip.keyframes, *clip.timeline)}
    times = sorted(frames.values(), key=lambda each: each.time_s)
    return [case.texts[each.sha256] for each in times if each.sha256 in case.texts]


def _lasting_share(read: Sequence[FrameText]) -> float:
    """Of the lines of the frame in the middle that nearly all others have as well."""
    middle = read[len(read) // 2]
    lasting = [line for line in middle.lines if _times_there(line, read) >= _LASTS * len(read)]
    return min(1.0, sum(map(_area, lasting)))


def _times_there(line: TextLine, read: Sequence[FrameText]) -> int:
    return sum(any(_is_same(line, other) for other in each.lines) for each in read)


def _is_same(one: TextLine, other: TextLine) -> bool:
    return box_iou(one.box, other.box) >= _SAME_BOX and fuzz.ratio(one.label, other.label) >= _SAME_TEXT


def _area(line: TextLine) -> float:
    inside = line.within_frame()
    return max(0.0, inside.right - inside.left) * max(0.0, inside.bottom - inside.top)


def rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """Slides and banners are not what everyone wants to learn from."""
    return (
        Rule(
            "much_text",
            "text covers too much of its clip's frames",
            pl.col("text_share") > policy.max_text_share,
            "max_text_share",
        ),
        Rule(
            "lasting_text",
            "text stays over its clip's cuts, as a watermark does",
            pl.col("lasting_text_share") > policy.max_lasting_text_share,
            "max_lasting_text_share",
        ),
    )


CHECK = Check(
    "clip_text", VERSION, measure_clip_text, ClipTextConfig, ClipTextScore, "text", rules, of_question=True
)
