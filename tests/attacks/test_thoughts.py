"""What the preset `balanced` makes of thoughts written to get past it: no more goes wrong than did before."""

from functools import cache

import pytest

from tests.attacks.thoughts import Verdict, marked, verdicts, wrong_of


@cache
def every() -> tuple[Verdict, ...]:
    return tuple(verdicts())


@pytest.mark.parametrize(
    ("is_false", "is_blind", "most"),
    [(True, False, 6), (False, False, 1), (True, True, 3), (False, True, 1)],
    ids=["false kept, seen", "sound dropped, seen", "false kept, blind", "sound dropped, blind"],
)
def test_no_more_goes_wrong(is_false, is_blind, most):
    of_half = [each for each in every() if each.attack.is_blind == is_blind]
    assert len(of_half) >= 100
    assert len(wrong_of(of_half, is_false, is_blind)) <= most


def test_marks_tell_what_is_false_and_where_it_is_sound():
    told = 'A {cat|dog} sits. (+No [-bird-] is there+). {"t": 1}'
    sound, false = marked(told, is_false=False), marked(told, is_false=True)
    assert sound.text == 'A cat sits. No bird is there. {"t": 1}'
    assert [false.text[slice(*each)] for each in false.false] == ["dog", "bird"]
    assert [sound.text[slice(*each)] for each in sound.sound] == ["No bird is there"]
