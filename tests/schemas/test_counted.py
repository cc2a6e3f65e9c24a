import pytest

from reelproof.schemas.counted import counted


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [
        (0, "video", "0 videos"),
        (1, "video", "1 video"),
        (2, "teacher call", "2 teacher calls"),
        (1234, "row", "1,234 rows"),
    ],
)
def test_a_number_and_its_noun_agree(count, noun, told):
    assert counted(count, noun) == told
