"""Vectors of questions -> which earlier question about the same frames each asks again in other words."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from reelproof.schemas.question import Task
from reelproof.stages.duplicates.paraphrases import Posed, can_ask_the_same

VERSION = 3

NEAR = 0.5
"""Questions whose cosine is less are not told from those that have little in common."""


def asked_again(questions: pl.DataFrame) -> pl.DataFrame:
    """Of each question the earlier one that it comes nearest to, of those that can ask the same.

    Args:
        questions: Columns `question_id`, `group` (see `by_what_is_shown`; only questions of one group are
            compared), `asked` (the text without options), `task`, `options`, `answer` and `vector` (of length
            1; a question without one is compared with none), in the order that makes one earlier.

    Returns:
        Columns `question_id`, `semantic_duplicate_of` and `semantic_cosine` (null where none comes within a
        cosine of `NEAR`), in the order of `questions`.
    """
    placed = questions.with_row_index("row").filter(pl.col("vector").is_not_null())
    company = placed.filter(pl.len().over("group") > 1)
    earlier, cosine = np.full(len(questions), -1, np.int64), np.zeros(len(questions))
    for group in company.partition_by("group", maintain_order=True):
        rows = group["row"].to_numpy()
        for first, later, near in _nearest(group):
            earlier[rows[later]], cosine[rows[later]] = rows[first], near
    firsts = pl.Series(earlier).replace(-1, None)
    return questions.select(
        "question_id",
        pl.col("question_id").gather(firsts).alias("semantic_duplicate_of"),
        pl.when(firsts.is_not_null()).then(pl.Series(cosine).round(4)).alias("semantic_cosine"),
    )


def _nearest(group: pl.DataFrame) -> Iterator[tuple[int, int, float]]:
    """(earlier, later, cosine) of each that asks what another can ask, as places in the group."""
    posed = [_posed(row) for row in group.select("asked", "task", "options", "answer").iter_rows()]
    vectors = np.stack(group["vector"].to_list())
    for later in range(1, len(posed)):
        cosines = vectors[:later] @ vectors[later]
        for first in np.argsort(-cosines, kind="stable")[: np.count_nonzero(cosines >= NEAR)]:
            if can_ask_the_same(posed[first], posed[later]):
                yield int(first), later, float(cosines[first])
                break


def _posed(row: Sequence[Any]) -> Posed:
    text, task, options, answer = row
    return Posed(text, Task(task), options, answer)
