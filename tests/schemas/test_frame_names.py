import pytest
from hypothesis import given
from hypothesis import strategies as some

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.frame_names import decimals_apart, frame_names


@pytest.mark.parametrize(
    ("times_s", "names"),
    [
        ((3.0, 4.25), ["[3.0 s]", "[4.2 s]"]),
        ((2.98, 3.02), ["[2.98 s]", "[3.02 s]"]),
        ((3.06, 3.1, 7.5), ["[3.06 s]", "[3.10 s]", "[7.50 s]"]),
        ((3.001, 3.004), ["[3.001 s]", "[3.004 s]"]),
        ((3.0, 3.0), ["[3.0 s]", "[3.0 s]"]),
        ((None, None), ["Frame 1", "Frame 2"]),
        ((2.98, None, 3.02), ["[2.98 s]", "Frame 2", "[3.02 s]"]),
        ((), []),
    ],
)
def test_frames_have_as_many_decimals_as_tell_them_apart(times_s, names):
    assert frame_names(times_s) == names


@given(some.lists(some.integers(0, 20_000), unique=True, max_size=20))
def test_every_frame_is_cited_by_a_name_of_its_own(milliseconds):
    times_s = [each / 1000 for each in milliseconds]
    cited = [span.start_s for name in frame_names(times_s) for span in cited_spans(name)]
    nearest = [min(times_s, key=lambda time_s: abs(time_s - each)) for each in cited]
    assert nearest == times_s


@given(some.lists(some.integers(0, 2000), unique=True, max_size=20))
def test_frames_a_tenth_of_a_second_apart_keep_one_decimal(tenths):
    assert decimals_apart(each / 10 for each in tenths) == 1
