"""A build's files, measurements and verdicts -> the counts and spreads that card and plots show.

What does not depend on the policy is counted once and taken over from the `stats.json` that is there.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.part_files import PartFiles, read_columns
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.footage import ClipKind, Span, uncovered
from reelproof.schemas.manifest import Manifest
from reelproof.schemas.question import Question, Task
from reelproof.schemas.stats import (
    BuildStats,
    Histogram,
    KindCount,
    PolicyStats,
    ProbePass,
    RuleCount,
    SplitSize,
    Tally,
)
from reelproof.stages.checks.balance import BalanceConfig, measure_balance
from reelproof.stages.deciding import funnel
from reelproof.stages.measurements import complete
from reelproof.stages.policy import (
    BLIND_PASS_RATE,
    PASS_RATE,
    SHUFFLED_PASS_RATE,
    SINGLE_PASS_RATE,
    PolicyConfig,
)

VERSION = 3
BINS = 20


class Spread(NamedTuple):
    """A measurement worth a histogram, and the policy field that draws a line through it."""

    column: str
    low: float
    high: float
    setting: str | None


SPREADS = (
    Spread("thought_words", 0, 400, "min_thought_words"),
    Spread("repetition", 0, 1, "max_repetition"),
    Spread("citations", 0, 20, "min_citations"),
    Spread("citations_near_frame", 0, 1, "min_citations_near_frame"),
    Spread("grounded_share", 0, 1, "min_grounded_share"),
    Spread("worst_margin", -1, 1, "min_worst_margin"),
    Spread("answer_strict", 0, 1, None),
)


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
        scene_lengths_s=_histogram(Spread("scene_length_s", 0, 60, None), lengths),
        licenses=_tallies(_licenses(videos, parts)),
        clip_kinds=_tallies(clips["kind"]),
        teachers=_tallies(traces["model"]),
        answer_keys=tuple(measure_balance(_as_asked(questions), BalanceConfig())),
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


def count_policy(
    measurements: pl.DataFrame, verdicts: pl.DataFrame, policy: PolicyConfig, manifest: Manifest
) -> PolicyStats:
    """Count what was decided. `measurements` and `verdicts` have the same rows, one a trace."""
    rows = complete(measurements).with_columns(verdicts["sft"], verdicts["rl"])
    if "published" in verdicts.columns:
        rows = rows.filter(verdicts["published"])
    asked = rows.unique("question_id", keep="first", maintain_order=True)
    contaminated = rows["contaminated"]
    return PolicyStats(
        traces=len(rows),
        kept_videos=rows.filter("sft")["video_id"].n_unique(),
        kept_questions=rows.filter("sft")["question_id"].n_unique(),
        splits=_splits(manifest),
        funnel=tuple(RuleCount(**row) for row in funnel(rows, policy).iter_rows(named=True)),
        kinds=_kinds(rows),
        histograms=tuple(_histogram(spread, rows[spread.column], rows["sft"], policy) for spread in SPREADS),
        pass_counts=_pass_counts(asked),
        probes=_probes(asked),
        duplicate_traces=int(rows["duplicate_of"].is_not_null().sum()),
        duplicate_questions=asked["question_duplicate_of"].is_not_null().sum(),
        contaminated=None if contaminated.null_count() == len(rows) else int(contaminated.sum()),
    )


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


def _histogram(
    spread: Spread, values: pl.Series, kept: pl.Series | None = None, policy: PolicyConfig | None = None
) -> Histogram:
    threshold = getattr(policy, spread.setting) if policy and spread.setting else None
    return Histogram(
        column=spread.column,
        low=spread.low,
        high=spread.high,
        all=_bins(spread, values),
        kept=() if kept is None else _bins(spread, values.filter(kept)),
        unknown=values.null_count(),
        setting=spread.setting,
        threshold=None if threshold is None else float(threshold),
    )


def _bins(spread: Spread, values: pl.Series) -> tuple[int, ...]:
    known = values.drop_nulls().cast(pl.Float64).to_numpy()
    clipped = np.clip(known, spread.low, spread.high)
    return tuple(np.histogram(clipped, bins=BINS, range=(spread.low, spread.high))[0].tolist())


def _tallies(values: pl.Series) -> tuple[Tally, ...]:
    counted = values.value_counts(name="count").sort(["count", values.name], descending=[True, False])
    return tuple(Tally(value=value, count=count) for value, count in counted.iter_rows())


def _splits(manifest: Manifest) -> tuple[SplitSize, ...]:
    sizes = []
    for config, split in dict.fromkeys((each.config, each.split) for each in manifest.files):
        files = [each for each in manifest.files if (each.config, each.split) == (config, split)]
        rows, size_bytes = sum(each.rows for each in files), sum(each.size_bytes for each in files)
        sizes.append(
            SplitSize(config=config, split=split, rows=rows, shards=len(files), size_bytes=size_bytes)
        )
    return tuple(sizes)


def _kinds(rows: pl.DataFrame) -> tuple[KindCount, ...]:
    counted = (
        rows.group_by("source", "kind", "task")
        .agg(
            questions=pl.col("question_id").n_unique(),
            traces=pl.len(),
            right=(pl.col("answer_strict") == 1).sum(),
            sft=pl.col("sft").sum(),
            rl=pl.col("rl").sum(),
        )
        .sort("source", "kind", "task")
    )
    return tuple(KindCount(**row) for row in counted.iter_rows(named=True))


def _pass_counts(asked: pl.DataFrame) -> tuple[Tally, ...]:
    known = asked.drop_nulls(["pass_count", "rollout_count"])
    counted = known.group_by("rollout_count", "pass_count").len().sort("rollout_count", "pass_count")
    return tuple(Tally(value=f"{right}/{total}", count=count) for total, right, count in counted.iter_rows())


def _probes(asked: pl.DataFrame) -> tuple[ProbePass, ...]:
    counted = (
        asked.group_by("task")
        .agg(
            questions=pl.len(),
            shown=PASS_RATE.mean().round(6),
            blind=BLIND_PASS_RATE.mean().round(6),
            single=SINGLE_PASS_RATE.mean().round(6),
            shuffled=SHUFFLED_PASS_RATE.mean().round(6),
        )
        .sort("task")
    )
    return tuple(ProbePass(**row) for row in counted.iter_rows(named=True))
