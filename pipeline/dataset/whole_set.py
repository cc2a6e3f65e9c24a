"""All parts together -> what no part tells alone: repeated questions, like videos, contamination."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from reelproof.pipeline.dataset.buckets import Buckets
from reelproof.pipeline.dataset.compared_rows import CurrentPart, read_asked, read_frames, read_questions
from reelproof.pipeline.dataset.part_files import read_metadata
from reelproof.pipeline.disk.store import Store
from reelproof.stages.duplicates.contamination import (
    ContaminationConfig,
    EvaluationSet,
    find_contamination,
)
from reelproof.stages.duplicates.contradictions import contradictions
from reelproof.stages.duplicates.frames import Owned, as_bits
from reelproof.stages.duplicates.meaning import asked_again
from reelproof.stages.duplicates.near import (
    DuplicateConfig,
    by_what_is_shown,
    duplicate_clips_and_videos,
    duplicate_questions,
)
from reelproof.stages.duplicates.semantic import merged

VERSION = 4

QUESTIONS_AT_ONCE = 50_000
_NOT_REPEATED = pl.DataFrame(
    schema={
        "place": pl.UInt32,
        "question_id": pl.String,
        "question_duplicate_of": pl.String,
        "contradicted_by": pl.String,
    }
)


@dataclass(frozen=True)
class NearDuplicates:
    """What was found over all parts. Ids that are not listed have no near-duplicate."""

    questions: pl.DataFrame
    """`question_id`, `question_duplicate_of` (an earlier question, or null), `contradicted_by` (another
    question, or null); where questions have vectors also `semantic_duplicate_of`, `semantic_cosine`."""
    videos: pl.DataFrame
    """`video_id`, `group`: the first video of those that show nearly the same."""


class Alike(NamedTuple):
    """What shows much the same by its vectors: `owner` and `group` each."""

    clips: pl.DataFrame
    videos: pl.DataFrame


def find_near_duplicates(
    store: Store,
    parts: Sequence[CurrentPart],
    cfg: DuplicateConfig,
    at_once: int = QUESTIONS_AT_ONCE,
    alike: Alike | None = None,
) -> NearDuplicates:
    """Compare all parts with each other; rows of videos that do not count any more, with nothing.

    What is `alike` by its vectors goes together as well as what looks alike.

    Held for all parts at once are 16 bytes per frame and the ids; questions are compared so many at once, and
    wait in files until then.
    """
    clips, videos = _going_together(_same_looking(store, parts, cfg), alike)
    with Buckets(_bucket_count(store, parts, at_once)) as buckets:
        for rows in _batches((read_asked(store, part) for part in parts), at_once):
            placed = rows.join(clips, on="clip_id", how="left", maintain_order="left")
            clip = pl.coalesce("group", "clip_id").alias("clip")
            buckets.add(placed.with_columns(clip).drop("clip_id", "group"), "clip")
        found = [rows.select("place").hstack(_repeated(rows.drop("place"), cfg)) for rows in buckets.each()]
    repeated = pl.concat([_NOT_REPEATED, *found], how="diagonal").sort("place")
    return NearDuplicates(repeated.drop("place"), videos)


def _repeated(questions: pl.DataFrame, cfg: DuplicateConfig) -> pl.DataFrame:
    """Which ask nearly the same in nearly the same words and, where they have vectors, in others; and which
    contradict each other, and so repeat nothing.
    """
    grouped = by_what_is_shown(questions, cfg)
    contradicted = contradictions(grouped)["contradicted_by"]
    duplicate_of = duplicate_questions(grouped, cfg)["duplicate_of"].set(contradicted.is_not_null(), None)
    found = grouped.select("question_id", question_duplicate_of=duplicate_of, contradicted_by=contradicted)
    if "vector" in grouped.columns:
        found = found.hstack(asked_again(grouped).drop("question_id"))
    return found.select(_by_itself(each) for each in found)


def _going_together(looks: Alike, alike: Alike | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`clip_id`, `group` of clips and `video_id`, `group` of videos."""
    clips, videos = (map(merged, zip(looks, alike, strict=True))) if alike else looks
    return clips.rename({"owner": "clip_id"}), videos.rename({"owner": "video_id"})


