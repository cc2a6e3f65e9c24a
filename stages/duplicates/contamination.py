"""Questions and evaluation sets -> which questions a set holds too: by words, video or look of the frames."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from reelproof.schemas.balance import Contamination
from reelproof.schemas.settings import Settings
from reelproof.schemas.source import VIDEO_ENDINGS
from reelproof.stages.duplicates.bands import MOST_BITS, Hashes, which_are_near
from reelproof.stages.duplicates.frames import as_bits, tells_something
from reelproof.stages.duplicates.text import runs, word_hashes

VERSION = 2

_QUESTION_COLUMNS = ("question", "problem", "text", "query", "sentence", "caption")
_VIDEO_COLUMNS = ("video", "video_id", "videoID", "video_name", "video_path", "path", "vid")
_ENDINGS = VIDEO_ENDINGS | {"gif"}
"""Some sets name their videos as the GIFs that they were."""
_FRAME_COLUMNS = ("phash", "frame_phash")


class ContaminationConfig(Settings):
    """From how much overlap a question counts as held by a set."""

    run_words: int = Field(default=8, ge=1, le=32)
    """Words of a run; a shorter question is held if a set asks the very same."""
    min_words: int = Field(default=5, ge=1)
    """Shorter questions are asked of many videos: their words alone tell nothing."""
    min_overlap: float = Field(default=0.6, gt=0, le=1)
    """Share of a question's runs of words that a set holds."""
    frame_bits: int = Field(default=6, ge=0, le=MOST_BITS)
    """Bits of 64 in which the perceptual hashes of two frames that look alike may differ."""
    min_frame_share: float = Field(default=0.5, gt=0, le=1)
    """Share of a clip's frames that look like frames of a set."""


class EvaluationSet(NamedTuple):
    """A named set that must not be trained on."""

    name: str
    questions: pl.Series
    """Texts."""
    videos: frozenset[str]
    """Ids, or file names without folder and extension, lower case."""
    phashes: Hashes


def read_evaluation_set(name: str, table: pl.DataFrame) -> EvaluationSet:
    """A set out of a file's rows: questions, videos and frames, by the first column of each kind that it has.

    Columns: `question` (or `problem`, `text`, `query`, `sentence`, `caption`), `video` (or `video_id`,
    `videoID`, `video_name`, `video_path`, `path`, `vid`) and `phash` (16 hex digits, or a list of them).

    Raises ValueError where a set has none of them.
    """
    question, video, phash = (
        next((column for column in known if column in table.columns), None)
        for known in (_QUESTION_COLUMNS, _VIDEO_COLUMNS, _FRAME_COLUMNS)
    )
    if question is None and video is None and phash is None:
        raise ValueError(
            f"evaluation set {name}: expected a column of {', '.join(_QUESTION_COLUMNS)} (texts), "
            f"{', '.join(_VIDEO_COLUMNS)} (videos) or phash (frames); got {', '.join(table.columns)}"
        )
    frames = table[phash].explode().drop_nulls() if phash else pl.Series([], dtype=pl.String)
    hashes = as_bits(frames)
    return EvaluationSet(
        name=name,
        questions=table[question].cast(pl.String).drop_nulls().unique(maintain_order=True)
        if question
        else pl.Series([], dtype=pl.String),
        videos=frozenset(video_stem(str(each)) for each in table[video].drop_nulls())
        if video
        else frozenset(),
        phashes=np.unique(hashes[tells_something(hashes)]),
    )


def video_stem(name: str) -> str:
    """A video's id or file name without folder and extension, lower case; an id may hold other dots."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    stem, dot, extension = last.rpartition(".")
    return stem if dot and stem and extension in _ENDINGS else last


def find_contamination(
    questions: pl.DataFrame, frames: pl.DataFrame, sets: Sequence[EvaluationSet], cfg: ContaminationConfig
) -> Iterator[Contamination]:
    """Every question that a set holds, once for each set and way in which it does, in the order of the sets.

    Args:
        questions: Columns `question_id`, `clip_id`, `video_id`, `video` (file name), `text`.
        frames: Columns `clip_id`, `phash`, one row per frame of a clip.
        sets: What must not be trained on.
        cfg: From how much overlap.
    """
    for held in sets:
        yield from _rows(questions, _by_words(questions["text"], held, cfg), held, "words", cfg.min_overlap)
        yield from _rows(questions, _by_video(questions, held), held, "video", 1.0)
        yield from _rows(
            questions, _by_frames(questions, frames, held, cfg), held, "frames", cfg.min_frame_share
        )


def _rows(
    questions: pl.DataFrame,
    overlap: npt.NDArray[np.float64],
    held: EvaluationSet,
    how: str,
    enough: float,
) -> Iterator[Contamination]:
    for row in np.flatnonzero(overlap >= enough):
        yield Contamination.model_validate(
            {
                "question_id": questions["question_id"][int(row)],
                "evaluation_set": held.name,
                "how": how,
                "overlap": float(overlap[row]),
            }
        )


def _by_words(texts: pl.Series, held: EvaluationSet, cfg: ContaminationConfig) -> npt.NDArray[np.float64]:
    """Share of each text's runs of words that the set holds. (N,) -> (N,)"""
    if not len(held.questions):
        return np.zeros(len(texts))
    words = word_hashes(texts)
    grams = runs(words, cfg.run_words)
    known = np.isin(grams.values, runs(word_hashes(held.questions), cfg.run_words).values)
    row = np.repeat(np.arange(len(texts)), np.diff(grams.starts))
    share = np.bincount(row, known, minlength=len(texts)) / np.maximum(1, np.diff(grams.starts))
    return np.where(np.diff(words.starts) >= cfg.min_words, share, 0.0)


def _by_video(questions: pl.DataFrame, held: EvaluationSet) -> npt.NDArray[np.float64]:
    """1 where the set holds the question's video, by its id or by its file's name. (N,) -> (N,)"""
    names = ("video_id", "video")
    videos = questions.select(names).unique()
    known = [any(video_stem(each) in held.videos for each in row if each) for row in videos.iter_rows()]
    told = videos.with_columns(pl.Series("held", known, dtype=pl.Float64))
    return questions.join(told, on=names, how="left", nulls_equal=True, maintain_order="left")[
        "held"
    ].to_numpy()


def _by_frames(
    questions: pl.DataFrame, frames: pl.DataFrame, held: EvaluationSet, cfg: ContaminationConfig
) -> npt.NDArray[np.float64]:
    """Share of the frames of each question's clip that look like a frame of the set."""
    if not len(held.phashes) or frames.is_empty():
        return np.zeros(len(questions))
    bits = as_bits(frames["phash"])
    looks, place = np.unique(bits, return_inverse=True)
    known = which_are_near(looks, held.phashes, cfg.frame_bits)[place]
    shares = (
        frames.select("clip_id")
        .with_columns(pl.Series("known", known), pl.Series("told", tells_something(bits)))
        .filter("told")
        .group_by("clip_id")
        .agg(pl.col("known").mean())
    )
    joined = questions.join(shares, on="clip_id", how="left", maintain_order="left")
    return joined["known"].fill_null(0.0).to_numpy()
