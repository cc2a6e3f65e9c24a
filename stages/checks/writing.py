"""Traces and what is written in frames -> is what they quote there, then, and where they say?"""

from collections.abc import Iterable, Iterator
from functools import partial

import polars as pl
from pydantic import Field

from reelproof.schemas.answers.placed import BoxUnit, places_of
from reelproof.schemas.answers.thought import NEAR_FRAME_S
from reelproof.schemas.answers.writing import WritingFault, quoted_writing
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import WritingScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.checks.check import Check, Rule

VERSION = 5


class WritingConfig(Settings):
    """When a frame stands for a cited time, and how boxes are written."""

    frame_tolerance_s: float = Field(default=NEAR_FRAME_S, ge=0)
    """How far from a cited time a shown frame may be to stand for it."""
    box_unit: BoxUnit = "pixels"
    """As in `claims.box_unit`."""


def measure_writing(cases: Iterable[Case], cfg: WritingConfig) -> Iterator[WritingScore]:
    """One score a trace, in order."""
    for case in cases:
        for trace in case.traces:
            yield _score(case, trace, cfg)


def _score(case: Case, trace: Trace, cfg: WritingConfig) -> WritingScore:
    shown = sorted(
        (each for each in case.question.frames if each.shown_s is not None),
        key=lambda each: each.shown_s or 0.0,
    )
    width, height = (shown[0].frame.width, shown[0].frame.height) if shown else (1, 1)
    places = partial(places_of, width=width, height=height, unit=cfg.box_unit)
    mine = {each.sha256: case.texts[each.sha256] for each in shown if each.sha256 in case.texts}
    found = quoted_writing(trace.thought, shown, mine, places, cfg.frame_tolerance_s)
    faults = [each.fault for each in found if each.is_known]
    return WritingScore(
        trace_id=trace.trace_id,
        text_claims=len(found),
        texts_unread=len(found) - len(faults),
        texts_absent=faults.count(WritingFault.ABSENT),
        texts_at_other_times=faults.count(WritingFault.OTHER_TIME),
        texts_in_other_places=faults.count(WritingFault.OTHER_PLACE),
    )


def rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """What is not written there is known to be wrong whatever a verifier believes."""
    wrong = pl.sum_horizontal("texts_absent", "texts_at_other_times", "texts_in_other_places") > 0
    return (
        Rule(
            "misread_text",
            "its thought quotes what is not written in the frames or boxes that it cites",
            wrong & (not policy.keep_misread_text),
            "keep_misread_text",
        ),
    )


CHECK = Check("writing", VERSION, measure_writing, WritingConfig, WritingScore, "text", rules)
