"""Counts of right answers -> intervals, and two models' answers to the same questions -> their difference."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z95 = 1.959964


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: float, total: int) -> Interval:
    """Share of right answers with Wilson's 95 % interval; 0 of 0 is (0, 0, 1). Source: Wilson 1927."""
    if not total:
        return Interval(0.0, 0.0, 1.0)
    share, weight = right / total, Z95 * Z95 / total
    centre = (share + weight / 2) / (1 + weight)
    half = Z95 * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def paired_difference(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], draws: int = 4000, seed: int = 0
) -> Interval:
    """Mean of ours − theirs, each (seeds, questions), by a bootstrap over seeds and over questions.

    Both arms answered the same questions under the same seeds, so both are drawn together.
    """
    gap = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    return _bootstrap(gap, draws, seed)


def mean_over_seeds(scores: Sequence[Sequence[float]], draws: int = 4000, seed: int = 0) -> Interval:
    """Mean of (seeds, questions) with the interval of a bootstrap over seeds and over questions."""
    return _bootstrap(np.asarray(scores, dtype=np.float64), draws, seed)


def _bootstrap(values: np.ndarray, draws: int, seed: int) -> Interval:
    rng = np.random.default_rng(seed)
    seeds, questions = values.shape
    means = np.empty(draws)
    for draw in range(draws):
        rows = values[rng.integers(0, seeds, seeds)].mean(axis=0)
        means[draw] = rows[rng.integers(0, questions, questions)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))
