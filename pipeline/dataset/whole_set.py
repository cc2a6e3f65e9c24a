"""All parts together -> what no part tells alone: repeated questions, like videos, contamination."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.dataset.part_files import PartFiles, read_columns
from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.inputs.evaluation_sets import DecontaminationConfig, NamedSets, read_evaluation_sets
from reelproof.stages.duplicates import contamination as duplicates_evaluation
from reelproof.stages.duplicates import near as duplicates
from reelproof.stages.duplicates.contamination import ContaminationConfig, find_contamination
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_questions, duplicate_videos

VERSION = 2

QUESTION_COLUMNS = ("question_id", "clip_id", "video_id", "source", "kind", "text", "options", "answer")
_LETTERS = pl.DataFrame({"answer": list(string.ascii_uppercase), "place": range(26)})


class CurrentPart(NamedTuple):
    """A part as far as it counts."""

    files: PartFiles
    video_ids: tuple[str, ...]
    """Those of its videos that are among the sources now, and that no later part tried again."""


@dataclass(frozen=True)
class WholeSet:
    """What was found over all parts. Ids that are not listed have no near-duplicate."""

    questions: pl.DataFrame
    """`question_id`, `question_duplicate_of` (an earlier question, or null), `contaminated` (null where no
    evaluation set was named)."""
    videos: pl.DataFrame
    """`video_id`, `group`: the first video of those that show nearly the same."""


def examine_whole_set(
    store: Store, parts: Sequence[CurrentPart], cfg: DuplicateConfig, against: DecontaminationConfig
) -> WholeSet:
    """Compare all parts with each other and with evaluation sets; an earlier result for the same is reused.

    Rows of videos that do not count any more are compared with nothing.

    Raises UsageError for an evaluation set that cannot be read.
    """
    named = read_evaluation_sets(against.sets)
    key = fingerprint(
        "whole-set",
        VERSION,
        [cfg, against.overlap, named.digests, duplicates.VERSION, duplicates_evaluation.VERSION],
        ["\n".join((part.files.identity, *part.video_ids)) for part in parts],
    )
    names = {table: f"parts/whole-set-{key}/{table}.parquet" for table in ("questions", "videos")}
    if not all(store.exists(name) for name in names.values()):
        found = _compare(store, parts, cfg, named, against.overlap)
        store.write_table(names["questions"], found.questions.to_arrow())
        store.write_table(names["videos"], found.videos.to_arrow())
        return found
    return WholeSet(*(pl.DataFrame(read_columns(store, name)) for name in names.values()))


def _compare(
    store: Store,
    parts: Sequence[CurrentPart],
    cfg: DuplicateConfig,
    named: NamedSets,
    overlap: ContaminationConfig,
) -> WholeSet:
    questions = pl.concat([_current(_questions(store, part.files), part) for part in parts])
    frames = pl.concat([_current(_frames(store, part.files), part) for part in parts])
    clips = frames.select("clip_id", "phash")
    with_options = questions.with_columns(pl.concat_str("text", "options", separator=" ").alias("text"))
    shown = pl.concat([_shown(store, part.files) for part in parts])
    shown = shown.join(questions, on="question_id", how="semi", maintain_order="left")
    repeated = duplicate_questions(with_options, clips, shown, cfg).rename(
        {"duplicate_of": "question_duplicate_of"}
    )
    held = {each.question_id for each in find_contamination(questions, clips, named.sets, overlap)}
    contaminated = pl.col("question_id").is_in(sorted(held)) if named.sets else pl.lit(None, pl.Boolean)
    groups = duplicate_videos(frames.select("video_id", "phash"), cfg)
    return WholeSet(repeated.with_columns(contaminated.alias("contaminated")), groups)


def _current(rows: pl.DataFrame, part: CurrentPart) -> pl.DataFrame:
    return rows.filter(pl.col("video_id").is_in(part.video_ids))


def _questions(store: Store, part: PartFiles) -> pl.DataFrame:
    """Ids, the name of the video's file, the text, the options as one text, and the proof of the answer."""
    rows = pl.DataFrame(read_columns(store, part.questions, QUESTION_COLUMNS))
    videos = read_columns(store, part.footage, ("video.video_id", "video.name"))["video"].combine_chunks()
    names = pl.DataFrame(
        {
            "video_id": pl.Series(pc.struct_field(videos, "video_id"), dtype=pl.String),
            "video": pl.Series(pc.struct_field(videos, "name"), dtype=pl.String),
        }
    )
    rows = _with_proof(rows).with_columns(pl.col("options").list.join(" "))
    return rows.join(
        names.unique("video_id", maintain_order=True), on="video_id", how="left", maintain_order="left"
    )


def _with_proof(rows: pl.DataFrame) -> pl.DataFrame:
    """A computed answer follows from what is shown: where it is another, so is what is shown."""
    right = pl.col("options").list.get(pl.col("place"), null_on_oob=True)
    computed = pl.concat_str("kind", pl.coalesce(right, "answer"), separator="\x00")
    return rows.join(_LETTERS, on="answer", how="left", maintain_order="left").with_columns(
        proof=pl.when(pl.col("source") == "computed").then(computed).otherwise(pl.lit(""))
    )


def _shown(store: Store, part: PartFiles) -> pl.DataFrame:
    """`question_id`, `phash`: one row a frame that a question shows, in its order."""
    rows = read_columns(store, part.questions, ("question_id", "frames.list.element.frame.phash"))
    frames = rows["frames"].combine_chunks()
    owner = rows["question_id"].combine_chunks().take(pc.list_parent_indices(frames))
    phash = pc.struct_field(pc.list_flatten(frames), ["frame", "phash"])
    return pl.DataFrame(pa.table({"question_id": owner, "phash": phash}))


def _frames(store: Store, part: PartFiles) -> pl.DataFrame:
    """`video_id`, `clip_id`, `phash`: one row a keyframe of a clip."""
    clips = read_columns(store, part.clips, ("clip_id", "video_id", "keyframes.list.element.phash"))
    keyframes = clips["keyframes"].combine_chunks()
    owner = pc.list_parent_indices(keyframes)
    columns = {name: clips[name].combine_chunks().take(owner) for name in ("video_id", "clip_id")}
    return pl.DataFrame(pa.table({**columns, "phash": pc.struct_field(pc.list_flatten(keyframes), "phash")}))
