"""Measurements of all traces -> how the questions of a kind, task and teacher do against luck, taken
together.

Few rollouts tell little of one question, but the questions of its kind tell what to expect of it. This is
empirical Bayes: the shares of right answers of a pool's questions are taken to be drawn from one Beta
distribution, whose mean is the pool's share and whose weight follows from how much more the questions
differ than luck makes them (method of moments: Kleinman 1973, JASA 68). A full hierarchical model would say
the same from so few figures, and would have to be fitted by sampling; these figures come from sums, and the
sums of parts add up.

What the questions themselves are the units of shows whether the pool as a whole beats luck: an answer that
is always the same is right in all rollouts of some questions, and no count of rollouts tells it from
knowledge. Where answers are a choice (a letter, yes or no, a count, an order), who favours what is often
right is right more often than any choice would be. So luck gets a question right as often as the teacher
gives its right answer to the others of the pool, where that is more: as often as its answers would be right
if they were dealt out to the questions anew (as in Cohen's kappa, 1960).

A pool is told from the first batch of each question's rollouts: further ones go to questions that the first
left undecided, and end where it went well, so that shares of all rollouts would lie above those of luck.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from reelproof.schemas.intervals import beta_below
from reelproof.stages.vouched_luck import (
    LEAST_QUESTIONS,
    POOL,
    SEEN,
    add_vouched,
    known_pools,
    vouched_luck,
    vouched_sums,
)

VERSION = 6

_LEAST_WEIGHT, _MOST_WEIGHT = 1.0, 64.0

POOLED = (
    *("question_id", *POOL, "luck_rate", "first_passes", "first_rollouts"),
    *("right_choice", "first_choice", *SEEN),
)
"""What a pool's sums are made of."""
_SUMS = (
    *("questions", "passes", "rollouts", "rollouts_squared", "passes_share"),
    *("right", "right_squared", "said"),
)


class PoolSums(NamedTuple):
    """What adds up over parts."""

    asked: pl.DataFrame
    """Sums over a pool's questions, one row a right answer and rate of luck, and over its answers, one row
    each."""
    vouched: pl.DataFrame
    """Those of `vouched_sums`."""


class PoolFigures(NamedTuple):
    """How pools do against luck, and what their teachers say."""

    pools: pl.DataFrame
    """`POOL` and columns of `PoolMeasurements`, one row a pool."""
    said: pl.DataFrame
    """`POOL`, `right_choice` and `said`: the sum over the pool's questions of the share of answers that say
    this."""
    known: pl.DataFrame
    """Those of `known_pools`."""


def pool_sums(measurements: pl.DataFrame) -> PoolSums:
    """Of some parts' questions; those of several are added up by `add_sums`.

    `measurements` has the columns of `LuckScore` and of `POOLED`, one row a rollout; a
    question without a rate of luck or without an answered rollout in its first batch counts in no pool.
    """
    counted = measurements.filter(pl.col("luck_rate").is_not_null(), pl.col("first_rollouts") > 0)
    passes, rollouts = pl.col("first_passes"), pl.col("first_rollouts")
    right = passes / rollouts
    asked = counted.unique(["question_id", "model"], maintain_order=True)
    questions = asked.group_by(*POOL, "right_choice", "luck_rate", maintain_order=True).agg(
        questions=pl.len().cast(pl.Int64),
        passes=passes.sum(),
        rollouts=rollouts.sum(),
        rollouts_squared=(rollouts**2).sum(),
        passes_share=(passes**2 / rollouts).sum(),
        right=right.sum(),
        right_squared=(right**2).sum(),
    )
    answers = counted.filter(pl.col("first_choice").is_not_null())
    said = answers.group_by(*POOL, right_choice="first_choice", maintain_order=True).agg(
        said=(1 / rollouts).sum()
    )
    both = pl.concat([questions, said], how="diagonal_relaxed").with_columns(pl.col(_SUMS).fill_null(0))
    return PoolSums(both, vouched_sums(measurements))


def add_sums(parts: Sequence[PoolSums]) -> PoolSums:
    """`pool_sums` of several parts -> those of the whole."""
    asked = pl.concat(each.asked for each in parts)
    keys = (*POOL, "right_choice", "luck_rate")
    added = asked.group_by(keys, maintain_order=True).agg(pl.col(_SUMS).sum())
    return PoolSums(added, add_vouched(pl.concat(each.vouched for each in parts)))


