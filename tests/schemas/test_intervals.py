import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.intervals import wilson, wilson_low

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_interval_holds_the_share_and_solves_its_equation(counted):
    passes, rollouts = counted
    share, low, high = wilson(passes, rollouts)
    assert share == passes / rollouts
    assert 0 <= low <= share <= high <= 1
    for bound in (low, high):
        if 0 < bound < 1:  # the score test is exactly at its limit there
            assert abs(share - bound) == pytest.approx(1.95996398 * (bound * (1 - bound) / rollouts) ** 0.5)


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (0, 0, 0.0, 1.0),
        (2, 4, 0.15, 0.85),
    ],
)
def test_wilson_interval_by_the_published_formula(right, total, low, high):
    interval = wilson(right, total)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@given(st.lists(counts, min_size=1, max_size=5), st.floats(0, 3))
def test_lower_ends_of_columns_are_those_of_their_numbers(counted, quantile):
    rows = pl.DataFrame(counted, schema=["passes", "rollouts"], orient="row")
    found = rows.select(wilson_low(pl.col("passes") / pl.col("rollouts"), pl.col("rollouts"), quantile))
    alone = [wilson_low(passes / rollouts, float(rollouts), quantile) for passes, rollouts in counted]
    assert found.to_series().to_list() == pytest.approx(alone)
