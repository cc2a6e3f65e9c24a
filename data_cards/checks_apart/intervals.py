"""Scores of (seeds, films) -> their mean, or two arms' difference, with an interval over both at once.

Two-way random effects without the interaction taken off, which errs on the wide side; t quantiles by
Satterthwaite's degrees of freedom, since seeds are few (Owen and Eckles 2012 on crossed bootstraps say why
drawing over one of the two alone is too narrow). `coverage` tells how often such intervals hold the truth.
"""

import numpy as np
from scipy.stats import t as students_t

from reelproof.schemas.intervals import Interval

LEAST_SEEDS = 3
"""With fewer there is a mean and no interval."""


def crossed_interval(scores: np.ndarray) -> Interval | None:
    """The mean of (seeds, films) with its 95 % interval; None of fewer than three seeds."""
    seeds, films = scores.shape
    if seeds < LEAST_SEEDS:
        return None
    by_seed, by_film = scores.mean(1), scores.mean(0)
    terms = np.array([films * by_seed.var(ddof=1), seeds * by_film.var(ddof=1)]) / (seeds * films)
    spread = terms.sum()
    if not spread:
        return Interval(float(scores.mean()), float(scores.mean()), float(scores.mean()))
    freedom = spread**2 / (terms**2 / (np.array([seeds, films]) - 1)).sum()
    half = float(students_t.ppf(0.975, freedom) * np.sqrt(spread))
    mean = float(scores.mean())
    return Interval(mean, mean - half, mean + half)


def coverage(
    seeds: int, films: int, trials: int, rng: np.random.Generator, spread: float = 0.05
) -> float | None:
    """How often the interval of a difference of known mean holds it; None of too few seeds to have one.

    Each film and each seed shifts the chance by a normal of `spread`; both arms' answers to the six questions
    of a film are then drawn, their difference in mean being 0.05.
    """
    if seeds < LEAST_SEEDS:
        return None
    held = 0
    for _ in range(trials):
        film, seed = rng.normal(0, spread, (1, films)), rng.normal(0, spread, (seeds, 1))
        chance = np.clip(np.stack([0.6 + film / 2 - seed / 2, 0.65 + film + seed]), 0, 1)
        one, other = rng.binomial(6, chance) / 6
        found = crossed_interval(other - one)
        held += found is not None and found.low <= 0.05 <= found.high
    return held / trials
