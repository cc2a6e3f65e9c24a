import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chi2

from reelproof.schemas.question import Question, Task
from reelproof.stages.checks.balance import (
    binomial_tail,
    chi_square_tail,
    constant_baseline,
    measure_balance,
)
from tests.cases import made_case
from tests.views import made_clip

CLIP = made_clip("film")


def asked(task: Task, answers: list[str], options: int = 0) -> list[Question]:
    names = tuple(f"option {i}" for i in range(options))
    return [
        made_case([], task=task, answer=answer, options=names, clip=CLIP, name=f"{task}{i}").question
        for i, answer in enumerate(answers)
    ]


@given(st.floats(0.01, 200), st.integers(1, 25))
def test_chi_square_tail_is_scipys(statistic, degrees):
    assert chi_square_tail(statistic, degrees) == pytest.approx(
        chi2.sf(statistic, degrees), rel=1e-9, abs=1e-300
    )


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.99))
def test_binomial_tail_is_scipys(counts, chance):
    assert binomial_tail(*counts, chance) == pytest.approx(
        binom.sf(counts[0] - 1, counts[1], chance), rel=1e-6, abs=1e-200
    )


def test_an_even_key_raises_no_alarm_and_a_skewed_one_does():
    rng = random.Random(0)
    even = asked(Task.MULTIPLE_CHOICE, rng.choices("ABCD", k=400), 4)
    skewed = asked(Task.MULTIPLE_CHOICE, rng.choices("ABCD", weights=(4, 2, 2, 2), k=400), 4)
    (fair,), (unfair,) = measure_balance(even), measure_balance(skewed)
    assert not fair.alarm
    assert fair.chance == 0.25
    assert fair.p_value > 0.01
    assert unfair.alarm
    assert unfair.p_value < 0.001
    assert unfair.constant_answer == "A"
    assert unfair.constant_low > 0.25


def test_letters_are_expected_as_often_as_questions_have_them():
    questions = asked(Task.MULTIPLE_CHOICE, ["A", "B"] * 30, 2) + asked(
        Task.MULTIPLE_CHOICE, list("ABCD") * 10, 4
    )
    (balance,) = measure_balance(questions)
    assert [(each.letter, each.right, each.expected) for each in balance.letters] == [
        ("A", 40, 40), ("B", 40, 40), ("C", 10, 10), ("D", 10, 10),
    ]  # fmt: skip
    assert (balance.chi_square, balance.p_value) == (0, 1)
    assert balance.chance == pytest.approx((60 / 2 + 40 / 4) / 100)


@pytest.mark.parametrize(
    ("task", "answers", "constant", "score", "chance", "alarm"),
    [
        (Task.BOOLEAN, ["no"] * 45 + ["yes"] * 15, "no", 0.75, 0.5, True),
        (Task.BOOLEAN, ["no"] * 20 + ["yes"] * 20, "no", 0.5, 0.5, False),
        (Task.BOOLEAN, ["no"] * 9, "no", 1.0, 0.5, False),  # too few
        (Task.NUMERICAL, ["2"] * 45 + ["3"] * 15, "2", 0.75, None, False),
        (Task.ORDERING, ["1, 2, 3"] * 45 + ["3, 1, 2"] * 15, "1, 2, 3", 0.75, 1 / 6, True),
        (Task.TEMPORAL_GROUNDING, ["[0, 4]"] * 30 + ["[0, 2]"] * 30, "[0, 2]", 0.75, None, False),
    ],
)
def test_a_constant_answer_is_held_against_chance(task, answers, constant, score, chance, alarm):
    (balance,) = measure_balance(asked(task, answers))
    assert (balance.constant_answer, balance.constant_score) == (constant, pytest.approx(score))
    assert balance.chance == pytest.approx(chance) if chance else balance.chance is None
    assert balance.alarm is alarm
    assert balance.letters == ()


def test_tasks_are_told_apart_in_their_order():
    questions = asked(Task.BOOLEAN, ["yes"]) + asked(Task.NUMERICAL, ["3"]) + asked(Task.BOOLEAN, ["no"])
    assert [(each.task, each.questions) for each in measure_balance(questions)] == [
        (Task.NUMERICAL, 1),
        (Task.BOOLEAN, 2),
    ]


def test_constant_answers_are_scored_in_part_where_the_task_is():
    questions = asked(Task.TEMPORAL_GROUNDING, ["[0, 10]", "[0, 5]", "[0, 5]"])
    assert constant_baseline(questions) == ("[0, 5]", pytest.approx(2.5 / 3), 2)
