"""Questions, frames of clips and frames shown -> which questions are repeats, as over all parts."""

import polars as pl

from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_clips, duplicate_questions


def repeated_questions(
    questions: pl.DataFrame, frames: pl.DataFrame, shown: pl.DataFrame, cfg: DuplicateConfig
) -> pl.DataFrame:
    """`duplicate_questions` of columns `question_id`, `clip_id`, `text`, `proof`; frames are hex digits.

    `frames` has `clip_id` and `phash`, `shown` has `question_id` and `phash`, one row a frame, in order.
    """
    bits = pl.col("phash").str.to_integer(base=16, dtype=pl.UInt64)
    views = shown.group_by("question_id").agg(bits.alias("view"))
    seen = questions.join(duplicate_clips(frames, cfg), on="clip_id", how="left", maintain_order="left").join(
        views, on="question_id", how="left", maintain_order="left"
    )
    return duplicate_questions(seen.with_columns(pl.coalesce("group", "clip_id").alias("clip")), cfg)
