import pytest

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.thought import cited_near_frames, lies_in_clip, repetition, thought_words
from reelproof.schemas.footage import Span
from tests.views import made_clip


@pytest.mark.parametrize(
    ("thought", "share"),
    [
        ("", 0),
        ("a b c", 0),
        ("a b c d", 0),
        ("a b c d e a b c d", 1 / 6),
        ("no " * 103, 0.99),
        ("A b, c d! a B c. D", 1 / 5),
    ],
)
def test_repetition_is_the_share_of_runs_said_before(thought, share):
    assert repetition(thought) == pytest.approx(share)


@pytest.mark.parametrize(("words", "again", "limit"), [(7, 3, 0.3), (14, 6, 0.3), (17, 3, 0.15)])
def test_repetition_just_at_a_limit_is_not_above_it(words, again, limit):
    said = [f"w{place}" for place in range(words)]
    assert repetition(" ".join(said + said[:again]), gram_words=1) == limit


@pytest.mark.parametrize(
    ("thought", "count"), [("", 0), ("At [3.2 s], it cuts.", 6), ("红色 car", 3), ("-- … --", 0)]
)
def test_words_are_counted_without_punctuation_and_with_each_character_of_scripts_without_spaces(
    thought, count
):
    assert thought_words(thought) == count


@pytest.mark.parametrize(
    ("thought", "times_s", "share"),
    [
        ("No time.", [1.0], None),
        ("At [1.0 s].", [], 0),
        ("At [1.0 s], then [2.0 s].", [1.2], 0.5),
        ("At [1.0 s], then [1.5 s].", [1.25], 1),  # just as near as it may be
        ("From [1.0-9.0 s].", [5.0], 1),
        ("From [1.0-9.0 s].", [9.3], 0),
    ],
)
def test_citations_are_near_a_frame_that_lies_in_them_or_within_the_tolerance(thought, times_s, share):
    assert cited_near_frames(cited_spans(thought), times_s, 0.25) == share


def test_a_span_lies_in_the_clip_with_both_its_ends():
    clip = made_clip("film", 20.0)
    spans = [(0.0, 20.0), (3.0, 3.0), (19.0, 20.04), (19.0, 20.1), (30.0, 30.0)]
    inside = [lies_in_clip(Span(start_s=start_s, end_s=end_s), clip, 0.05) for start_s, end_s in spans]
    assert inside == [True, True, True, False, False]