def _same_looking(store: Store, parts: Sequence[CurrentPart], cfg: DuplicateConfig) -> Alike:
    """What shows nearly the same by its frames' hashes."""
    clips, videos, phashes = Owners(), Owners(), [np.zeros(0, np.uint64)]
    for part in parts:
        frames = read_frames(store, part)
        phashes.append(as_bits(frames["phash"]))
        clips.add(frames["clip_id"])
        videos.add(frames["video_id"])
    seen = np.concatenate(phashes)
    del phashes  # the same again
    return Alike(*duplicate_clips_and_videos(seen, clips.owned(), videos.owned(), cfg))


class Owners:
    """Owners of frames as numbers, part by part."""

    def __init__(self) -> None:
        self._codes = [np.zeros(0, np.uint32)]
        self._ids: list[pl.Series] = [pl.Series("owner", [], dtype=pl.String)]
        self._count = 0

    def add(self, ids: pl.Series) -> None:
        """One id a frame of a part; no other part has the same."""
        distinct = _by_itself(ids.unique(maintain_order=True))
        code = ids.replace_strict(distinct, range(self._count, self._count + len(distinct)))
        self._codes.append(code.cast(pl.UInt32).to_numpy())
        self._ids.append(distinct.rename("owner"))
        self._count += len(distinct)

    def owned(self) -> Owned:
        """Which clip or video owns each of the frames so far. Nothing can be added any more."""
        codes, ids = np.concatenate(self._codes), pl.concat(self._ids)
        del self._codes, self._ids  # the same again
        return Owned(codes, ids)


def _by_itself(texts: pl.Series) -> pl.Series:
    """The same, holding on to no texts that lay beside these in memory."""
    return pl.Series(texts.name, texts.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _bucket_count(store: Store, parts: Sequence[CurrentPart], at_once: int) -> int:
    questions: int = sum(read_metadata(store, part.questions).num_rows for part in parts)
    return -(-questions // at_once)


def _batches(tables: Iterable[pl.DataFrame], at_once: int) -> Iterator[pl.DataFrame]:
    """Parts' tables, so many together that they hold at least so many rows; `place` counts them through."""
    waiting: list[pl.DataFrame] = []
    first = 0
    for table in tables:
        waiting.append(table.with_row_index("place", first))
        first += len(table)
        if sum(map(len, waiting)) >= at_once:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def find_contaminated(
    store: Store,
    parts: Sequence[CurrentPart],
    sets: Sequence[EvaluationSet],
    overlap: ContaminationConfig,
    at_once: int = QUESTIONS_AT_ONCE,
) -> pl.DataFrame:
    """Compare all parts with evaluation sets: `question_id`, `contaminated` (null where no set was named)."""
    if not sets:
        return pl.DataFrame(schema={"question_id": pl.String, "contaminated": pl.Boolean})
    return pl.concat(_contaminated(store, few, sets, overlap) for few in _few(store, parts, at_once))


def _few(store: Store, parts: Sequence[CurrentPart], at_once: int) -> Iterator[list[CurrentPart]]:
    """Consecutive parts with about so many questions together."""
    few: list[CurrentPart] = []
    held = 0
    for part in parts:
        few.append(part)
        held += read_metadata(store, part.questions).num_rows
        if held >= at_once:
            yield few
            few, held = [], 0
    if few:
        yield few


def _contaminated(
    store: Store, parts: Sequence[CurrentPart], sets: Sequence[EvaluationSet], overlap: ContaminationConfig
) -> pl.DataFrame:
    questions = pl.concat([read_questions(store, part) for part in parts])
    frames = pl.concat([read_frames(store, part) for part in parts]).select("clip_id", "phash")
    held = {each.question_id for each in find_contamination(questions, frames, sets, overlap)}
    return questions.select("question_id", pl.col("question_id").is_in(sorted(held)).alias("contaminated"))
