"""What was measured of clips' pictures -> columns of their traces, and rules that rest on them."""

from collections.abc import Iterable, Iterator

import polars as pl

from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import ClipQualityScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check, Rule

VERSION = 1


class ClipQualityConfig(Settings):
    """Nothing to choose."""


def measure_clip_quality(cases: Iterable[Case], _cfg: ClipQualityConfig) -> Iterator[ClipQualityScore]:
    """One score a trace, in order."""
    for case in cases:
        measured = case.quality.model_dump(exclude={"clip_id"}) if case.quality else _NOT_MEASURED
        for trace in case.traces:
            yield ClipQualityScore(trace_id=trace.trace_id, **measured)


_NOT_MEASURED = dict.fromkeys(name for name in ClipQualityScore.model_fields if name != "trace_id")


def rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """What curators of footage drop before they look at any text."""
    return (
        Rule("blurred", "its clip is blurred", pl.col("blur") > policy.max_blur, "max_blur"),
        Rule(
            "static",
            "nothing moves for too much of its clip",
            pl.col("static_share") > policy.max_static_share,
            "max_static_share",
        ),
        Rule(
            "black_bars",
            "black bars cover too much of its clip's frames",
            pl.col("bar_share") > policy.max_bar_share,
            "max_bar_share",
        ),
        Rule(
            "colourless",
            "its clip's frames have too little colour",
            pl.col("colourfulness") < policy.min_colourfulness,
            "min_colourfulness",
        ),
    )


CHECK = Check(
    "clip_quality",
    VERSION,
    measure_clip_quality,
    ClipQualityConfig,
    ClipQualityScore,
    "clip_quality",
    rules,
    of_question=True,
)
