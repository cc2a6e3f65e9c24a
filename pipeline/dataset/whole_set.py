"""All parts together -> what no part tells alone: repeated questions, like videos, contamination."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.disk.store import Store
from reelproof.stages.duplicates.contamination import (
    ContaminationConfig,
    EvaluationSet,
    find_contamination,
)
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_questions, duplicate_videos

VERSION = 2

QUESTION_COLUMNS = ("question_id", "clip_id", "video_id", "source", "kind", "text", "options", "answer")
_LETTERS = pl.DataFrame({"answer": list(string.ascii_uppercase), "place": range(26)})


class CurrentPart(NamedTuple):
    """A part as far as it counts: names of its files in the build's store, and its videos."""

    footage: str
    clips: str
    questions: str
    video_ids: tuple[str, ...]
    """Those that are among the sources now, and that no later part tried again."""


@dataclass(frozen=True)
class NearDuplicates:
    """What was found over all parts. Ids that are not listed have no near-duplicate."""

    questions: pl.DataFrame
    """`question_id`, `question_duplicate_of` (an earlier question, or null)."""
    videos: pl.DataFrame
    """`video_id`, `group`: the first video of those that show nearly the same."""


def find_near_duplicates(store: Store, parts: Sequence[CurrentPart], cfg: DuplicateConfig) -> NearDuplicates:
    """Compare all parts with each other; rows of videos that do not count any more, with nothing."""
    questions, frames = _all_questions(store, parts), _all_frames(store, parts)
    with_options = questions.with_columns(pl.concat_str("text", "options", separator=" ").alias("text"))
    shown = pl.concat([_shown(store, part) for part in parts])
    shown = shown.join(questions, on="question_id", how="semi", maintain_order="left")
    repeated = duplicate_questions(with_options, frames.select("clip_id", "phash"), shown, cfg).rename(
        {"duplicate_of": "question_duplicate_of"}
    )
    return NearDuplicates(repeated, duplicate_videos(frames.select("video_id", "phash"), cfg))


def find_contaminated(
    store: Store,
    parts: Sequence[CurrentPart],
    sets: Sequence[EvaluationSet],
    overlap: ContaminationConfig,
) -> pl.DataFrame:
    """Compare all parts with evaluation sets: `question_id`, `contaminated` (null where no set was named)."""
    if not sets:
        return pl.DataFrame(schema={"question_id": pl.String, "contaminated": pl.Boolean})
    questions, frames = _all_questions(store, parts), _all_frames(store, parts)
    clips = frames.select("clip_id", "phash")
    held = {each.question_id for each in find_contamination(questions, clips, sets, overlap)}
    return questions.select("question_id", pl.col("question_id").is_in(sorted(held)).alias("contaminated"))


def _all_questions(store: Store, parts: Sequence[CurrentPart]) -> pl.DataFrame:
    return pl.concat([_current(_questions(store, part), part) for part in parts])


def _all_frames(store: Store, parts: Sequence[CurrentPart]) -> pl.DataFrame:
    return pl.concat([_current(_frames(store, part), part) for part in parts])


def _current(rows: pl.DataFrame, part: CurrentPart) -> pl.DataFrame:
    return rows.filter(pl.col("video_id").is_in(part.video_ids))


def _questions(store: Store, part: CurrentPart) -> pl.DataFrame:
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


def _shown(store: Store, part: CurrentPart) -> pl.DataFrame:
    """`question_id`, `phash`: one row a frame that a question shows, in its order."""
    rows = read_columns(store, part.questions, ("question_id", "frames.list.element.frame.phash"))
    frames = rows["frames"].combine_chunks()
    owner = rows["question_id"].combine_chunks().take(pc.list_parent_indices(frames))
    phash = pc.struct_field(pc.list_flatten(frames), ["frame", "phash"])
    return pl.DataFrame(pa.table({"question_id": owner, "phash": phash}))


def _frames(store: Store, part: CurrentPart) -> pl.DataFrame:
    """`video_id`, `clip_id`, `phash`: one row a keyframe of a clip."""
    clips = read_columns(store, part.clips, ("clip_id", "video_id", "keyframes.list.element.phash"))
    keyframes = clips["keyframes"].combine_chunks()
    owner = pc.list_parent_indices(keyframes)
    columns = {name: clips[name].combine_chunks().take(owner) for name in ("video_id", "clip_id")}
    return pl.DataFrame(pa.table({**columns, "phash": pc.struct_field(pc.list_flatten(keyframes), "phash")}))
