import pytest

from reelproof.schemas.thinning import thinned, thinned_to_ends


@pytest.mark.parametrize(
    ("most", "middles", "to_ends"),
    [(1, "d", "d"), (2, "bf", "ag"), (3, "bdf", "adg"), (7, "abcdefg", "abcdefg"), (9, "abcdefg", "abcdefg")],
)
def test_many_are_thinned_to_the_middles_of_runs_or_up_to_their_ends(most, middles, to_ends):
    assert "".join(thinned("abcdefg", most)) == middles
    assert "".join(thinned_to_ends("abcdefg", most)) == to_ends


def test_none_are_left_where_there_is_no_room():
    assert thinned("abc", 0) == []
