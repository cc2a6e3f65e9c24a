"""Answers as people and models write them: the table `answers.tsv`, and what holds for all of their kinds."""

import csv
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.answers.scores import lenient_score, partial_score, strict_score
from reelproof.schemas.question import Task

OPTIONS = ("blue", "red", "a green car", "a yellow bus")
JUDGED_OTHERWISE = {("Barack Obama", "Obama"), ("a canine sprints", "a dog runs")}
"""Right to a person who knows the world. Words alone do not say so; a judge model does."""


class Row(NamedTuple):
    task: Task
    said: str
    options: tuple[str, ...]
    gold: str
    tolerance: float | None
    score: float


def rows() -> list[Row]:
    text = (Path(__file__).parent / "answers.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line and not line.startswith(("#", "task\t"))]
    table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [
        Row(
            Task(task),
            said.replace("\\n", "\n"),
            tuple(options.split("|")) if options else (),
            gold,
            float(tolerance) if tolerance else None,
            float(score),
        )
        for task, said, options, gold, tolerance, score in table
    ]


def read(row: Row, said: str | None) -> float:
    return lenient_score(row.task, said, row.gold, row.options, row.tolerance)


def test_an_answer_is_read_as_a_person_reads_it():
    found = {row: read(row, row.said) for row in rows()}
    as_judged = {row for row, score in found.items() if abs(score - row.score) < 1e-6}
    others = {row for row in found if (row.said, row.gold) in JUDGED_OTHERWISE}
    assert found.keys() - as_judged - others == set()
    assert all(found[row] < 1 for row in others)
    assert len(found) > 600


def test_an_answer_without_tags_is_the_whole_text():
    for row in rows():
        tagged = read_completion(f"<think>I look.</think><answer>{row.said}</answer>")
        plain = read_completion(f"<think>I look.</think>\n\n{row.said}")
        assert plain.answer is None, row
        assert read(row, tagged.stated) == read(row, plain.stated), row


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("B", "B"),
        ("<think>a</think>\n\nB", "B"),
        ("a</think>B", "B"),
        ("The car is red.\nFinal answer: B", "B"),
        ("First A, then B. So the answer is B.", "B."),
        ("It moves on, so \\boxed{B} it is", "B"),
        ("\\boxed{\\text{B}}", "\\text{B}"),
        ("<answer>B", "B"),
        ("<think>a</think><answer>B</answer> or C", "B"),
        ("<think>it never closes: B", None),
        ("<think>it never closes <answer>B</answer>", "B"),
        ("<think>it never <answer>B</answer> closes", None),
        ("<think>a</think>", None),
        ("", None),
        ("答案：B", "B"),
    ],
)
def test_what_a_text_states_as_its_answer(text, stated):
    assert read_completion(text).stated == stated


LETTERS = some.sampled_from("ABCD")
NUMBERS = some.integers(0, 999).map(str)
HEDGES = some.sampled_from([" or ", " / ", " or maybe ", ", perhaps ", "; no, "])


@given(LETTERS, LETTERS, HEDGES)
def test_two_letters_are_never_one(first, second, hedge):
    for said in (f"{first}{hedge}{second}", f"({first}){hedge}({second})"):
        for gold in {first, second} if first != second else ():
            assert lenient_score(Task.MULTIPLE_CHOICE, said, gold, OPTIONS) == 0


@given(some.sampled_from(range(4)), some.sampled_from(range(4)))
def test_a_letter_beside_another_options_text_is_no_answer(letter, text):
    if letter != text:
        for said in (f"{'ABCD'[letter]}. {OPTIONS[text]}", f"{OPTIONS[text]} ({'ABCD'[letter]})"):
            for gold in "ABCD":
                assert partial_score(Task.MULTIPLE_CHOICE, said, gold, OPTIONS) == 0


@given(NUMBERS, NUMBERS, some.sampled_from([" or ", "-", "–", " to ", " and ", ", "]))
def test_two_numbers_are_never_one(first, second, joined):
    if first != second:
        for gold in (first, second):
            said = f"there are {first}{joined}{second} cars"
            if (first + joined + second).replace(",", "").replace(" ", "") != gold:
                assert lenient_score(Task.NUMERICAL, said, gold) == 0


@given(
    NUMBERS,
    some.sampled_from(["up to {}", "at least {}", "{}+", "more than {}", "not {}", ">{}", "under {}"]),
)
def test_a_bound_is_no_number(number, bound):
    assert lenient_score(Task.NUMERICAL, bound.format(number), number) == 0


@given(some.integers(1, 999), some.sampled_from("‐‑‒–—―−﹣－"))
def test_every_dash_is_a_minus(number, dash):
    for said, gold in ((f"{dash}{number}", f"-{number}"), (f"-{number}", f"{dash}{number}")):
        assert lenient_score(Task.NUMERICAL, said, gold) == 1
        assert lenient_score(Task.NUMERICAL, said, str(number)) == 0


UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0}


@given(some.integers(1, 500), some.sampled_from(sorted(UNITS)), some.sampled_from(sorted(UNITS)))
def test_lengths_are_compared_as_lengths(value, unit, other):
    same = value * UNITS[unit] / UNITS[other]
    assert lenient_score(Task.NUMERICAL, f"{value} {unit}", f"{same:.9f} {other}", tolerance=1e-6) == 1
    assert lenient_score(Task.NUMERICAL, f"{value} {unit}", f"{value} {other}") == (unit == other)
    assert lenient_score(Task.NUMERICAL, f"{value} {unit}", f"{value} kg") == 0


@given(some.integers(10**8, 10**12))
def test_neighbours_of_large_numbers_are_other_numbers(number):
    for score in (strict_score, lenient_score):
        assert score(Task.NUMERICAL, str(number + 1), str(number)) == 0


@given(
    some.sampled_from(["yes", "no", "true", "false"]),
    some.sampled_from(["yes", "no", "true", "false"]),
    HEDGES,
)
def test_yes_and_no_together_are_no_answer(first, second, hedge):
    if first in ("yes", "true") and second in ("no", "false"):
        for gold in ("yes", "no"):
            assert lenient_score(Task.BOOLEAN, f"{first}{hedge}{second}", gold) == 0
