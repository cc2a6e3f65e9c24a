"""Measurements of all traces -> whether luck explains right answers whose thoughts a verifier vouches for.

How often a question is answered right cannot tell a hard one from luck: two of eight are as many as a guess
among four gets. What a thought claims to have seen can. A question is taken to be either known to whoever
sees what it is about, and then answered right at one rate in all of its pool, or answered by luck. A verifier
is not told the answer: where what it vouches for leaves the answer open, luck gets as many of those right as
of any others, and where it does not, the frames bear the answer itself out. Where a judge said what a
thought's observations alone lead to (`sufficiency`), that is what counts: if it is the right answer more
often than by luck, it follows from what was seen, however seldom the teacher itself finds it.

What share of a pool's questions is known, and at what rate they are answered right, is fitted to the vouched
answers alone (a mixture of two binomials, by expectation maximisation: Dempster, Laird and Rubin 1977), and
the chance that luck explains a question's follows from Bayes' rule. How many answers a question was given
does not matter to it, be they asked for in batches or not.

Of no pool is much believed that was not seen: two questions more are taken to be luck, known ones are
answered right more often than halfway between luck and always, and where the pool's questions as units do not
beat luck surely on average, none is: neither all of them nor, where answers are a choice, the mean over its
right answers, since who always says the same is right about one of them.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import polars as pl

from reelproof.schemas.answers.scores import GRADED_TASKS

POOL = ("kind", "task", "model")
"""What questions must have in common."""
LEAST_QUESTIONS = 8
"""With fewer, the spread among questions is not known well enough to bound the pool's mean."""

SEEN = ("answer_lenient", "sufficient", "judged_claims", "worst_belief", "worst_observation_belief")
"""Columns that tell whether a trace is vouched for, and whether it, or what it leads to, is right."""
_BELIEVED = 0.5
_LUCKY_MORE = 2.0
_TURNS = 100
_LEAST_LUCK, _MOST_LUCK = 1e-3, 1 - 1e-3
_FAR = 500.0
"""Beyond this a logarithm is as good as endless."""
_KEYS = (*POOL, "right_choice", "luck_rate")
_COUNTS = ("vouched_passes", "vouched_rollouts")


def vouched_sums(measurements: pl.DataFrame) -> pl.DataFrame:
    """How many questions have so many vouched answers, and so many right ones of those: `vouched_questions`,
    by pool, right answer, rate of luck and both counts. Those of several parts are added up by `add_vouched`.

    Answers whose score is a degree are left out: of those it is not known how luck does.
    """
    counted = _judged_or_not(measurements).filter(_is_vouched(), pl.col("luck_rate").is_not_null())
    questions = counted.group_by("question_id", *_KEYS, maintain_order=True).agg(**_counts())
    return questions.group_by(*_KEYS, *_COUNTS, maintain_order=True).agg(
        vouched_questions=pl.len().cast(pl.Int64)
    )


def add_vouched(parts: pl.DataFrame) -> pl.DataFrame:
    """Rows of several parts' `vouched_sums`, one under the other -> those of the whole."""
    return parts.group_by(*_KEYS, *_COUNTS, maintain_order=True).agg(pl.col("vouched_questions").sum())


