"""Questions, frames of clips and frames shown -> which questions are repeats, as over all parts."""

import polars as pl

from reelproof.stages.duplicates.frames import Owned, as_bits
from reelproof.stages.duplicates.near import (
    DuplicateConfig,
    by_what_is_shown,
    duplicate_clips_and_videos,
    duplicate_questions,
)


def repeated_questions(
    questions: pl.DataFrame, frames: pl.DataFrame, shown: pl.DataFrame, cfg: DuplicateConfig
) -> pl.DataFrame:
    """`duplicate_questions` of columns `question_id`, `clip_id`, `text`, `proof`, and `right` where answers
    count; frames are hex digits.

    `frames` has `clip_id` and `phash`, `shown` has `question_id` and `phash`, one row a frame, in order.
    """
    bits = pl.col("phash").str.to_integer(base=16, dtype=pl.UInt64)
    views = shown.group_by("question_id").agg(bits.alias("view"))
    seen = questions.join(duplicate_clips(frames, cfg), on="clip_id", how="left", maintain_order="left").join(
        views, on="question_id", how="left", maintain_order="left"
    )
    right = pl.col("right") if "right" in seen.columns else pl.lit("")
    placed = seen.with_columns(pl.coalesce("group", "clip_id").alias("clip"), right.alias("right"))
    return duplicate_questions(by_what_is_shown(placed, cfg), cfg)


def duplicate_clips(frames: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Clips that show nearly the same as others. `clip_id`, `phash` -> `clip_id`, `group`."""
    owned = _owned(frames["clip_id"])
    found, _ = duplicate_clips_and_videos(as_bits(frames["phash"]), owned, owned, cfg)
    return found.rename({"owner": "clip_id"})


def duplicate_videos(frames: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Videos that show what others show, or a part of it. `video_id`, `phash` -> `video_id`, `group`."""
    owned = _owned(frames["video_id"])
    _, found = duplicate_clips_and_videos(as_bits(frames["phash"]), owned, owned, cfg)
    return found.rename({"owner": "video_id"})


def _owned(ids: pl.Series) -> Owned:
    return Owned(ids.rank("dense").to_numpy() - 1, ids.unique().sort())
