"""Passes and rollouts -> rates, and whether luck explains them, as expressions over measurements."""

from statistics import NormalDist
from typing import Literal

import polars as pl

from reelproof.schemas.intervals import wilson_low
from reelproof.schemas.policy import PolicyConfig

ENOUGH_ROLLOUTS = 8
"""So many of one question tell by themselves whether it is answered by luck: 7 of 8 beat a toss of a coin."""


def rate(passes: str, rollouts: str) -> pl.Expr:
    """Share of right answers; null where nothing was asked."""
    return pl.when(pl.col(rollouts) > 0).then(pl.col(passes) / pl.col(rollouts))


PASS_RATE = rate("pass_count", "rollout_count")
BLIND_PASS_RATE = rate("blind_passes", "blind_rollouts")
SINGLE_PASS_RATE = rate("single_passes", "single_rollouts")
SHUFFLED_PASS_RATE = rate("shuffled_passes", "shuffled_rollouts")
VOUCHED_LUCK = pl.col("vouched_luck")


def above_luck(policy: PolicyConfig, probe: Literal["blind", "single", "shuffled", "speech"]) -> pl.Expr:
    """Whether a probe's pass rate is surely above its limit, and above what guesses get right.

    Null where it was not asked; nothing is above a limit of 1.
    """
    limit = getattr(policy, f"max_{probe}_pass_rate")
    if limit >= 1:
        return pl.lit(False)
    rollouts = pl.col(f"{probe}_rollouts")
    share = rate(f"{probe}_passes", f"{probe}_rollouts")
    surely = wilson_low(share, rollouts, NormalDist().inv_cdf(policy.probe_confidence))
    luck = (pl.col("guess_rate").fill_null(0.0) + policy.luck_margin).clip(0.0, 1.0)
    return surely > pl.max_horizontal(pl.lit(limit), luck)


def is_lucky(
    policy: PolicyConfig, passes: str, rollouts: str, tail: str, vouched: pl.Expr = VOUCHED_LUCK
) -> pl.Expr:
    """Whether luck explains that a question was answered right; null where luck's rate is not known.

    Its own rollouts must beat luck by the exact one-sided test where they are enough (8, or no pool to
    add); they and its pool's together, by the chance that they leave to luck; and the pool's questions, as
    units, on average. Or else the answers that a verifier vouches for do: `vouched` is the chance that luck
    explains those.
    """
    if not policy.luck_confidence:
        return pl.lit(False)
    left_to_luck = 1 - policy.luck_confidence
    pooled = pl.col(f"pool_{tail}")
    alone = (pl.col(rollouts) >= ENOUGH_ROLLOUTS) | pooled.is_null()
    quantile = NormalDist().inv_cdf(policy.luck_confidence)
    pool_low = pl.col("pool_excess") - quantile * pl.col("pool_excess_error")
    explained = pl.any_horizontal(
        rate(passes, rollouts) <= pl.col("luck_rate"),
        alone & (pl.col(tail) > left_to_luck),
        pooled > left_to_luck,
        pool_low <= 0,
    )
    if policy.luck_by_evidence:
        explained &= (vouched > left_to_luck).fill_null(True)
    return (pl.col(passes) > 0) & explained
