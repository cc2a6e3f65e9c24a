"""All parts together -> what is repeated, held in evaluation sets, held out, and kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from reelproof.pipeline.dataset.blocks import Block
from reelproof.pipeline.dataset.shard_plan import count_reasons
from reelproof.pipeline.dataset.shards import add_reasons
from reelproof.pipeline.dataset.whole_set import VERSION, Alike, find_contaminated, find_near_duplicates
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.inputs.evaluation_sets import read_evaluation_sets
from reelproof.pipeline.parts.step import Outside, WholeStep
from reelproof.pipeline.parts.whole import WholeRun
from reelproof.pipeline.steps.answers import PROVENANCE, TRACES
from reelproof.pipeline.steps.decided_rows import (
    RowsByBlock,
    blocks_in,
    counts_now,
    current_parts,
    found_over_all,
    measured_in,
    parts_of,
    some_at_once,
    verdicts_of,
)
from reelproof.pipeline.steps.embedding import QUESTION_EMBEDDING, SEMANTIC_DUPLICATES
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.steps.scores import REPEATS, SCORES
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.record import Record
from reelproof.stages import deciding, luck_pools, splits
from reelproof.stages.deciding import find_cuts
from reelproof.stages.duplicates import contamination, contradictions, meaning, near
from reelproof.stages.duplicates.contamination import ContaminationConfig
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.splits import SplitsConfig, assign_splits


class Repeats(Record):
    """What comparing all parts came to."""

    questions: int
    """That ask what an earlier one asks, in nearly its words."""
    videos: int
    """That show what another shows."""


def compare_parts(run: WholeRun, cfg: DuplicateConfig) -> Repeats:
    """Leave `questions` (see `NearDuplicates`) and `videos` (video_id, group)."""
    found = find_near_duplicates(run.store, current_parts(run), cfg, alike=_alike(run))
    run.write_table("questions", found.questions)
    run.write_table("videos", found.videos)
    repeated = found.questions["question_duplicate_of"].drop_nulls()
    return Repeats(questions=len(repeated), videos=len(found.videos))


def _alike(run: WholeRun) -> Alike | None:
    if SEMANTIC_DUPLICATES.name not in run.task.folders:
        return None
    return Alike(*(run.table(SEMANTIC_DUPLICATES.name, name) for name in Alike._fields))


NEAR_DUPLICATES = WholeStep(
    name="near-duplicates",
    version=VERSION,
    versions=(near.VERSION, contradictions.VERSION, meaning.VERSION),
    run=compare_parts,
    sections=("duplicates",),
    makes=Repeats,
    leaves=lambda _: ("questions", "videos"),
    after=(FOOTAGE, CLIPS, QUESTIONS),
    also=(QUESTION_EMBEDDING, SEMANTIC_DUPLICATES),
)


class Held(Record):
    """What comparing with evaluation sets came to."""

    questions: int | None
    """That are held in one; null where none was named."""


def compare_with_evaluation_sets(run: WholeRun, overlap: ContaminationConfig) -> Held:
    """Leave `questions` (question_id, contaminated)."""
    found = find_contaminated(run.store, current_parts(run), run.task.outside, overlap)
    run.write_table("questions", found)
    known = found["contaminated"].drop_nulls()
    return Held(questions=int(known.sum()) if run.task.outside else None)


def _evaluation_sets(build: Any) -> Outside:
    named = read_evaluation_sets(build.recipe.contamination.sets)
    return Outside(named.sets, named.digests)


CONTAMINATION = WholeStep(
    name="contamination",
    version=VERSION,
    versions=(contamination.VERSION,),
    run=compare_with_evaluation_sets,
    sections=("contamination.overlap",),
    makes=Held,
    leaves=lambda _: ("questions",),
    after=(FOOTAGE, CLIPS, QUESTIONS),
    outside=_evaluation_sets,
)


class SplitSizes(Record):
    """Videos in each split."""

    train: int
    test: int


def split_videos(run: WholeRun, cfg: SplitsConfig) -> SplitSizes:
    """Leave `videos` (video_id, split); near-duplicates together, whatever the source says of one of them."""
    said = {row.video_id: row.split for part in run.parts for row in part.given if row.split is not None}
    groups = dict(run.table("near-duplicates", "videos").select("video_id", "group").iter_rows())
    every = (video_id for part in run.parts for video_id in part.part.video_ids)
    found = assign_splits(every, groups, cfg.test_share, cfg.seed, said)
    schema = {"video_id": pl.String, "split": pl.String}
    run.write_table("videos", pl.DataFrame(list(found.items()), schema=schema, orient="row"))
    held_out = sum(split == "test" for split in found.values())
    return SplitSizes(train=len(found) - held_out, test=held_out)


SPLITS = WholeStep(
    name="splits",
    version=splits.VERSION,
    run=split_videos,
    sections=("splits",),
    makes=SplitSizes,
    leaves=lambda _: ("videos",),
    after=(NEAR_DUPLICATES,),
)


class Decided(Record):
    """What a policy keeps."""

    sft: int
    rl: int
    dpo: int
    rejected: Mapping[str, int]
    """Reason -> traces."""
    traces: int
    """That count: of videos that are among the sources."""
    blocks: int
    """Files that hold the verdicts."""


MEMBERSHIP = ("sft", "rl", "reasons", "chosen", "pair_reason", "published")
"""What is kept of a verdict: the words of a row are in its block, once."""


def decide_all(run: WholeRun, policy: PolicyConfig) -> Decided:
    """Leave `verdicts-00000`, …: one per block, one row per trace in the order of the measurements."""
    blocks = blocks_in(run)
    found = found_over_all(run)

    def counting(some: Sequence[Block]) -> pl.DataFrame:
        rows = measured_in(run.store, found, some)
        return rows.filter(counts_now(rows, parts_of(run, some), some[0].first))

    cuts = find_cuts(RowsByBlock(blocks, counting), policy)

    def decide_some(some: Sequence[Block]) -> Decided:
        rows = measured_in(run.store, found, some)
        verdicts = verdicts_of(rows, parts_of(run, some), policy, cuts, some[0].first).select(MEMBERSHIP)
        for block in some:
            own = rows["part"].is_between(block.first, block.first + len(block.parts) - 1)
            run.write_table(f"verdicts-{block.number:05d}", verdicts.filter(own))
        return Decided(
            sft=int(verdicts["sft"].sum()),
            rl=int(verdicts["rl"].sum()),
            dpo=verdicts["chosen"].count(),
            rejected=count_reasons(verdicts["reasons"]),
            traces=int(verdicts["published"].sum()),
            blocks=len(some),
        )

    told = side_by_side(run.store, decide_some, some_at_once(blocks))
    return Decided(
        sft=sum(each.sft for each in told),
        rl=sum(each.rl for each in told),
        dpo=sum(each.dpo for each in told),
        rejected=add_reasons(each.rejected for each in told),
        traces=sum(each.traces for each in told),
        blocks=len(blocks),
    )


POLICY = WholeStep(
    name="policy",
    version=deciding.VERSION,
    versions=(luck_pools.VERSION,),
    run=decide_all,
    sections=("policy",),
    makes=Decided,
    leaves=lambda decided: tuple(f"verdicts-{number:05d}" for number in range(decided.blocks)),
    after=(QUESTIONS, TRACES, PROVENANCE, REPEATS, NEAR_DUPLICATES, CONTAMINATION),
    also=(*SCORES, SEMANTIC_DUPLICATES),
)
