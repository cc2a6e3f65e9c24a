import pytest

from reelproof.schemas.answers.chance import guess_rate
from reelproof.schemas.question import Task
from tests.cases import made_case


@pytest.mark.parametrize(
    ("task", "answer", "options", "rate"),
    [
        (Task.MULTIPLE_CHOICE, "B", "wxyz", 1 / 4),
        (Task.MULTIPLE_CHOICE, "A, C", "wxyz", 1 / 6),  # two of four: 6 pairs
        (Task.MULTIPLE_CHOICE, "A", "w", 1),
        (Task.MULTIPLE_CHOICE, "A", "", 1),
        (Task.BOOLEAN, "yes", "", 1 / 2),
        (Task.ORDERING, "2, 1, 3", "", 1 / 6),
        (Task.NUMERICAL, "3", "", None),
        (Task.OPEN_ENDED, "a cat", "", None),
    ],
)
def test_guesses_are_right_as_often_as_there_are_possible_answers(task, answer, options, rate):
    assert guess_rate(made_case([], task=task, answer=answer, options=options).question) == rate
