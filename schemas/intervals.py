"""Counts of right answers -> the interval in which the share behind them lies."""

from typing import NamedTuple, TypeVar

import polars as pl

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

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