def pool_figures(sums: PoolSums) -> PoolFigures:
    """`pool_sums` -> what follows of each pool."""
    said = sums.asked.filter(pl.col("right_choice").is_not_null())
    said = said.group_by(*POOL, "right_choice", maintain_order=True).agg(pl.col("said").sum())
    asked = sums.asked.filter(pl.col("questions") > 0).drop("said")
    asked = asked.join(said, on=(*POOL, "right_choice"), how="left", maintain_order="left")
    count, right = pl.col("questions"), pl.col("right")
    anew = _dealt_anew(pl.col("said"), right / count, count.sum().over(POOL))
    luck = pl.max_horizontal("luck_rate", anew)  # skips what is null
    excess = right - count * luck
    squared = pl.col("right_squared") - 2 * luck * right + count * luck**2
    pools = asked.with_columns(excess=excess, excess_squared=squared).group_by(POOL, maintain_order=True)
    summed = pools.agg(pl.col(*_SUMS[:-1], "excess", "excess_squared").sum())
    told = _figures(summed)
    return PoolFigures(told, said, known_pools(sums.vouched, told, said))


def _dealt_anew(said: pl.Expr, own: pl.Expr, questions: pl.Expr) -> pl.Expr:
    """Share of the other questions' answers that say it; null where there is no other question."""
    return pl.when(questions > 1).then((said - own) / (questions - 1))


def _figures(sums: pl.DataFrame) -> pl.DataFrame:
    count, total = pl.col("questions"), pl.col("rollouts")
    mean = pl.col("passes") / total
    spread = mean * (1 - mean)
    between = pl.col("passes_share") - pl.col("passes") ** 2 / total
    room = total - pl.col("rollouts_squared") / total - (count - 1)
    correlation = ((between / spread - (count - 1)) / room).clip(0.0, 1.0)
    weight = ((1 - correlation) / correlation).clip(_LEAST_WEIGHT, _MOST_WEIGHT)
    # else nothing shows that questions differ: each was asked once, or all are right
    told = (spread > 0) & (room > 0)
    most = pl.min_horizontal(total.cast(pl.Float64), pl.lit(_MOST_WEIGHT))
    excess = pl.col("excess") / count
    variance = (pl.col("excess_squared") - count * excess**2).clip(0.0) / (count - 1)
    return sums.select(
        *POOL,
        pool_questions=count,
        pool_pass_rate=mean,
        pool_weight=pl.when(count == 1)
        .then(0.0)
        .when(told)
        .then(pl.min_horizontal(weight, most))
        .otherwise(most),
        pool_excess=excess,
        pool_excess_error=pl.when(count >= LEAST_QUESTIONS).then((variance / count).sqrt()),
    )


def with_figures(measurements: pl.DataFrame, figures: PoolFigures) -> pl.DataFrame:
    """Some of the rows with the `pool_figures` of all."""
    told = measurements.join(figures.pools, on=POOL, how="left", maintain_order="left")
    told = told.join(figures.said, on=(*POOL, "right_choice"), how="left", maintain_order="left")
    own = pl.col("first_passes") / pl.col("first_rollouts")
    anew = _dealt_anew(pl.col("said").fill_null(0.0), own, pl.col("pool_questions"))
    is_asked = (pl.col("first_rollouts") > 0) & pl.col("right_choice").is_not_null()
    told = told.with_columns(pool_luck_rate=pl.when(is_asked).then(anew.clip(0.0, 1.0))).drop("said")
    return told.with_columns(
        vouched_luck(told, figures.known),
        pool_luck_tail=_tails(told, "teacher_passes", "teacher_rollouts"),
        pool_question_luck_tail=_tails(told, "pass_count", "rollout_count"),
    )


def _tails(told: pl.DataFrame, passes: str, rollouts: str) -> pl.Series:
    """P(share <= luck) of each row's question: a Beta distribution of its own counts and its pool's."""
    right, wrong = pl.col(passes), pl.col(rollouts) - pl.col(passes)
    weight, rate = pl.col("pool_weight"), pl.col("pool_pass_rate")
    enough = (pl.col("pool_questions") >= LEAST_QUESTIONS) & (pl.col(rollouts) > 0)
    rows = told.select(
        limit=pl.when(enough).then(pl.max_horizontal("luck_rate", "pool_luck_rate")),
        right=right + weight * rate,
        wrong=wrong + weight * (1 - rate),
    )
    each = rows.unique()
    tails = [None if limit is None else beta_below(limit, *counts) for limit, *counts in each.iter_rows()]
    each = each.with_columns(pl.Series("tail", tails, pl.Float64))
    return rows.join(each, on=rows.columns, how="left", nulls_equal=True, maintain_order="left")["tail"]
