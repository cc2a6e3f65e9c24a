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
knowledge. Where more of the right answers are yes than no, who mostly says yes is right more often than one
in two: luck is as often right as such answers would be if the questions were dealt out to them anew (as in
Cohen's kappa, 1960).

A pool is told from the first batch of each question's rollouts: further ones go to questions that the first
left undecided, and end where it went well, so that shares of all rollouts would lie above those of luck.
"""

import polars as pl

from reelproof.schemas.intervals import beta_below

VERSION = 3

POOL = ("kind", "task", "model")
"""What questions must have in common."""
LEAST_QUESTIONS = 8
"""With fewer, the spread among questions is not known well enough to bound the pool's mean."""
_LEAST_WEIGHT, _MOST_WEIGHT = 1.0, 64.0

POOLED = ("question_id", *POOL, "luck_rate", "first_passes", "first_rollouts", "is_yes_right")
"""What a pool's sums are made of."""
_SUMS = (
    *("questions", "passes", "rollouts", "rollouts_squared", "passes_share", "excess", "excess_squared"),
    *("yes_or_no", "right_yes", "said_yes"),
)


def pool_sums(measurements: pl.DataFrame) -> pl.DataFrame:
    """One row a pool: sums over its questions. Those of several parts are added up by `add_sums`.

    `measurements` has the columns of `LuckScore`, `question_id`, and those of `POOL`; a question without a
    rate of luck or without an answered rollout in its first batch counts in no pool.
    """
    asked = measurements.unique(["question_id", "model"], maintain_order=True).filter(
        pl.col("luck_rate").is_not_null(), pl.col("first_rollouts") > 0
    )
    passes, rollouts = pl.col("first_passes"), pl.col("first_rollouts")
    excess = passes / rollouts - pl.col("luck_rate")
    yes = pl.col("is_yes_right").cast(pl.Boolean)
    # what is not right counts as the other answer
    said = pl.when(yes).then(passes / rollouts).otherwise(1 - passes / rollouts)
    return asked.group_by(POOL, maintain_order=True).agg(
        questions=pl.len().cast(pl.Int64),
        passes=passes.sum(),
        rollouts=rollouts.sum(),
        rollouts_squared=(rollouts**2).sum(),
        passes_share=(passes**2 / rollouts).sum(),
        excess=excess.sum(),
        excess_squared=(excess**2).sum(),
        yes_or_no=yes.count().cast(pl.Int64),
        right_yes=yes.sum().cast(pl.Int64),
        said_yes=said.filter(yes.is_not_null()).sum(),
    )


def add_sums(parts: pl.DataFrame) -> pl.DataFrame:
    """Rows of several parts' `pool_sums`, one under the other -> one row a pool."""
    return parts.group_by(POOL, maintain_order=True).agg(pl.col(_SUMS).sum())


def pool_figures(sums: pl.DataFrame) -> pl.DataFrame:
    """`pool_sums` -> the columns of `PoolMeasurements`, one row a pool."""
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
    said, right = pl.col("said_yes") / count, pl.col("right_yes") / count
    alike = pl.when(pl.col("yes_or_no") == count).then(said * right + (1 - said) * (1 - right)).otherwise(0.5)
    return sums.select(
        *POOL,
        pool_questions=count,
        pool_pass_rate=mean,
        pool_weight=pl.when(count == 1)
        .then(0.0)
        .when(told)
        .then(pl.min_horizontal(weight, most))
        .otherwise(most),
        pool_excess=excess - (alike - 0.5).clip(0.0),
        pool_excess_error=pl.when(count >= LEAST_QUESTIONS).then((variance / count).sqrt()),
    )


def with_figures(measurements: pl.DataFrame, figures: pl.DataFrame) -> pl.DataFrame:
    """Some of the rows with the `pool_figures` of all."""
    told = measurements.join(figures, on=POOL, how="left", maintain_order="left")
    return told.with_columns(
        pool_luck_tail=_tails(told, "teacher_passes", "teacher_rollouts"),
        pool_question_luck_tail=_tails(told, "pass_count", "rollout_count"),
    )


def _tails(told: pl.DataFrame, passes: str, rollouts: str) -> pl.Series:
    """P(share <= luck) of each row's question: a Beta distribution of its own counts and its pool's."""
    right, wrong = pl.col(passes), pl.col(rollouts) - pl.col(passes)
    weight, rate = pl.col("pool_weight"), pl.col("pool_pass_rate")
    enough = (pl.col("pool_questions") >= LEAST_QUESTIONS) & (pl.col(rollouts) > 0)
    rows = told.select(
        limit=pl.when(enough).then(pl.col("luck_rate")),
        right=right + weight * rate,
        wrong=wrong + weight * (1 - rate),
    )
    each = rows.unique()
    tails = [None if limit is None else beta_below(limit, *counts) for limit, *counts in each.iter_rows()]
    each = each.with_columns(pl.Series("tail", tails, pl.Float64))
    return rows.join(each, on=rows.columns, how="left", nulls_equal=True, maintain_order="left")["tail"]
