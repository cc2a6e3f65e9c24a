"""Scores over seeds and questions -> their mean, or two models' difference, with bootstrapped intervals."""

from collections.abc import Sequence

import numpy as np

from reelproof.schemas.intervals import Interval


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
