"""Counts of right answers -> the interval in which the share behind them lies."""

import math
from typing import NamedTuple, TypeVar

import polars as pl

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

_MOST_TURNS, _CLOSE, _TINY = 10_000, 1e-15, 1e-300

Number = TypeVar("Number", float, pl.Expr)


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: float, total: int) -> Interval:
    """Share of right answers with Wilson's 95 % score interval; 0 of 0 is (0, 0, 1). Source: Wilson 1927."""
    if not total:
        return Interval(0.0, 0.0, 1.0)
    share = right / total
    low = 0.0 if right <= 0 else max(0.0, wilson_low(share, float(total), Z95))
    high = 1.0 if right >= total else min(1.0, 1 - wilson_low(1 - share, float(total), Z95))
    return Interval(share, low, high)


def wilson_low(share: Number, total: Number, quantile: float) -> Number:
    """Lower end of the score interval of a share of `total` > 0, for numbers or for columns.

    `quantile` is that of the normal distribution, in standard deviations; at 0 it is the share itself.
    """
    spread = quantile**2 / total
    half = (spread * (share * (1 - share) + spread / 4)) ** 0.5
    low: Number = (share + spread / 2 - half) / (1 + spread)
    return low


def binomial_tail(passes: int, rollouts: int, chance: float) -> float:
    """P(X >= passes) where each of `rollouts` passes with probability `chance`. Exact."""
    if passes <= 0 or chance >= 1:
        return 1.0
    return beta_below(chance, passes, rollouts - passes + 1) if chance > 0 else 0.0


def chance_of_passes(wanted: int, more: int, passes: int, rollouts: int) -> float:
    """P(at least `wanted` of `more` rollouts pass) after `passes` of `rollouts` did, by the share that they
    show: beta-binomial, where any share was as likely before.
    """
    right, wrong = passes + 1, rollouts - passes + 1
    before = _log_beta(right, wrong)

    def chance(count: int) -> float:
        return math.comb(more, count) * math.exp(_log_beta(right + count, wrong + more - count) - before)

    return sum(chance(count) for count in range(max(0, wanted), more + 1))


def _log_beta(right: float, wrong: float) -> float:
    return math.lgamma(right) + math.lgamma(wrong) - math.lgamma(right + wrong)


def beta_below(limit: float, right: float, wrong: float) -> float:
    """P(share <= limit) of a share drawn from Beta(right, wrong); a count of 0 is a share that is sure.

    The regularised incomplete beta function, by Lentz's continued fraction (Press et al. 1992, section 6.4).
    """
    if limit >= 1 or right <= 0:
        return 1.0
    if limit <= 0 or wrong <= 0:
        return 0.0
    if limit > (right + 1) / (right + wrong + 2):
        return 1 - beta_below(1 - limit, wrong, right)  # the fraction is fast below the mean only
    logs = math.lgamma(right + wrong) - math.lgamma(right) - math.lgamma(wrong)
    front = math.exp(logs + right * math.log(limit) + wrong * math.log1p(-limit)) / right
    return min(1.0, front * _beta_fraction(limit, right, wrong))


def _beta_fraction(limit: float, right: float, wrong: float) -> float:
    above, below = 1.0, 1 / _not_zero(1 - (right + wrong) * limit / (right + 1))
    value = below
    for turn in range(1, _MOST_TURNS):
        twice = right + 2 * turn
        even = turn * (wrong - turn) * limit / ((twice - 1) * twice)
        odd = -(right + turn) * (right + wrong + turn) * limit / (twice * (twice + 1))
        for part in (even, odd):
            below = 1 / _not_zero(1 + part * below)
            above = _not_zero(1 + part / above)
            value *= above * below
        if abs(above * below - 1) < _CLOSE:
            break
    return value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
