"""The knapsack of highlights, against every subset there is."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.stages.highlights.picking import Candidate, pick

CANDIDATES = st.lists(
    st.builds(Candidate, st.integers(1, 12).map(float), st.integers(-2, 30).map(float), st.integers(0, 2)),
    max_size=9,
)


def worth(chosen: tuple[Candidate, ...], again: float) -> float:
    """Of one look the most valuable counts whole, the next `again` times, and so on, four steps at most."""
    found = 0.0
    for look in {each.look for each in chosen}:
        values = sorted((each.value for each in chosen if each.look == look), reverse=True)
        found += sum(value * again ** min(place, 4) for place, value in enumerate(values))
    return found


@given(CANDIDATES, st.integers(1, 40), st.sampled_from([0.3, 0.7, 1.0]))
def test_what_is_picked_is_worth_as_much_as_any_subset_that_fits(candidates, budget_s, again):
    picked = pick(candidates, budget_s, again)
    assert picked == sorted(set(picked))
    chosen = tuple(candidates[place] for place in picked)
    assert sum(each.length_s for each in chosen) <= budget_s
    useful = [each for each in candidates if each.value > 0]
    best = max(
        worth(some, again)
        for count in range(len(useful) + 1)
        for some in combinations(useful, count)
        if sum(each.length_s for each in some) <= budget_s
    )
    assert worth(chosen, again) == pytest.approx(best)


def test_greed_would_pick_the_dearest_second_first_and_leave_room_unused():
    items = [Candidate(6, 6.6, 0), Candidate(5, 5.0, 1), Candidate(5, 5.0, 2)]
    assert pick(items, 10, 0.7) == [1, 2]


def test_what_looks_the_same_is_shown_once_where_something_else_is_as_good():
    assert pick([Candidate(5, 5, 0), Candidate(5, 5, 0), Candidate(5, 4, 1)], 10, 0.7) == [0, 2]


def test_lengths_that_are_no_whole_ticks_never_exceed_the_budget():
    assert len(pick([Candidate(1.001, 1, place) for place in range(60)], 60, 0.7)) == 58


def test_many_candidates_and_hours_of_budget_take_little_memory():
    items = [Candidate(5 + place % 7, 1 + place % 3, place % 50) for place in range(2000)]
    picked = pick(items, 3600, 0.7)
    assert 3500 < sum(items[place].length_s for place in picked) <= 3600
