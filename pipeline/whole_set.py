"""All parts together -> what no part can tell alone: repeated questions, near-duplicate videos."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.fingerprint import fingerprint
from pipeline.part_files import PartFiles, read_columns
from pipeline.store import Store
from stages import duplicates
from stages.duplicates import DuplicateConfig, duplicate_questions, duplicate_videos

QUESTION_COLUMNS = ("question_id", "clip_id", "text", "options")


@dataclass(frozen=True)
class WholeSet:
    """What was found over all parts. Ids that are not listed have no near-duplicate."""

    questions: pl.DataFrame
    """`question_id`, `question_duplicate_of` (an earlier question, or null)."""
    videos: pl.DataFrame
    """`video_id`, `group`: the first video of those that show nearly the same."""


def examine_whole_set(store: Store, parts: Sequence[PartFiles], cfg: DuplicateConfig) -> WholeSet:
    """Compare questions and videos across all parts; an earlier result for the same parts is reused."""
    key = fingerprint("whole-set", duplicates.VERSION, cfg, [part.identity for part in parts])
    names = {table: f"parts/whole-set-{key}/{table}.parquet" for table in ("questions", "videos")}
    if not all(store.exists(name) for name in names.values()):
        found = _compare(store, parts, cfg)
        store.write_table(names["questions"], found.questions.to_arrow())
        store.write_table(names["videos"], found.videos.to_arrow())
        return found
    return WholeSet(*(pl.DataFrame(read_columns(store, name)) for name in names.values()))


def _compare(store: Store, parts: Sequence[PartFiles], cfg: DuplicateConfig) -> WholeSet:
    questions = pl.concat([_questions(store, part) for part in parts])
    frames = pl.concat([_frames(store, part) for part in parts])
    repeated = duplicate_questions(questions, frames.select("clip_id", "phash"), cfg)
    groups = duplicate_videos(frames.select("video_id", "phash"), cfg)
    return WholeSet(repeated.rename({"duplicate_of": "question_duplicate_of"}), groups)


def _questions(store: Store, part: PartFiles) -> pl.DataFrame:
    """Ids, and the text with its options: the same words about other options are another question."""
    rows = pl.DataFrame(read_columns(store, part.questions, QUESTION_COLUMNS))
    text = pl.concat_str("text", pl.col("options").list.join(" "), separator=" ")
    return rows.select("question_id", "clip_id", text.alias("text"))


def _frames(store: Store, part: PartFiles) -> pl.DataFrame:
    """`video_id`, `clip_id`, `phash`: one row a keyframe of a clip."""
    clips = read_columns(store, part.clips, ("clip_id", "video_id", "keyframes.list.element.phash"))
    keyframes = clips["keyframes"].combine_chunks()
    owner = pc.list_parent_indices(keyframes)
    columns = {name: clips[name].combine_chunks().take(owner) for name in ("video_id", "clip_id")}
    return pl.DataFrame(pa.table({**columns, "phash": pc.struct_field(pc.list_flatten(keyframes), "phash")}))
