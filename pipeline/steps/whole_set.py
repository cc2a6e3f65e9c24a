"""All parts together -> what is repeated, held in evaluation sets, held out, and kept."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.dataset.blocks import Block, compact, read_block_measurements, read_measured
from reelproof.pipeline.dataset.compared_rows import CurrentPart
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shard_plan import Verdicts
from reelproof.pipeline.dataset.shards import add_reasons
from reelproof.pipeline.dataset.stats_files import decided_rows
from reelproof.pipeline.dataset.whole_set import VERSION, find_contaminated, find_near_duplicates
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
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
from reelproof.stages.deciding import Cuts, decide, find_cuts
from reelproof.stages.duplicates import contamination, near
from reelproof.stages.duplicates.contamination import ContaminationConfig
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.luck_pools import add_sums, pool_figures, pool_sums, with_figures
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
    blocks: int
    """Files that hold the verdicts."""


def decide_all(run: WholeRun, policy: PolicyConfig) -> Decided:
    """Leave `verdicts-00000`, …: one a block, one row a trace in the order of the measurements."""
    blocks = blocks_in(run)
    found = found_over_all(run)

    def counting(block: Block) -> pl.DataFrame:
        rows = measured_in(run.store, found, block)
        return rows.filter(_counts(rows, _parts_of(run, block), block.first))

    cuts = find_cuts(RowsByBlock(blocks, counting), policy)

    def decide_block(block: Block) -> Decided:
        rows = measured_in(run.store, found, block)
        verdicts = verdicts_of(rows, _parts_of(run, block), policy, cuts, block.first).select(MEMBERSHIP)
        run.write_table(f"verdicts-{block.number:05d}", verdicts)
        reasons = Counter(verdicts["reasons"].explode().drop_nulls().to_list())
        return Decided(
            sft=int(verdicts["sft"].sum()), rl=int(verdicts["rl"].sum()), rejected=reasons, blocks=1
        )

    told = side_by_side(run.store, decide_block, blocks)
    return Decided(
        sft=sum(each.sft for each in told),
        rl=sum(each.rl for each in told),
        rejected=add_reasons(each.rejected for each in told),
        blocks=len(told),
    )


BLOCKS_AT_ONCE = 4
MEMBERSHIP = ("sft", "rl", "reasons", "published")
"""What is kept of a verdict: the words of a row are in its block, once."""


@dataclass(frozen=True)
class RowsByBlock(Collection[pl.DataFrame]):
    """Rows of a build, some blocks' at a time and read anew each time: nobody holds all."""

    blocks: Sequence[Block]
    read: Callable[[Block], pl.DataFrame]

    def __len__(self) -> int:
        return -(-len(self.blocks) // BLOCKS_AT_ONCE)

    def __contains__(self, _: object) -> bool:
        return False

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for start in range(0, len(self.blocks), BLOCKS_AT_ONCE):
            some = self.blocks[start : start + BLOCKS_AT_ONCE]
            yield pl.concat([self.read(block) for block in some], how="vertical_relaxed")


def decided_by_block(run: WholeRun) -> RowsByBlock:
    """Measurements of the rows that count, with `sft` and `rl`."""
    found, told = found_over_all(run), verdicts_by_block(run)
    return RowsByBlock(
        blocks_in(run), lambda block: decided_rows(measured_in(run.store, found, block), told(block))
    )


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


def _counts(measurements: pl.DataFrame, parts: Sequence[PartInputs], first: int) -> pl.Series:
    """Whether each row's video is among the sources, and not tried again in a later part."""
    here = [(first + index, each.video_id) for index, part in enumerate(parts) for each in part.sources]
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
        .alias("published")
    )


def verdicts_of(
    measurements: pl.DataFrame,
    parts: Sequence[PartInputs],
    policy: PolicyConfig,
    cuts: Cuts | None = None,
    first: int = 0,
) -> pl.DataFrame:
    """As `decide` gives them, and `published`: false for videos that are no longer among the sources.

    The parts are all, or some from the `first` on, with the `cuts` of all. A video that was tried again in a
    later part is published from there alone.

    Raises UsageError where a rule of the recipe's own cannot be decided.
    """
    published = _counts(measurements, parts, first)
    if published.all():
        return _decided(measurements, policy, cuts).with_columns(published)
    places = pl.Series("place", range(len(published)), dtype=pl.UInt32).filter(published)
    decided = _decided(measurements.filter(published), policy, cuts).with_columns(places)
    rows = measurements.select("trace_id", published).with_row_index("place")
    verdicts = rows.join(decided.drop("trace_id"), on="place", how="left", maintain_order="left").drop(
        "place"
    )
    return verdicts.with_columns(
        pl.col("sft", "rl").fill_null(False), pl.col("reasons", "rl_reasons").fill_null([])
    )


def _decided(measurements: pl.DataFrame, policy: PolicyConfig, cuts: Cuts | None) -> pl.DataFrame:
    try:
        return decide(measurements, policy, cuts)
    except RuleError as error:
        raise UsageError(str(error)) from None


def blocks_in(run: WholeRun) -> tuple[Block, ...]:
    """All parts in their blocks, made where they are not there."""
    if "blocks" not in run.memo:
        run.memo["blocks"] = compact(run.store, files_of(run), run.spread)
    blocks: tuple[Block, ...] = run.memo["blocks"]
    return blocks


class Whole(NamedTuple):
    """What only all parts together tell."""

    questions: pl.DataFrame
    """`question_id`, `question_duplicate_of`, `contaminated`."""
    pools: pl.DataFrame
    """Of questions of a kind, how they do against luck."""


def found_over_all(run: WholeRun) -> Whole:
    """What steps above left, and the sums of all blocks' pools."""
    if "found" not in run.memo:
        steps = ("near-duplicates", "contamination")
        repeated, held = side_by_side(run.store, lambda step: run.table(step, "questions"), steps)
        joined = repeated.join(held, on="question_id", how="left", maintain_order="left")
        blocks = blocks_in(run)
        sums = side_by_side(run.store, lambda block: _pools(run, block), blocks)
        run.memo["found"] = Whole(joined, pool_figures(add_sums(pl.concat(sums))))
    found: Whole = run.memo["found"]
    return found


def _pools(run: WholeRun, block: Block) -> pl.DataFrame:
    rows = read_measured(run.store, block)
    return pool_sums(rows.filter(_counts(rows, _parts_of(run, block), block.first)))


def _parts_of(run: WholeRun, block: Block) -> Sequence[PartInputs]:
    return run.parts[block.first : block.first + len(block.parts)]


def measured_in(store: Store, found: Whole, block: Block) -> pl.DataFrame:
    """Keys, scores and what was `found` over all parts, one row a trace of a block."""
    return _with(found, read_measured(store, block))


def measured(run: WholeRun) -> pl.DataFrame:
    """The same of all blocks."""
    if "measurements" not in run.memo:
        rows = read_block_measurements(run.store, blocks_in(run))
        run.memo["measurements"] = _with(found_over_all(run), rows)
    measurements: pl.DataFrame = run.memo["measurements"]
    return measurements


def _with(found: Whole, rows: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(found.questions, on="question_id", how="left", maintain_order="left")
    return with_figures(joined, found.pools)


def verdicts_by_block(run: WholeRun) -> Verdicts:
    """What `policy` decided, a block at a time."""
    return partial(_read_verdicts, run.store, run.task.folders["policy"])


def _read_verdicts(store: Store, folder: str, block: Block) -> pl.DataFrame:
    return pl.DataFrame(store.read_table(f"{folder}/verdicts-{block.number:05d}.parquet"))


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
