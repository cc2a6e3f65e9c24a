"""Rows of shards -> single figures and blocks of a card, as its reader would work them out."""

import string
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import scipy.stats

from reelproof.pipeline.dataset.card import plain
from reelproof.schemas.answers.chance import guess_rate
from reelproof.schemas.answers.scores import GRADED_TASKS, lenient_score
from reelproof.schemas.question import Question, Task


def example_block(row: Mapping[str, Any]) -> str:
    span = f"{row['clip_start_s']:.1f}–{row['clip_end_s']:.1f} s"
    count = len(row["images"])
    picked = sorted({round(place * (count - 1) / 7) for place in range(min(count, 8))})
    frames = "".join(
        f"![{_time(row['frame_times_s'][place], place)}](examples/{row['frame_sha256'][place][:16]}.jpg) "
        for place in picked
    )
    options = "".join(f"- {plain(option)}\n" for option in row["options"])
    answer = plain(row["prediction"] or row["answer"])
    return (
        f"**{plain(row['question'])}** ({row['task']}; {plain(row['video'])}, {span})\n\n"
        f"{frames}\n\n{options}\n> {plain(row['thought'])}\n\nAnswer: **{answer}**"
    )


def _time(time_s: float | None, place: int) -> str:
    return f"Frame {place + 1}" if time_s is None else f"{time_s:.1f} s"


def mean_share(passes: pl.Series, rollouts: pl.Series) -> float | None:
    known = [right / total for right, total in zip(passes, rollouts, strict=True) if total]
    return float(np.mean(known)) if known else None


def best_constant(rows: pl.DataFrame) -> tuple[str, float]:
    """The gold that scores best on all questions, of equals the commonest."""
    golds = sorted(rows["answer"].value_counts().iter_rows(), key=lambda each: (-each[1], each[0]))
    if Task(rows["task"][0]) not in GRADED_TASKS:
        return golds[0][0], golds[0][1] / len(rows)
    named = rows.select("task", "answer", "options", "tolerance").rows()
    scores = [
        np.mean(
            [
                lenient_score(Task(task), gold, answer, tuple(options), slack)
                for task, answer, options, slack in named
            ]
        )
        for gold, _ in golds[:32]
    ]
    return golds[int(np.argmax(scores))][0], float(max(scores))


def letters_p_value(rows: pl.DataFrame) -> float | None:
    """Of Pearson's chi-square: the letters that are right against those that guessing expects."""
    single = [
        (answer, len(options))
        for answer, options in rows.select("answer", "options").iter_rows()
        if len(options) > 1 and answer in string.ascii_uppercase[: len(options)]
    ]
    if not single:
        return None
    most = max(size for _, size in single)
    right = [sum(answer == letter for answer, _ in single) for letter in string.ascii_uppercase[:most]]
    expected = [sum(1 / size for _, size in single if size > place) for place in range(most)]
    return float(scipy.stats.chisquare(right, expected).pvalue)


def chance_of(row: Mapping[str, Any]) -> float | None:
    known = {name: row[name] for name in ("answer", "tolerance")}
    task, options = Task(row["task"]), tuple(row["options"])
    return guess_rate(Question.model_construct(task=task, options=options, frames=(), **known))


def as_rate(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def as_percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"
