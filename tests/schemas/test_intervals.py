import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, betabinom

from reelproof.schemas.intervals import beta_below, chance_of_passes, wilson, wilson_low

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


@given(st.floats(0.001, 0.999), st.floats(0.01, 500), st.floats(0.01, 500))
def test_share_of_a_beta_distribution_below_a_limit_is_scipys(limit, right, wrong):
    assert beta_below(limit, right, wrong) == pytest.approx(
        beta.cdf(limit, right, wrong), rel=1e-6, abs=1e-12
    )


def test_share_that_is_sure_is_on_its_own_side_of_the_limit():
    assert [beta_below(0.5, 0, 3), beta_below(0.5, 3, 0), beta_below(1, 2, 3), beta_below(0, 2, 3)] == [
        1,
        0,
        1,
        0,
    ]


@given(counts, st.integers(1, 60), st.integers(-3, 62))
def test_chance_of_further_passes_is_scipys_beta_binomial(counted, more, wanted):
    passes, rollouts = counted
    expected = betabinom.sf(wanted - 1, more, passes + 1, rollouts - passes + 1)
    assert chance_of_passes(wanted, more, passes, rollouts) == pytest.approx(expected, abs=1e-9)
