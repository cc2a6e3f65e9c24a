"""What all parts hold -> rows of measurements and of verdicts, a block at a time."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import polars as pl

from reelproof.pipeline.dataset.blocks import Block, compact, read_block_measurements, read_measured
from reelproof.pipeline.dataset.compared_rows import CurrentPart
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shard_plan import Verdicts
from reelproof.pipeline.dataset.stats_files import decided_rows
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.whole import WholeRun, read_left
from reelproof.pipeline.steps.answers import PROVENANCE, TRACES
from reelproof.pipeline.steps.calibration import CALIBRATION
from reelproof.pipeline.steps.edited import EDITED
from reelproof.pipeline.steps.embedding import QUESTION_EMBEDDING, SEMANTIC_DUPLICATES
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.steps.scores import REPEATS, SCORES
from reelproof.pipeline.steps.speech import CLIP_SPEECH
from reelproof.schemas.policy import PolicyConfig
from reelproof.stages.deciding import Cuts, decide
from reelproof.stages.luck_pools import (
    POOLED,
    PoolFigures,
    PoolSums,
    add_sums,
    pool_figures,
    pool_sums,
    with_figures,
)
from reelproof.stages.policy import RuleError

BLOCKS_AT_ONCE = 4


@dataclass(frozen=True)
class RowsByBlock(Collection[pl.DataFrame]):
    """Rows of a build, some blocks' at a time and read anew each time: nobody holds all."""

    blocks: Sequence[Block]
    read: Callable[[Sequence[Block]], pl.DataFrame]

    def __len__(self) -> int:
        return -(-len(self.blocks) // BLOCKS_AT_ONCE)

    def __contains__(self, frame: object) -> bool:
        return any(each is frame for each in self)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return map(self.read, some_at_once(self.blocks))


def some_at_once(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    """Blocks in runs that are looked at together: what is asked of each run costs time of its own."""
    return [blocks[start : start + BLOCKS_AT_ONCE] for start in range(0, len(blocks), BLOCKS_AT_ONCE)]


def decided_by_block(run: WholeRun) -> RowsByBlock:
    """Measurements of the rows that count, with `sft` and `rl`."""
    found, told = found_over_all(run), verdicts_by_block(run)
    return RowsByBlock(
        blocks_in(run),
        lambda some: decided_rows(measured_in(run.store, found, some), pl.concat(map(told, some))),
    )


def counts_now(measurements: pl.DataFrame, parts: Sequence[PartInputs], first: int) -> pl.Series:
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
    published = counts_now(measurements, parts, first)
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
    return run.once("blocks", lambda: compact(run.store, files_of(run), run.spread))


class Whole(NamedTuple):
    """What only all parts together tell."""

    questions: pl.DataFrame
    """What `NearDuplicates` holds of them, and `contaminated`."""
    pools: PoolFigures
    """Of questions of a kind, how they do against luck."""
    nearest: pl.DataFrame | None
    """`clip_id`, `nearest_clip`, `nearest_cosine`, where clips have vectors."""


def found_over_all(run: WholeRun) -> Whole:
    """What steps above left, and the sums of all blocks' pools."""
    return run.once("found", lambda: _found(run))


def _found(run: WholeRun) -> Whole:
    steps = ("near-duplicates", "contamination")
    repeated, held = side_by_side(run.store, lambda step: run.table(step, "questions"), steps)
    joined = repeated.join(held, on="question_id", how="left", maintain_order="left")
    sums = side_by_side(run.store, lambda block: _pools(run, block), blocks_in(run))
    embedded = SEMANTIC_DUPLICATES.name in run.task.folders
    nearest = run.table(SEMANTIC_DUPLICATES.name, "nearest") if embedded else None
    return Whole(joined, pool_figures(add_sums(sums)), nearest)


def _pools(run: WholeRun, block: Block) -> PoolSums:
    rows = read_measured(run.store, block, ("part", "video_id", *POOLED))
    return pool_sums(rows.filter(counts_now(rows, parts_of(run, [block]), block.first)))


def parts_of(run: WholeRun, some: Sequence[Block]) -> Sequence[PartInputs]:
    """The parts of which a run of blocks holds what they left."""
    return run.parts[some[0].first : some[-1].first + len(some[-1].parts)]


def measured_in(store: Store, found: Whole, some: Sequence[Block]) -> pl.DataFrame:
    """Keys, scores and what was `found` over all parts, one row per trace of a run of blocks."""
    rows = read_block_measurements(store, some)
    joined = rows.join(found.questions, on="question_id", how="left", maintain_order="left")
    if found.nearest is not None:
        joined = joined.join(found.nearest, on="clip_id", how="left", maintain_order="left")
    return with_figures(joined, found.pools)


def measured(run: WholeRun) -> pl.DataFrame:
    """Keys, scores and what was found over all parts, one row per trace of all blocks."""
    return run.once("measurements", lambda: measured_in(run.store, found_over_all(run), blocks_in(run)))


def verdicts_by_block(run: WholeRun) -> Verdicts:
    """What `policy` decided, a block at a time."""
    return partial(_read_verdicts, run.store, run.task.folders["policy"])


def _read_verdicts(store: Store, folder: str, block: Block) -> pl.DataFrame:
    return read_left(store, folder, f"verdicts-{block.number:05d}")


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
            claims=above[PROVENANCE.name].file(part),
            lines=above[CLIP_SPEECH.name].file(part) if CLIP_SPEECH.name in above else None,
            calibration=above[CALIBRATION.name].file(part) if CALIBRATION.name in above else None,
            edited=above[EDITED.name].file(part) if EDITED.name in above else None,
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
            meanings=above[QUESTION_EMBEDDING.name].file(part) if QUESTION_EMBEDDING.name in above else None,
        )
        for part in run.parts
    ]
