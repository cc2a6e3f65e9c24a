import itertools

from hypothesis import given
from hypothesis import strategies as st

from reelproof.stages.footage.clock import Clock

TICK_S = 0.001


def told(stamps: list[int | None], declared_s: float = 0.0) -> list[float]:
    clock = Clock(25, declared_s, TICK_S)
    return [clock.tell(stamp, 40) for stamp in stamps]


def test_sound_timestamps_start_at_zero_and_stay():
    assert told([5000, 5040, 5090, 5500]) == [0.0, 0.04, 0.09, 0.5]


def test_missing_timestamps_follow_the_frame_rate():
    assert told([None, None, None]) == [0.0, 0.04, 0.08]


def test_clock_that_starts_anew_goes_on():
    assert told([90_000, 90_040, 0, 40]) == [0.0, 0.04, 0.08, 0.12]


def test_jump_beyond_the_declared_end_is_no_gap():
    assert told([0, 40, 10_000_000, 10_000_040], declared_s=2.0) == [0.0, 0.04, 0.08, 0.12]


def test_long_gap_within_the_declared_length_is_kept():
    assert told([0, 40, 60_000], declared_s=61.0) == [0.0, 0.04, 60.0]


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=2, max_size=30))
def test_times_rise_strictly_whatever_the_stamps(stamps):
    times_s = told(stamps, declared_s=5.0)
    assert times_s[0] == 0
    assert all(b > a for a, b in itertools.pairwise(times_s))
