"""All parts together -> what is repeated, held in evaluation sets, held out, and kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from reelproof.pipeline.dataset.blocks import compact, read_block_measurements
from reelproof.pipeline.dataset.compared_rows import CurrentPart
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import reason_counts
from reelproof.pipeline.dataset.whole_set import VERSION, find_contaminated, find_near_duplicates
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.evaluation_sets import read_evaluation_sets
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.step import Outside, WholeStep
from reelproof.pipeline.parts.whole import WholeRun
from reelproof.pipeline.steps.answers import TRACES
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.steps.scores import REPEATS, SCORES
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.record import Record
from reelproof.stages import deciding, luck_pools, splits
from reelproof.stages.deciding import decide
from reelproof.stages.duplicates import contamination, near
from reelproof.stages.duplicates.contamination import ContaminationConfig
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.luck_pools import with_pools
from reelproof.stages.policy import RuleError
from reelproof.stages.splits import SplitsConfig, assign_splits


class Repeats(Record):
    """What comparing all parts came to."""

    questions: int
    """That ask what an earlier one asks."""
    videos: int
    """That show what another shows."""


def compare_parts(run: WholeRun, cfg: DuplicateConfig) -> Repeats:
    """Leave `questions` (question_id, question_duplicate_of) and `videos` (video_id, group)."""
    found = find_near_duplicates(run.store, current_parts(run), cfg)
    run.write_table("questions", found.questions)
    run.write_table("videos", found.videos)
    repeated = found.questions["question_duplicate_of"].drop_nulls()
    return Repeats(questions=len(repeated), videos=len(found.videos))


NEAR_DUPLICATES = WholeStep(
    name="near-duplicates",
    version=VERSION,
    versions=(near.VERSION,),
    run=compare_parts,
    sections=("duplicates",),
    makes=Repeats,
    after=(FOOTAGE, CLIPS, QUESTIONS),
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
    after=(NEAR_DUPLICATES,),
)


class Decided(Record):
    """What a policy keeps."""

    sft: int
    rl: int
    rejected: Mapping[str, int]
    """Reason -> traces."""


def decide_all(run: WholeRun, policy: PolicyConfig) -> Decided:
    """Leave `verdicts`, one row a trace in the order of the measurements."""
    found = verdicts_of(measured(run), run.parts, policy)
    run.write_table("verdicts", found)
    run.memo["verdicts"] = found
    return Decided(sft=int(found["sft"].sum()), rl=int(found["rl"].sum()), rejected=reason_counts(found))


POLICY = WholeStep(
    name="policy",
    version=deciding.VERSION,
    versions=(luck_pools.VERSION,),
    run=decide_all,
    sections=("policy",),
    makes=Decided,
    after=(QUESTIONS, TRACES, REPEATS, NEAR_DUPLICATES, CONTAMINATION),
    also=SCORES,
)


def verdicts_of(
    measurements: pl.DataFrame, parts: Sequence[PartInputs], policy: PolicyConfig
) -> pl.DataFrame:
    """As `decide` gives them, and `published`: false for videos that are no longer among the sources.

    A video that was tried again in a later part is published from there alone.
    Raises UsageError where a rule of the recipe's own cannot be decided.
    """
    published = _published(measurements, parts)
    if published.all():
        return _decided(measurements, policy).with_columns(published.alias("published"))
    places = pl.Series("place", range(len(published)), dtype=pl.UInt32).filter(published)
    decided = _decided(measurements.filter(published), policy).with_columns(places)
    rows = measurements.select("trace_id", published.alias("published")).with_row_index("place")
    verdicts = rows.join(decided.drop("trace_id"), on="place", how="left", maintain_order="left").drop(
        "place"
    )
    return verdicts.with_columns(
        pl.col("sft", "rl").fill_null(False), pl.col("reasons", "rl_reasons").fill_null([])
    )


def _published(measurements: pl.DataFrame, parts: Sequence[PartInputs]) -> pl.Series:
    here = [(index, each.video_id) for index, part in enumerate(parts) for each in part.sources]
    current = pl.DataFrame(here, schema={"part": pl.UInt32, "video_id": pl.String}, orient="row")
    return (
        measurements.select("part", "video_id")
        .join(
            current.with_columns(published=pl.lit(True)),
            on=["part", "video_id"],
            how="left",
            maintain_order="left",
        )["published"]
        .fill_null(False)
    )


def _decided(measurements: pl.DataFrame, policy: PolicyConfig) -> pl.DataFrame:
    try:
        return decide(measurements, policy)
    except RuleError as error:
        raise UsageError(str(error)) from None


def measured(run: WholeRun) -> pl.DataFrame:
    """Keys, scores and what was found over all parts, one row a trace."""
    if "measurements" not in run.memo:
        steps = ("near-duplicates", "contamination")
        repeated, held = side_by_side(run.store, lambda step: run.table(step, "questions"), steps)
        found = repeated.join(held, on="question_id", how="left", maintain_order="left")
        blocks = compact(run.store, files_of(run))
        rows = read_block_measurements(run.store, blocks).join(
            found, on="question_id", how="left", maintain_order="left"
        )
        run.memo["measurements"] = with_pools(rows, _published(rows, run.parts))
    measurements: pl.DataFrame = run.memo["measurements"]
    return measurements


def verdicts(run: WholeRun) -> pl.DataFrame:
    """What `policy` decided, one row a trace."""
    if "verdicts" not in run.memo:
        run.memo["verdicts"] = run.table("policy", "verdicts")
    found: pl.DataFrame = run.memo["verdicts"]
    return found


def files_of(run: WholeRun) -> tuple[PartFiles, ...]:
    """Where each part's records are, scores in the registry's order."""
    above = {step.name: step for step in run.task.step.ancestors}
    scores = [above[kind.name] for kind in (*SCORES, REPEATS) if kind.name in above]
    return tuple(
        PartFiles(
            footage=above[FOOTAGE.name].file(part),
            clips=above[CLIPS.name].file(part),
            questions=above[QUESTIONS.name].file(part),
            traces=above[TRACES.name].file(part),
            scores={step.name.removeprefix("score."): step.file(part) for step in scores},
            licenses={source.video_id: source.file.license for source in part.sources},
        )
        for part in run.parts
    )


def current_parts(run: WholeRun) -> list[CurrentPart]:
    """What of each part is compared with the others."""
    above = {step.name: step for step in run.task.step.ancestors}
    return [
        CurrentPart(
            footage=above[FOOTAGE.name].file(part),
            clips=above[CLIPS.name].file(part),
            questions=above[QUESTIONS.name].file(part),
            video_ids=tuple(source.video_id for source in part.sources),
        )
        for part in run.parts
    ]
