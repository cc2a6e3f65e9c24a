"""Traces and what was said of them -> scores: a step for each check of the registry, and one for repeats."""

from collections.abc import Iterator, Mapping
from functools import partial

import polars as pl
from pydantic import BaseModel

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import PartStep
from reelproof.pipeline.steps.answers import CLAIMS, PROBES, SUFFICIENCY, TRACES
from reelproof.pipeline.steps.asking import cases_of
from reelproof.pipeline.steps.clip_quality import CLIP_QUALITY
from reelproof.pipeline.steps.footage import CLIPS
from reelproof.pipeline.steps.questions import ASKED, QUESTIONS
from reelproof.pipeline.steps.speech import CLIP_SPEECH
from reelproof.pipeline.steps.written import TEXT
from reelproof.schemas.scores import RepeatScore, Score
from reelproof.stages.checks.check import Check
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.duplicates import near
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_traces

NEEDS: Mapping[str, tuple[PartStep, ...]] = {
    "traces": (),
    "probes": (PROBES,),
    "claims": (CLAIMS,),
    "sufficiency": (SUFFICIENCY,),
    "asked": (ASKED,),
    "text": (TEXT,),
    "clip_quality": (CLIP_QUALITY,),
    "speech": (CLIP_SPEECH,),
    "heard": (PROBES, CLIP_SPEECH),
}
"""What a check needs -> the steps that it comes after, beside those that every check does."""


ALSO: Mapping[str, tuple[PartStep, ...]] = {"citations": (CLIP_SPEECH,)}
"""Check -> the steps that it comes after where the recipe has them."""


def measure(check: Check, run: PartRun, cfg: BaseModel) -> Iterator[Score]:
    """One check's scores, a row per trace in the order of the traces file."""
    return check.measure(cases_of(run), cfg)


SCORES = tuple(
    PartStep(
        name=f"score.{check.name}",
        version=check.version,
        run=partial(measure, check),
        sections=(f"checks.{check.name}",),
        makes=check.score,
        after=(CLIPS, QUESTIONS, TRACES, *NEEDS[check.needs]),
        also=ALSO.get(check.name, ()),
    )
    for check in CHECKS
)


def find_repeats(run: PartRun, cfg: DuplicateConfig) -> Iterator[RepeatScore]:
    """Which thoughts say nearly what an earlier rollout of the same question says that answers the same."""
    columns = ["trace_id", "question_id", "answer", "thought"]
    traces = pl.DataFrame(run.store.read_table(run.above["traces"], columns=columns)).rename(
        {"thought": "text"}
    )
    for row in duplicate_traces(traces, cfg).iter_rows(named=True):
        yield RepeatScore(**row)


REPEATS = PartStep(
    name="score.repeats",
    version=near.VERSION,
    run=find_repeats,
    sections=("duplicates",),
    makes=RepeatScore,
    after=(TRACES,),
)