def known_pools(sums: pl.DataFrame, pools: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """`vouched_sums` -> what is known of each pool with enough questions.

    Columns are `POOL`, `known_share` (of its questions that are known), `known_rate` (of answers to those
    that are right), and `known_doubt` (the chance that the pool does not beat luck at all).

    `pools` and `said` are those of `PoolFigures`: who favours an answer is right by luck as often as it is
    said.
    """
    asked = sums.join(said, on=(*POOL, "right_choice"), how="left", maintain_order="left")
    asked = asked.join(pools, on=POOL, how="left", maintain_order="left")
    asked = asked.with_columns(luck=_luck(pl.col("said") / pl.col("pool_questions")))
    fitted = [
        {**dict(zip(POOL, pool, strict=True)), **_fit(rows)._asdict()}
        for pool, rows in asked.group_by(POOL, maintain_order=True)
        if rows["vouched_questions"].sum() >= LEAST_QUESTIONS
    ]
    names = {name: sums.schema[name] for name in POOL} | dict.fromkeys(_Known._fields, pl.Float64)
    return pl.DataFrame(fitted, schema=names)


def vouched_luck(measurements: pl.DataFrame, pools: pl.DataFrame) -> pl.Series:
    """`PoolMeasurements.vouched_luck` of rows that hold `SEEN`, `luck_rate` and `pool_luck_rate`, and all
    traces of their questions.
    """
    rows = _judged_or_not(measurements).select(
        "question_id", *POOL, *SEEN, "luck_rate", "pool_luck_rate", vouched=_is_vouched()
    )
    mine = rows.filter("vouched").group_by("question_id", "model").agg(**_counts())
    told = rows.join(mine, on=("question_id", "model"), how="left", maintain_order="left")
    told = told.join(pools, on=POOL, how="left", maintain_order="left")
    luck = _luck(pl.col("pool_luck_rate"))
    rate = pl.max_horizontal("known_rate", (1 + luck) / 2)
    right, wrong = pl.col("vouched_passes"), pl.col("vouched_rollouts") - pl.col("vouched_passes")
    for_known = right * (rate / luck).log() + wrong * ((1 - rate) / (1 - luck)).log()
    known = pl.col("known_share") * for_known.clip(-_FAR, _FAR).exp()
    by_luck = (1 - pl.col("known_share")) / (1 - pl.col("known_share") + known)
    leads_there = pl.col("sufficient").fill_null(1.0) == 1
    counts = (
        pl.col("vouched") & leads_there & pl.all_horizontal(pl.col("luck_rate", "known_share").is_not_null())
    )
    surely = pl.max_horizontal(by_luck, "known_doubt")
    return told.select(vouched_luck=pl.when(counts).then(surely))["vouched_luck"]


def _judged_or_not(measurements: pl.DataFrame) -> pl.DataFrame:
    """The same rows; where a recipe has no judge, there is no column of what one concludes."""
    known = "sufficient" in measurements.columns
    return measurements if known else measurements.with_columns(sufficient=pl.lit(None, pl.Float64))


def _is_vouched() -> pl.Expr:
    """Whether a verifier believes in all that it judged of a trace, and judged some."""
    believed = (pl.col("worst_belief") >= _BELIEVED) & (
        pl.col("worst_observation_belief").fill_null(1.0) >= _BELIEVED
    )
    is_graded = pl.col("task").is_in(GRADED_TASKS)
    return (believed & (pl.col("judged_claims") > 0) & ~is_graded).fill_null(False)


def _counts() -> dict[str, pl.Expr]:
    right = pl.coalesce("sufficient", "answer_lenient") == 1
    return {"vouched_passes": right.sum().cast(pl.Int64), "vouched_rollouts": pl.len().cast(pl.Int64)}


def _luck(favoured: pl.Expr) -> pl.Expr:
    """As often as luck is right, or who favours an answer is, if that is more; null is skipped."""
    return pl.max_horizontal("luck_rate", favoured).clip(_LEAST_LUCK, _MOST_LUCK)


class _Known(NamedTuple):
    known_share: float
    known_rate: float
    known_doubt: float


def _fit(rows: pl.DataFrame) -> _Known:
    """Of one pool's rows of `vouched_sums`, with `luck`."""
    columns = (*_COUNTS, "vouched_questions", "luck")
    right, answers, questions, luck = (rows[each].to_numpy().astype(np.float64) for each in columns)
    share, rate, least = 0.5, 0.9, (1 + luck) / 2
    for _ in range(_TURNS):
        mine = np.maximum(rate, least)
        for_known = right * np.log(mine / luck) + (answers - right) * np.log((1 - mine) / (1 - luck))
        odds = share * np.exp(np.clip(for_known, -_FAR, _FAR))
        known = questions * odds / (odds + 1 - share)
        share = float(known.sum() / (questions.sum() + _LUCKY_MORE))
        rate = float((known @ right + 1) / (known @ answers + 2))
    excess = right / answers - luck
    choices = rows["right_choice"].to_list()
    apart = [
        _Mean.of(excess[mine], questions[mine])
        for mine in (np.array([each == choice for each in choices]) for choice in sorted({*choices} - {None}))
        if questions[mine].sum() > 1
    ]
    doubts = [_Mean.of(excess, questions).doubt(), *([_Mean.over(apart).doubt()] if len(apart) > 1 else [])]
    return _Known(share, rate, max(doubts))


class _Mean(NamedTuple):
    """How far questions are answered right more often than by luck, and how far off that may be."""

    excess: float
    error: float

    @classmethod
    def of(cls, excess: np.ndarray, questions: np.ndarray) -> "_Mean":
        """Over so many questions each, two in all at least."""
        count = questions.sum()
        mean = float(questions @ excess / count)
        return cls(mean, float((questions @ (excess - mean) ** 2 / (count - 1) / count) ** 0.5))

    @classmethod
    def over(cls, some: Sequence["_Mean"]) -> "_Mean":
        """All of the same weight."""
        error = sum(each.error**2 for each in some) ** 0.5 / len(some)
        return cls(sum(each.excess for each in some) / len(some), error)

    def doubt(self) -> float:
        """The chance that there is none, by the normal distribution."""
        return NormalDist(self.excess, self.error).cdf(0.0) if self.error else float(self.excess <= 0)
