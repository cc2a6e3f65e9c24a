"""Where a film is looked at next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.footage import Span
from reelproof.stages.footage.nearer import closer_times, even_times, gaps_around, nearer_times

SHOWN = [5.0, 15.0, 25.0, 35.0]


def test_more_frames_go_between_neighbours_that_a_thought_cites_together():
    assert nearer_times(SHOWN, {15.0, 25.0}, 3) == [5.0, 15.0, 17.5, 20.0, 22.5, 25.0, 35.0]


def test_a_lone_citation_is_looked_at_on_both_sides():
    assert nearer_times(SHOWN, {15.0}, 2) == [5.0, 10.0, 15.0, 20.0, 25.0, 35.0]


def test_without_a_citation_nothing_is_added():
    assert nearer_times(SHOWN, set(), 4) == SHOWN


def test_gaps_are_those_that_hold_a_moment_or_end_with_it():
    assert gaps_around(SHOWN, [7.0]) == [(5.0, 15.0)]
    assert gaps_around(SHOWN, [15.0, 70.0]) == [(5.0, 15.0), (15.0, 25.0)]


@pytest.mark.parametrize(
    ("count", "times_s"),
    [
        (4, [15.0, 20.0, 25.0, 45.0]),
        (8, [15.0, 18.3, 21.7, 25.0, 35.0, 45.0, 55.0]),
        (5, [15.0, 20.0, 25.0, 35.0, 55.0]),
    ],
)
def test_a_closer_look_shows_a_gap_from_inside_and_some_of_the_rest(count, times_s):
    shown = [15.0, 25.0, 35.0, 45.0, 55.0]
    assert closer_times(shown, gaps_around(shown, [16.0]), count) == times_s


@given(st.floats(0, 50), st.floats(0.05, 500), st.integers(1, 200), st.data())
def test_no_two_frames_are_printed_as_the_same_tenth_of_a_second(start_s, length_s, count, data):
    shown = even_times(Span(start_s=start_s, end_s=start_s + length_s), count)
    assert 1 <= len(shown) <= count
    cited = data.draw(st.sets(st.sampled_from(shown)))
    times_s = nearer_times(shown, cited, data.draw(st.integers(0, 40)))
    assert set(shown) <= set(times_s)
    labels = [f"{each:.1f}" for each in times_s]
    assert len(set(labels)) == len(labels)
    assert times_s == sorted(times_s)
