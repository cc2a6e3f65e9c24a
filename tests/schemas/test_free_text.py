from pathlib import Path

import pytest

from reelproof.schemas.answers.content import exclude_each_other
from reelproof.schemas.answers.scores import is_right, lenient_score, strict_score
from reelproof.schemas.question import Task

TABLE = [line.split("\t") for line in Path(__file__).with_name("free_text.tsv").read_text().splitlines()]
"""What is said, what is right, whether a person takes it for that, and whether we do where we differ."""


@pytest.mark.parametrize("row", TABLE, ids=["|".join(row[:2]) for row in TABLE])
def test_free_text_is_right_where_it_puts_nothing_else_in_place_of_what_is(row):
    said, gold = row[:2]
    for score in (strict_score, lenient_score):
        assert is_right(Task.OPEN_ENDED, score(Task.OPEN_ENDED, said, gold), 0.5) is (row[-1] == "yes")
    assert lenient_score(Task.OPEN_ENDED, gold, gold) == 1.0


def test_what_is_taken_otherwise_than_by_a_person_is_rather_refused():
    assert sum(row[2:] == ["no", "yes"] for row in TABLE) <= 2
    assert sum(row[2:] == ["yes", "no"] for row in TABLE) <= 15


def test_reward_of_free_text_stays_a_degree():
    asked = Task.OPEN_ENDED, "he picks up the knife to cut the bread"
    said = ("he picks up the knife to cut the cheese", "he picks up the fork to cut the cheese", "she sleeps")
    near, far, nothing = (lenient_score(asked[0], each, asked[1]) for each in said)
    assert 0.5 > near > far > nothing == 0.0


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("a dog runs", "a cat runs", True),
        ("a guitar", "the violin", True),
        ("he opens the door", "he closes the door", True),
        ("a cup of tea", "a cup of coffee", True),
        ("a black cat runs", "a cat runs", False),
        ("the cat ran away", "a cat runs away", False),
        ("he cooks", "he is preparing a meal", False),
    ],
)
def test_free_texts_exclude_each_other_where_another_word_stands_in_the_same(one, other, do):
    assert exclude_each_other(one, other) is exclude_each_other(other, one) is do
