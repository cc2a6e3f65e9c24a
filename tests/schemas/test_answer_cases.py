import pytest

from reelproof.schemas.answers.scores import lenient_score, partial_score, strict_score
from reelproof.schemas.question import Task

MC, NUM, REG, OPEN, OCR = Task.MULTIPLE_CHOICE, Task.NUMERICAL, Task.REGRESSION, Task.OPEN_ENDED, Task.OCR
TIME, BOX, ORDER, TRUTH = Task.TEMPORAL_GROUNDING, Task.SPATIAL_GROUNDING, Task.ORDERING, Task.BOOLEAN
COLOURS = ("blue", "red", "a green car", "Vitamin C")

LETTERS = [
    # said, gold, strict, lenient
    ("B", "B", 1, 1),
    ("b", "B", 0, 1),
    ("(B)", "B", 0, 1),
    ("(b)", "B", 0, 1),
    ("[B]", "B", 0, 1),
    ("B.", "B", 0, 1),
    ("B)", "B", 0, 1),
    ("B:", "B", 0, 1),
    ("B. red", "B", 0, 1),
    ("(B) red", "B", 0, 1),
    ("B: Red.", "B", 0, 1),
    ("B - red", "B", 0, 1),
    ("B red", "B", 0, 1),
    ("red", "B", 0, 1),
    ("Red.", "B", 0, 1),
    ("A green car", "C", 0, 1),
    ("the answer is red", "B", 0, 1),
    ("The answer is B.", "B", 0, 1),
    ("Answer: B", "B", 0, 1),
    ("Final answer: (B)", "B", 0, 1),
    ("Option B", "B", 0, 1),
    ("option B is right", "B", 0, 1),
    ("I choose B", "B", 0, 1),
    ("So the correct answer is B", "B", 0, 1),
    ("**B**", "B", 0, 1),
    ("**B. red**", "B", 0, 1),
    ("`B`", "B", 0, 1),
    ('"B"', "B", 0, 1),
    ("$\\boxed{B}$", "B", 0, 1),
    ("\\boxed{\\text{B}}", "B", 0, 1),
    ("  B \n", "B", 1, 1),
    ("Ｂ", "B", 0, 1),
    ("Definitely A", "D", 0, 0),
    ("Definitely A", "A", 0, 1),
    ("D. Vitamin C", "D", 0, 1),
    ("Vitamin C", "D", 0, 1),
    ("Vitamin C", "C", 0, 0),
    ("B. blue", "B", 0, 0),  # letter and text name two options
    ("B. blue", "A", 0, 0),
    ("B. because of its colour", "B", 0, 1),
    ("A or B", "B", 0, 0),
    ("A. or B", "A", 0, 0),
    ("A, B, C, D", "B", 0, 0),
    ("ABCD", "B", 0, 0),
    ("B, no, C", "B", 0, 0),
    ("not B", "B", 0, 0),
    ("B is not shown", "B", 0, 0),
    ("It isn't B", "B", 0, 0),
    ("It isn’t B.", "B", 0, 0),
    ("it is n't B", "B", 0, 0),
    ("That isn't B", "B", 0, 0),
    ("The answer isn't B.", "B", 0, 0),
    ("The answer isn’t (B).", "B", 0, 0),
    ("The answer wasn't B", "B", 0, 0),
    ("The answer wouldn't be B", "B", 0, 0),
    ("I don't think it's B", "B", 0, 0),
    ("The answer isnt B", "B", 0, 0),
    ("Since it isn't B", "B", 0, 0),
    ("B isn't it since it moves", "B", 0, 0),
    ("B because it doesn't move", "B", 0, 1),
    ("The answer is B since the car is not blue", "B", 0, 1),
    ("It's B", "B", 0, 1),
    ("That’s B.", "B", 0, 1),
    ("The best choice was B", "B", 0, 1),
    ("E", "B", 0, 0),
    ("A dog runs", "A", 0, 0),  # an article
    ("I think so", "B", 0, 0),
    ("bread", "B", 0, 0),
    ("Because", "B", 0, 0),
    ("", "B", 0, 0),
    ("none of these", "B", 0, 0),
    ("2", "B", 0, 0),
    ("B", "red", 1, 1),  # a gold that is an option's text
    ("A, C", "A, C", 1, 1),
    ("C, A", "A, C", 1, 1),
    ("A,C", "A, C", 1, 1),
    ("A and C", "A, C", 0, 1),
    ("A, B, and C", "A, B, C", 0, 1),
    ("AC", "A, C", 0, 1),
    ("(A) (C)", "A, C", 0, 1),
    ("A", "A, C", 0, 0),
    ("A, C, D", "A, C", 0, 0),
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient"), LETTERS)
def test_option_letters_are_read_as_a_person_would(
    said: str, gold: str, strict: float, lenient: float
) -> None:
    assert strict_score(MC, said, gold, COLOURS) == strict
    assert lenient_score(MC, said, gold, COLOURS) == lenient


NUMBERS = [
    ("3", "3", 1, 1),
    ("3.0", "3", 1, 1),
    ("3", "3.0", 1, 1),
    ("+3", "3", 1, 1),
    ("-3", "3", 0, 0),
    ("-3", "-3", 1, 1),
    ("−3", "-3", 0, 1),
    ("minus three", "-3", 0, 1),
    ("negative 3", "-3", 0, 1),
    ("three", "3", 0, 1),
    ("Three.", "3", 0, 1),
    ("twenty-one", "21", 0, 1),
    ("one hundred and five", "105", 0, 1),
    ("two thousand three hundred", "2300", 0, 1),
    ("3 million", "3000000", 0, 1),
    ("none", "0", 0, 1),
    ("1,000", "1000", 0, 1),
    ("1 000", "1000", 0, 1),
    ("1,234,567.5", "1234567.5", 0, 1),
    ("3,5", "3.5", 0, 1),
    ("3,5", "35", 0, 0),  # Video-R1 drops the comma
    ("3 s", "3", 0, 1),
    ("3s", "3", 0, 1),
    ("3 seconds", "3", 0, 1),
    ("2 min", "120 s", 0, 1),
    ("2 min", "120", 0, 1),
    ("2 min", "2", 0, 1),
    ("2 min", "2 s", 0, 0),
    ("00:03", "3", 0, 1),
    ("1:02:03", "3723", 0, 1),
    ("50%", "50", 0, 1),
    ("50 %", "0.5", 0, 1),
    ("0.5", "50%", 1, 1),
    ("50 percent", "50", 0, 1),
    ("$3.50", "3.5", 0, 1),
    ("1/2", "0.5", 0, 1),
    ("\\frac{1}{2}", "0.5", 0, 1),
    ("\\boxed{3}", "3", 0, 1),
    ("$3$", "3", 0, 1),
    ("1e3", "1000", 0, 1),
    ("1.5×10^3", "1500", 0, 1),
    (".5", "0.5", 0, 1),
    ("003", "3", 1, 1),
    ("3 apples", "3", 0, 1),
    ("There are 3 cuts.", "3", 0, 1),
    ("There are three (3) cuts.", "3", 0, 1),
    ("2 + 1 = 3", "3", 0, 1),
    ("The answer is 3.", "3", 0, 1),
    ("about 3", "3", 0, 1),
    ("3 or 4", "3", 0, 0),
    ("3-4", "3", 0, 0),
    ("less than 3", "3", 0, 0),
    ("at least 3", "3", 0, 0),
    ("> 3", "3", 0, 0),
    ("not 3", "3", 0, 0),
    ("The answer isn't 3", "3", 0, 0),
    ("It wasn't 3", "3", 0, 0),
    ("There weren’t 3", "3", 0, 0),
    ("three four", "3", 0, 0),
    ("1 2 3 4 5", "3", 0, 0),
    ("13", "3", 0, 0),
    ("30", "3", 0, 0),
    ("3.0001", "3", 0, 0),
    ("1/0", "0", 0, 0),
    ("nan", "3", 0, 0),
    ("inf", "3", 0, 0),
    ("", "0", 0, 0),
    ("many", "3", 0, 0),
    ("３", "3", 0, 1),
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient"), NUMBERS)
def test_numbers_are_equal_by_value_and_hedges_are_none(
    said: str, gold: str, strict: float, lenient: float
) -> None:
    assert strict_score(NUM, said, gold) == strict
    assert lenient_score(NUM, said, gold) == lenient


@pytest.mark.parametrize(
    ("said", "tolerance", "score"),
    [("3.4", None, 0), ("3.4", 0.5, 1), ("2.5", 0.5, 1), ("2.4", 0.5, 0), ("3.6", 0.5, 0), ("3", 0.0, 1)],
)
def test_numerical_tolerance_counts_only_where_stated_and_on_both_sides(
    said: str, tolerance: float | None, score: float
) -> None:
    assert strict_score(NUM, said, "3", tolerance=tolerance) == score


REGRESSIONS = [
    ("10", "10", 1.0),
    ("0", "0", 1.0),  # the published formula divides by zero, or adds an epsilon, and scores 0
    ("0.0", "0", 1.0),
    ("0.1", "0", 0.0),
    ("10.4", "10", 1.0),
    ("10.5", "10", 0.9),  # at the threshold is not within it
    ("9.5", "10", 0.9),
    ("11", "10", 0.8),
    ("14", "10", 0.2),
    ("15", "10", 0.0),
    ("-10", "10", 0.0),
    ("-10.4", "-10", 1.0),
    ("abc", "10", 0.0),
    ("100000000000", "10", 0.0),
]


@pytest.mark.parametrize(("said", "gold", "score"), REGRESSIONS)
def test_regression_is_mean_relative_accuracy(said: str, gold: str, score: float) -> None:
    assert strict_score(REG, said, gold) == pytest.approx(score)
    assert lenient_score(REG, f"about {said} m", gold) == pytest.approx(score)


WORDS = [
    (OPEN, "A dog runs.", "the dog runs", 1.0, 1.0),
    (OPEN, "a dog", "the dog runs", 2 / 3, 2 / 3),
    (OPEN, "dog dog dog", "dog", 0.5, 0.5),
    (OPEN, "cat", "dog", 0.0, 0.0),
    (OPEN, "A", "the", 0.0, 0.0),
    (OPEN, "The", "the", 1.0, 1.0),
    (OPEN, "狗在跑", "狗在走", 1 / 3, 1 / 3),
    (OPEN, "...", "dog", 0.0, 0.0),
    (OCR, "STOP SIGN", "STOP SIGN", 1.0, 1.0),
    (OCR, "stop sign", "STOP SIGN", 0.0, 1.0),
    (OCR, "STOP, SIGN!", "STOP SIGN", 0.0, 1.0),
    (OCR, "STOP", "STOP SIGN", 0.5, 0.5),
    (OCR, "STOP THE SIGN", "STOP SIGN", 0.5, 0.5),
    (OCR, "a b c d e f", "STOP SIGN", 0.0, 0.0),
    (OCR, "出口 在左", "出口在右", 0.0, 0.75),
    (OCR, "", "STOP", 0.0, 0.0),
]


@pytest.mark.parametrize(("task", "said", "gold", "strict", "lenient"), WORDS)
def test_free_text_is_scored_by_its_words(
    task: Task, said: str, gold: str, strict: float, lenient: float
) -> None:
    assert strict_score(task, said, gold) == pytest.approx(strict)
    assert lenient_score(task, said, gold) == pytest.approx(lenient)


SPANS = [
    ("[2, 4]", "[2, 4]", 1.0, 1.0),
    ("[2.0,4.0]", "[2, 4]", 1.0, 1.0),
    ("[3, 5]", "[2, 4]", 1 / 3, 1 / 3),
    ("[4, 6]", "[2, 4]", 0.0, 0.0),
    ("[0, 100]", "[2, 4]", 0.02, 0.02),
    ("[4, 2]", "[2, 4]", 0.0, 0.0),
    ("[3, 3]", "[2, 4]", 0.0, 0.0),
    ("from 2 s to 4 s", "[2, 4]", 0.0, 1.0),
    ("2-4", "[2, 4]", 0.0, 1.0),
    ("2.0s – 4.0s", "[2, 4]", 0.0, 1.0),
    ("between 2 and 4 seconds", "[2, 4]", 0.0, 1.0),
    ("00:02 - 00:04", "[2, 4]", 0.0, 1.0),
    ("1:02 to 1:04", "[62, 64]", 0.0, 1.0),
    ("1 min 2 s to 64 s", "[62, 64]", 0.0, 1.0),
    ("1 to 2 minutes", "[60, 120]", 0.0, 1.0),
    ("[2 s, 4 s]", "[2, 4]", 0.0, 1.0),
    ("(2, 4)", "[2, 4]", 0.0, 1.0),
    ("The event happens from 2 to 4.", "[2, 4]", 0.0, 1.0),
    ("Scene 3: [2, 4]", "[2, 4]", 0.0, 1.0),
    ("2", "[2, 4]", 0.0, 0.0),
    ("2, 3, 4", "[2, 4]", 0.0, 0.0),
    ("2 4", "[2, 4]", 0.0, 1.0),
    ("start: 2, end: 4", "[2, 4]", 0.0, 1.0),
    ("00:00:02 --> 00:00:04", "[2, 4]", 0.0, 1.0),
    ("<t>2</t>s to <t>4</t>s", "[2, 4]", 0.0, 1.0),
    ('{"time": [2, 4]}', "[2, 4]", 0.0, 1.0),
    ("2 until the end", "[2, 4]", 0.0, 0.0),
    ("[2, 3], [3, 4]", "[2, 4]", 1.0, 1.0),
    ("[2, 3] [2, 3]", "[2, 4]", 0.5, 0.5),
    ("[2, 4], [6, 8]", "[6, 8], [2, 4]", 1.0, 1.0),
    ("[2, 4]", "[2, 4], [6, 8]", 0.5, 0.5),
    ("[2, 8]", "[2, 4], [6, 8]", 2 / 3, 2 / 3),
    ("[2, 4], [8, 6]", "[2, 4], [6, 8]", 0.0, 0.0),
    ("[nan, 4]", "[2, 4]", 0.0, 0.0),
    ("not [2, 4]", "[2, 4]", 0.0, 0.0),
    ("It isn't [2, 4].", "[2, 4]", 0.0, 0.0),
    ("not from 2 to 4 s", "[2, 4]", 0.0, 0.0),
    ("[2, 4] then 5 to 9", "[2, 4]", 0.0, 0.0),
    ("[2, 4], or at 7 s", "[2, 4]", 0.0, 0.0),
    ("0:12: [2, 4]", "[2, 4]", 0.0, 0.0),
    ("1. [2, 4] 2. [6, 8]", "[2, 4], [6, 8]", 0.0, 1.0),
    ('{"event 1": [[2, 4], [6, 8]]}', "[2, 4], [6, 8]", 0.0, 1.0),
    ("[2, 4] seconds.", "[2, 4]", 0.0, 1.0),
    ("no such event", "[2, 4]", 0.0, 0.0),
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient"), SPANS)
def test_spans_score_their_overlap(said: str, gold: str, strict: float, lenient: float) -> None:
    assert strict_score(TIME, said, gold) == pytest.approx(strict)
    assert lenient_score(TIME, said, gold) == pytest.approx(lenient)


BOXES = [
    ("[12.4 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 1.0, 1.0),
    ("[12.8 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 1.0, 1.0),
    ("[12.0 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 1.0, 1.0),
    ("[507.4 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 0.0, 0.0),  # a one-sided gate lets this pass
    ("[1.0 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 0.0, 0.0),
    ("[0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]", 0.0, 0.0),
    ("[0, 0, 10, 10]", "[0, 0, 10, 10]", 1.0, 1.0),
    ("[5 s] [0, 0, 10, 10]", "[0, 0, 10, 10]", 1.0, 1.0),
    ("[12.4 s] [0, 0, 10, 20]", "[12.4 s] [0, 0, 10, 10]", 0.5, 0.5),
    ("[12.4 s] [20, 20, 30, 30]", "[12.4 s] [0, 0, 10, 10]", 0.0, 0.0),
    ("[12.4 s] [10, 10, 0, 0]", "[12.4 s] [0, 0, 10, 10]", 0.0, 0.0),
    ("at 0:12 the box is (0, 0, 10, 10)", "[12.4 s] [0, 0, 10, 10]", 0.0, 1.0),
    ("0, 0, 10, 10", "[0, 0, 10, 10]", 0.0, 1.0),
    ('{"boxes": [0, 0, 10, 10]}', "[0, 0, 10, 10]", 0.0, 1.0),
    ("[0, 0, 10, 10] at 12.4 s", "[12.4 s] [0, 0, 10, 10]", 0.0, 1.0),
    ("[0 s] [0, 0, 1, 1], [3 s] [0, 0, 1, 1]", "[3 s] [0, 0, 1, 1], [0 s] [0, 0, 1, 1]", 1.0, 1.0),
    ("[0 s] [0, 0, 1, 1]", "[3 s] [0, 0, 1, 1], [0 s] [0, 0, 1, 1]", 0.5, 0.5),
    (
        "[0 s] [0, 0, 1, 1] [0 s] [0, 0, 1, 1]",
        "[0 s] [0, 0, 1, 1]",
        0.5,
        0.5,
    ),  # the same box again is no gain
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient"), BOXES)
def test_boxes_score_where_they_are_and_when(said: str, gold: str, strict: float, lenient: float) -> None:
    assert strict_score(BOX, said, gold) == pytest.approx(strict)
    assert lenient_score(BOX, said, gold) == pytest.approx(lenient)


def test_box_time_tolerance_is_the_questions_where_it_states_one() -> None:
    said, gold = "[14.0 s] [0, 0, 10, 10]", "[12.4 s] [0, 0, 10, 10]"
    assert [strict_score(BOX, said, gold, tolerance=t) for t in (None, 1.0, 2.0)] == [0, 0, 1]


ORDERS = [
    ("2, 1, 3", "2, 1, 3", 1, 1, 1),
    ("2,1,3", "2, 1, 3", 1, 1, 1),
    ("2 1 3", "2, 1, 3", 0, 1, 1),
    ("[2, 1, 3]", "2, 1, 3", 0, 1, 1),
    ("2 > 1 > 3", "2, 1, 3", 0, 1, 1),
    ("2 → 1 → 3", "2, 1, 3", 0, 1, 1),
    ("2->1->3", "2, 1, 3", 0, 1, 1),
    ("2-1-3", "2, 1, 3", 0, 1, 1),
    ("213", "2, 1, 3", 0, 1, 1),
    ("Frame 2, Frame 1, Frame 3", "2, 1, 3", 0, 1, 1),
    ("Frame 2, Frame 1, then Frame 3.", "2, 1, 3", 0, 1, 1),
    ("The order is 2, 1, 3", "2, 1, 3", 0, 1, 1),
    ("(b)(a)(c)", "B, A, C", 0, 1, 1),
    ("B,A,C", "B, A, C", 1, 1, 1),
    ("BAC", "B, A, C", 0, 1, 1),
    ("Frame2, Frame1, Frame3", "2, 1, 3", 0, 1, 1),
    ("②①③", "2, 1, 3", 0, 1, 1),
    ("1, 2, 3", "2, 1, 3", 0, 0, 2 / 3),
    ("3, 1, 2", "2, 1, 3", 0, 0, 0),
    ("3, 2, 1", "1, 2, 3", 0, 0, 0),
    ("2, 1", "2, 1, 3", 0, 0, 0),
    ("2, 1, 3, 4", "2, 1, 3", 0, 0, 0),
    ("2, 2, 3", "2, 1, 3", 0, 0, 0),
    ("two, one, three", "2, 1, 3", 0, 1, 1),
    ("", "2, 1, 3", 0, 0, 0),
    ("1", "1", 1, 1, 1),
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient", "partial"), ORDERS)
def test_orders_are_exact_and_get_kendall_credit_apart(
    said: str, gold: str, strict: float, lenient: float, partial: float
) -> None:
    assert strict_score(ORDER, said, gold) == strict
    assert lenient_score(ORDER, said, gold) == lenient
    assert partial_score(ORDER, said, gold) == pytest.approx(partial)


TRUTHS = [
    ("yes", "yes", 1, 1),
    ("Yes", "yes", 0, 1),
    ("YES.", "yes", 0, 1),
    ("no", "yes", 0, 0),
    ("true", "yes", 0, 1),
    ("true", "true", 1, 1),
    ("False", "no", 0, 1),
    ("y", "yes", 0, 1),
    ("Nope.", "no", 0, 1),
    ("Yes, it is played backwards.", "yes", 0, 1),
    ("No, it is not.", "no", 0, 1),
    ("The answer is no", "no", 0, 1),
    ("not true", "no", 0, 1),
    ("not true", "yes", 0, 0),
    ("It isn't true", "no", 0, 1),
    ("It isn’t true", "yes", 0, 0),
    ("The answer isn't yes", "yes", 0, 0),
    ("No, it isn't.", "no", 0, 1),
    ("Correct", "yes", 0, 1),
    ("yes and no", "yes", 0, 0),
    ("yes or no", "no", 0, 0),
    ("now", "no", 0, 0),
    ("maybe", "no", 0, 0),
    ("", "no", 0, 0),
]


@pytest.mark.parametrize(("said", "gold", "strict", "lenient"), TRUTHS)
def test_truths_are_read_in_words(said: str, gold: str, strict: float, lenient: float) -> None:
    assert strict_score(TRUTH, said, gold) == strict
    assert lenient_score(TRUTH, said, gold) == lenient


@pytest.mark.parametrize(
    ("said", "gold", "credit"),
    [
        ("A", "A, C", 0.5),
        ("A, C", "A, C", 1),
        ("A, B", "A, C", 0),
        ("A, B, C, D", "A, C", 0),
        ("a and c", "A, B, C, D", 0.5),
    ],
)
def test_subset_of_right_letters_gets_its_share_and_any_wrong_letter_none(
    said: str, gold: str, credit: float
) -> None:
    assert partial_score(MC, said, gold, COLOURS) == credit


@pytest.mark.parametrize("task", Task)
def test_no_answer_scores_nothing(task: Task) -> None:
    assert (
        strict_score(task, None, "3") == lenient_score(task, None, "3") == partial_score(task, None, "3") == 0
    )
