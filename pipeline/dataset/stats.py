"""A build's files -> the counts and spreads that card and plots show, whatever the policy.

They are counted once and taken over from the `stats.json` that is there.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.part_files import PartFiles, read_columns
from reelproof.pipeline.dataset.policy_sums import Spread, bins_of
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.balance import KeyBalance
from reelproof.schemas.calibration import Calibration, added_bins, expected_calibration_error
from reelproof.schemas.footage import ClipKind, Span, uncovered
from reelproof.schemas.question import Question, Task
from reelproof.schemas.stats import BuildStats, Histogram, Tally, VerifierTrust
from reelproof.schemas.tables import from_table
from reelproof.stages.checks.balance import measure_balance

VERSION = 6


def count_build(
    store: Store,
    parts: Sequence[PartFiles],
    gone: frozenset[str] = frozenset(),
    held: BuildStats | None = None,
) -> BuildStats:
    """Count in the parts' files, without videos that are `gone`; or `held`, if it is of the same."""
    key = _key(parts, gone)
    if held is not None and held.key == key:
        return held
    footage = _gathered(store, [part.footage for part in parts], ("video", "duration_s", "damaged"))
    videos = footage.select(
        pl.col("video").struct.unnest(), pl.col("duration_s").alias("decoded_s"), "damaged"
    )
    videos = videos.filter(~pl.col("video_id").is_in(gone)).unique("video_id", maintain_order=True)
    columns = ("clip_id", "video_id", "kind", "start_s", "end_s", "scenes")
    clips = _gathered(store, [part.clips for part in parts], columns)
    clips = clips.filter(~pl.col("video_id").is_in(gone)).unique("clip_id", maintain_order=True)
    films = pl.col("kind").is_in([ClipKind.SHORT, ClipKind.WHOLE])
    spans = clips.filter(films)["scenes"].explode().drop_nulls()
    lengths = (
        spans.struct.field("end_s") - spans.struct.field("start_s")
        if len(spans)
        else pl.Series([], dtype=pl.Float64)
    )
    questions = _questions(store, parts, gone)
    traces = _gathered(store, [part.traces for part in parts], ("video_id", "model", "completion_tokens"))
    traces = traces.filter(~pl.col("video_id").is_in(gone))
    return BuildStats(
        key=key,
        videos=len(videos),
        duration_s=float(videos["decoded_s"].sum()),
        left_out_s=_left_out_s(videos, clips),
        damaged_videos=videos.filter(pl.col("damaged").list.len() > 0).height,
        damaged_s=_damaged_s(videos),
        clips=len(clips),
        scenes=len(lengths),
        questions=len(questions),
        frames_per_question=float(questions["frames"].mean() or 0.0),  # type: ignore[arg-type]
        completion_tokens=int(traces["completion_tokens"].sum()),
        scene_lengths_s=_scene_lengths(lengths),
        licenses=_tallies(_licenses(videos, parts)),
        clip_kinds=_tallies(clips["kind"]),
        teachers=_tallies(traces["model"]),
        answer_keys=tuple(_answer_keys(questions)),
        verifiers=tuple(_verifiers(store, parts)),
    )


def _left_out_s(videos: pl.DataFrame, clips: pl.DataFrame) -> float:
    """Seconds of all videos that lie in no clip."""
    spans = defaultdict[str, list[Span]](list)
    for video_id, start_s, end_s in clips.select("video_id", "start_s", "end_s").iter_rows():
        spans[video_id].append(Span(start_s=start_s, end_s=end_s))
    rows = videos.select("video_id", "decoded_s").iter_rows()
    gaps = [gap for video_id, length_s in rows for gap in uncovered(length_s, spans[video_id])]
    return sum(gap.end_s - gap.start_s for gap in gaps)


def _damaged_s(videos: pl.DataFrame) -> float:
    spans = videos.select("damaged").explode("damaged").drop_nulls()["damaged"]
    return sum((each["end_s"] - each["start_s"] for each in spans), 0.0)


def _licenses(videos: pl.DataFrame, parts: Sequence[PartFiles]) -> pl.Series:
    """As the sources state them now, or as they were stated when the videos were decoded."""
    now = {video_id: name for part in parts for video_id, name in part.licenses.items()}
    rows = zip(videos["video_id"], videos["license"], strict=True)
    return pl.Series("license", [now.get(video_id, then) for video_id, then in rows], dtype=pl.String)


def _key(parts: Sequence[PartFiles], gone: frozenset[str]) -> str:
    named = [str(VERSION), *(part.identity for part in parts), *sorted(gone)]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:32]


def _gathered(store: Store, files: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    tables = side_by_side(store, lambda file: read_columns(store, file, columns), files)
    return (
        pl.DataFrame(pa.concat_tables(tables).combine_chunks())
        if tables
        else pl.DataFrame(schema=list(columns))
    )


def _questions(store: Store, parts: Sequence[PartFiles], gone: frozenset[str]) -> pl.DataFrame:
    plain = ("question_id", "video_id", "task", "answer", "options", "tolerance")
    found = _gathered(store, [part.questions for part in parts], (*plain, "frames.list.element.shown_s"))
    counted = found.select(*plain, pl.col("frames").list.len())
    return counted.filter(~pl.col("video_id").is_in(gone)).unique("question_id", maintain_order=True)


def _verifiers(store: Store, parts: Sequence[PartFiles]) -> Iterator[VerifierTrust]:
    """One for each verifier and subject, over all parts."""
    files = [part.calibration for part in parts if part.calibration]
    tables = side_by_side(store, lambda file: store.read_table(file), files)
    found = defaultdict[tuple[str, str], list[Calibration]](list)
    for table in tables:
        for each in from_table(table, Calibration):
            found[each.verifier, each.subject].append(each)
    for _, every in sorted(found.items()):
        reliability = added_bins([each.reliability for each in every if each.is_able])
        yield VerifierTrust(
            verifier=every[0].verifier,
            subject=every[0].subject,
            parts=len(every),
            able_parts=sum(each.is_able for each in every),
            true_claims=sum(each.true_claims for each in every),
            false_claims=sum(each.false_claims for each in every),
            unknown=sum(each.unknown for each in every),
            calibration_error=expected_calibration_error(reliability),
            reliability=reliability,
        )


def _answer_keys(questions: pl.DataFrame) -> Iterator[KeyBalance]:
    """A task at a time: as records, the questions of all would take more memory than anything else."""
    for task in Task:
        yield from measure_balance(_as_asked(questions.filter(task=task)))


def _as_asked(questions: pl.DataFrame) -> list[Question]:
    """Questions with what an answer key is made of alone: a whole record each would take long."""
    columns = questions.select("task", "answer", "options", "tolerance").iter_rows()
    rest: dict[str, Any] = dict.fromkeys(("question_id", "clip_id", "video_id", "source", "kind", "text"), "")
    return [
        Question.model_construct(
            task=Task(task), answer=answer, options=tuple(options), tolerance=tolerance, frames=(), **rest
        )
        for task, answer, options, tolerance in columns
    ]


def _scene_lengths(values: pl.Series) -> Histogram:
    spread = Spread("scene_length_s", 0, 60, None)
    return Histogram(
        column=spread.column,
        low=spread.low,
        high=spread.high,
        all=bins_of(spread, values),
        kept=(),
        unknown=values.null_count(),
    )


def _tallies(values: pl.Series) -> tuple[Tally, ...]:
    counted = values.value_counts(name="count").sort(["count", values.name], descending=[True, False])
    return tuple(Tally(value=value, count=count) for value, count in counted.iter_rows())
