"""Measurements of all parts at once -> the same with the figures of their pools."""

import polars as pl

from reelproof.stages.luck_pools import pool_figures, pool_sums, with_figures

UNSEEN = {
    "answer_lenient": 0.0,
    "sufficient": None,
    "judged_claims": 0,
    "worst_belief": None,
    "worst_observation_belief": None,
}
"""What is measured of a trace whose claims nobody judged."""


def with_pools(measurements: pl.DataFrame, counted: pl.Series | None = None) -> pl.DataFrame:
    """The same rows with the figures of their pools; null for those in none.

    Where some rows are not to count, `counted` says which do: what is no longer published tells nothing.
    """
    sums = pool_sums(measurements if counted is None else measurements.filter(counted))
    return with_figures(measurements, pool_figures(sums))
