"""All traces, questions and frames of a build -> which say, ask or show nearly the same as an earlier one."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from reelproof.schemas.settings import Settings
from reelproof.stages.duplicates.bands import MOST_BITS
from reelproof.stages.duplicates.frames import Owned, compare_looks, same_looking
from reelproof.stages.duplicates.shown import same_views
from reelproof.stages.duplicates.text import (
    Ragged,
    estimated_similarity,
    likely_pairs,
    runs,
    signatures,
    word_hashes,
)

VERSION = 6

TRACE_RUN_WORDS, QUESTION_RUN_WORDS = 3, 2
"""Thoughts, and questions, are compared by their runs of so many words."""
_ESTIMATE_ERROR = 0.15
"""How far an estimate from 64 columns may be off; nearer to the threshold the texts are compared."""


class DuplicateConfig(Settings):
    """What counts as nearly the same."""

    trace_similarity: float = Field(default=0.85, ge=0.3, le=1)
    """Jaccard similarity of the runs of words of two thoughts from which they say the same."""
    question_similarity: float = Field(default=0.8, ge=0.3, le=1)
    """The same of two questions that show nearly the same of clips that look nearly the same."""
    frame_bits: int = Field(default=6, ge=0, le=MOST_BITS)
    """Bits of 64 in which the perceptual hashes of two frames that look alike may differ."""
    clip_share: float = Field(default=0.6, gt=0, le=1)
    """Share of each clip's frames that look like one of the other, from which two clips show the same."""
    shown_share: float = Field(default=0.8, gt=0, le=1)
    """Share of two questions' frames that look alike in the same order, from which they show the same."""
    video_share: float = Field(default=0.5, gt=0, le=1)
    """Share of the frames of one of two videos: a video may be part of another."""
    most_owners: int = Field(default=64, ge=2)
    """A frame that more clips or videos show (a title, a test card) does not make them alike."""


def duplicate_traces(traces: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Which earlier trace of the same question thinks nearly the same, and answers the same.

    Args:
        traces: Columns `trace_id`, `question_id`, `answer` (null where there is none; case and outer space
            tell nothing) and `text` (the thought), in the order that makes one earlier.
        cfg: What counts as nearly the same.

    Returns:
        Columns `trace_id`, `duplicate_of` (null for the first of its kind), in the order of `traces`.
    """
    said = pl.col("answer").fill_null("").str.strip_chars().str.to_lowercase()
    grouped = traces.with_columns(pl.concat_str("question_id", said, separator="\x00").alias("group"))
    return _duplicates(grouped, "trace_id", "group", TRACE_RUN_WORDS, cfg.trace_similarity)


def by_what_is_shown(questions: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Questions with a column `group`: those of one group show nearly the same of nearly the same clip.

    Args:
        questions: Columns `clip` (the group of its clip, or the clip that has none), `proof` (what must be
            equal: the answer, where it follows from what is shown), `view` (hashes of the frames that it
            shows, as numbers, in their order; null where it shows none).
        cfg: What counts as nearly the same.
    """
    grouped = questions.with_columns(pl.concat_str("clip", "proof", separator="\x00").alias("group"))
    views = same_views(grouped, cfg.frame_bits, cfg.shown_share)
    return grouped.with_columns(pl.concat_str("group", views.alias("view"), separator="\x00"))


def duplicate_questions(questions: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Which earlier question asks nearly the same, and shows nearly the same of nearly the same clip.

    A word makes another question of one (`left`, `right`), and its answer tells: whose answers differ, ask
    different things, or contradict each other.

    Args:
        questions: Columns `question_id`, `group` (see `by_what_is_shown`), `right` (the answer, as far as it
            must be equal) and `text` (with its options), in the order that makes one earlier. Only questions
            of one group and of one answer are compared.
        cfg: What counts as nearly the same.

    Returns:
        Columns `question_id`, `duplicate_of` (null for the first of its kind), in the order of `questions`.
    """
    answered = questions.with_columns(pl.concat_str("group", "right", separator="\x00").alias("group"))
    return _duplicates(answered, "question_id", "group", QUESTION_RUN_WORDS, cfg.question_similarity)


def duplicate_clips_and_videos(
    phashes: npt.NDArray[np.uint64], clips: Owned, videos: Owned, cfg: DuplicateConfig
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Frames -> clips that show nearly the same as others, and videos that show what others show, or a part.

    Returns:
        Columns `owner` and `group` twice: see `same_looking`.
    """
    looks = compare_looks(phashes, cfg.frame_bits)
    most = cfg.most_owners
    return (
        same_looking(looks, clips, cfg.clip_share, contained=False, most_owners=most),
        same_looking(looks, videos, cfg.video_share, contained=True, most_owners=most),
    )


def _duplicates(rows: pl.DataFrame, key: str, group: str, run_words: int, similarity: float) -> pl.DataFrame:
    company = rows.with_row_index("row").filter(pl.len().over(group) > 1)
    texts, places = company["text"], company["row"].to_numpy()
    signed = signatures(texts, run_words)
    codes = company[group].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    earlier: dict[int, int] = {}
    for first, later in _confirmed(texts, signed, codes, run_words, similarity):
        if first not in earlier and later not in earlier:  # the first of its kind stands for all
            earlier[later] = first
    first_of = np.full(len(rows), -1, np.int64)
    first_of[places[list(earlier)]] = places[list(earlier.values())]
    firsts = pl.Series(first_of).replace(-1, None)
    return rows.select(key, pl.col(key).gather(firsts).alias("duplicate_of"))


def _confirmed(
    texts: pl.Series,
    signed: npt.NDArray[np.uint32],
    codes: npt.NDArray[np.int64],
    run_words: int,
    similarity: float,
) -> Iterator[tuple[int, int]]:
    """Pairs (earlier, later) that are at least so similar, in order of the later, then of the earlier one."""
    found = list(likely_pairs(signed, codes))
    pairs = np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)
    estimated = estimated_similarity(signed, pairs)
    near = np.abs(estimated - similarity) < _ESTIMATE_ERROR
    near &= estimated < 1.0
    sure = (estimated >= similarity) & ~near
    sure[near] = _jaccard(texts, pairs[near], run_words) >= similarity
    kept = pairs[sure]
    for first, later in kept[np.lexsort((kept[:, 0], kept[:, 1]))]:
        yield int(first), int(later)


def _jaccard(texts: pl.Series, pairs: npt.NDArray[np.int64], run_words: int) -> npt.NDArray[np.float64]:
    """Exact similarity of the runs of words of each pair. (P, 2) -> (P,)"""
    rows, places = np.unique(pairs, return_inverse=True)
    grams = runs(word_hashes(texts[rows]), run_words)
    sets = [frozenset(_row(grams, row)) for row in range(len(rows))]
    at = places.reshape(pairs.shape)
    return np.array([len(sets[a] & sets[b]) / len(sets[a] | sets[b]) for a, b in at], np.float64)


def _row(grams: Ragged, row: int) -> list[int]:
    values: list[int] = grams.values[grams.starts[row] : grams.starts[row + 1]].tolist()
    return values
