"""When no more votes need be asked for."""

import pytest

from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.answers.votes import cannot_be_caught, count_votes, vote
from reelproof.schemas.question import Task


@pytest.mark.parametrize(
    ("votes", "left", "is_settled"),
    [
        ([], 0, False),
        ([("yes", 1)], 1, False),  # the next could draw level
        ([("yes", 2)], 1, True),
        ([("yes", 2), ("no", 1)], 1, False),
        ([("no", 1), ("yes", 3)], 1, True),
        ([("no", 2), ("yes", 2)], 0, False),
    ],
)
def test_votes_are_settled_once_the_rest_cannot_change_them(votes, left, is_settled):
    assert cannot_be_caught(votes, left) is is_settled


def test_answers_that_mean_the_same_are_one_and_no_answer_is_no_vote():
    asked = Posed(Task.BOOLEAN, "Does it rain?")
    said = ["Yes", "no", None, "yes.", "true"]
    assert count_votes(asked, said, [1.0] * 5) == [("Yes", 3.0), ("no", 1.0)]
    assert vote(asked, said, [1.0] * 5) == "Yes"
    assert vote(asked, [None], [1.0]) is None
