import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.normalise import infer_task, normalise, option_texts
from reelproof.schemas.answers.scores import gold_fault, strict_score
from reelproof.schemas.question import Task


@pytest.mark.parametrize(
    ("answer", "task"),
    [
        ("yes", Task.BOOLEAN),
        ("False.", Task.BOOLEAN),
        ("3", Task.NUMERICAL),
        ("1,234.5", Task.NUMERICAL),
        ("-2", Task.NUMERICAL),
        ("[2.5, 4.0]", Task.TEMPORAL_GROUNDING),
        ("[[0, 1], [3.5, 4]]", Task.TEMPORAL_GROUNDING),
        ("from 2.5 s to 4 s", Task.TEMPORAL_GROUNDING),
        ("0:12 - 0:15", Task.TEMPORAL_GROUNDING),
        ("13.4-28.1", Task.OPEN_ENDED),
        ("3-2", Task.OPEN_ENDED),
        ("[10, 20, 110, 220]", Task.SPATIAL_GROUNDING),
        ("[1.5 s] [10, 20, 110, 220]", Task.SPATIAL_GROUNDING),
        ("[2, 1, 4, 3]", Task.ORDERING),
        ("2, 1, 3", Task.ORDERING),
        ("2 -> 1 -> 3", Task.ORDERING),
        ("1, 3", Task.OPEN_ENDED),
        ("2, 1, 7", Task.OPEN_ENDED),
        ("a red ball", Task.OPEN_ENDED),
        ("three dogs", Task.OPEN_ENDED),
    ],
)
def test_task_follows_from_the_answers_form(answer, task):
    assert infer_task((), answer) is task
    assert infer_task(("x", answer), answer) is Task.MULTIPLE_CHOICE


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("A. red", "B. blue"), ("red", "blue")),
        (("(A) red", "(B) blue"), ("red", "blue")),
        (("A) red", "B: blue"), ("red", "blue")),
        (("A.red", "B.blue"), ("red", "blue")),
        (("red", "blue "), ("red", "blue")),
        (("A dog", "B movies"), ("A dog", "B movies")),
        (("B. red", "A. blue"), ("B. red", "A. blue")),
        (("A. red", "blue"), ("A. red", "blue")),
        (("A", "B"), ("A", "B")),
        ((), ()),
    ],
)
def test_options_lose_their_letters_only_where_all_have_them_in_order(options, texts):
    assert option_texts(options) == texts


COLOURS = ("A. red", "B. blue", "C. green")


@pytest.mark.parametrize(
    ("options", "answer", "gold"),
    [
        (COLOURS, "B", "B"),
        (COLOURS, "b", "B"),
        (COLOURS, "(B)", "B"),
        (COLOURS, "B.", "B"),
        (COLOURS, "B. blue", "B"),
        (COLOURS, "blue", "B"),
        (COLOURS, " Blue. ", "B"),
        (COLOURS, "A, C", "A, C"),
        (COLOURS, "C and A", "A, C"),
        (COLOURS, "AC", "A, C"),
        (("1", "2", "3"), "2", "B"),
        (("1", "2", "3"), 2, "B"),
        (("yes", "no"), False, "B"),
        (("A", "B"), "B", "B"),
        (("Plan A", "Plan B"), "plan b", "B"),
    ],
)
def test_choice_is_named_by_its_letter(options, answer, gold):
    form = normalise("Which?", options, answer)
    assert (form.task, form.answer) == (Task.MULTIPLE_CHOICE, gold)


@pytest.mark.parametrize(
    ("options", "answer", "message"),
    [
        (COLOURS, "D", "not among the options"),
        (COLOURS, "yellow", "not among the options A. red, B. blue, C. green"),
        (COLOURS, "B. red", "not among the options"),
        (COLOURS, "A, D", "not among the options"),
        (COLOURS, "Plan A", "not among the options"),
        (
            COLOURS,
            1,
            "not among .*; one that is told by its number is given by its letter",
        ),
        (("red", "Red", "blue"), "red", "more than one"),
        (("B", "A"), "B", "one option's letter and another's text"),
        (("red",), "A", "two options or more"),
        (("red", " "), "A", "an option is empty"),
        (tuple(map(str, range(27))), "A", "at most 26"),
        (COLOURS, "", "the answer is empty"),
    ],
)
def test_answer_that_names_no_one_option_is_refused(options, answer, message):
    with pytest.raises(ValueError, match=message):
        normalise("Which?", options, answer)


@pytest.mark.parametrize(
    ("task", "answer", "gold"),
    [
        (Task.NUMERICAL, 3, "3"),
        (Task.NUMERICAL, 3.0, "3"),
        (Task.NUMERICAL, "1,000", "1000"),
        (Task.NUMERICAL, "three", "3"),
        (Task.NUMERICAL, "2.50", "2.50"),
        (Task.REGRESSION, "4.2 m", "4.2 m"),
        (Task.NUMERICAL, "50%", "50%"),
        (Task.NUMERICAL, "2 min", "2 min"),
        (Task.NUMERICAL, "1:30", "90"),
        (Task.BOOLEAN, True, "yes"),
        (Task.BOOLEAN, "False", "no"),
        (Task.TEMPORAL_GROUNDING, [2.5, 4], "[2.5, 4]"),
        (Task.TEMPORAL_GROUNDING, [[0, 1], [3, 4]], "[0, 1], [3, 4]"),
        (Task.TEMPORAL_GROUNDING, "13.4-28.1", "[13.4, 28.1]"),
        (Task.SPATIAL_GROUNDING, [1, 2, 3, 4], "[1, 2, 3, 4]"),
        (Task.ORDERING, [2, 1, 3], "2, 1, 3"),
        (Task.ORDERING, "2 → 1 → 3", "2, 1, 3"),
        (Task.OPEN_ENDED, "A red ball.", "A red ball."),
        (Task.OCR, "EXIT", "EXIT"),
    ],
)
def test_gold_is_put_into_its_strict_form(task, answer, gold):
    form = normalise("?", (), answer, task)
    assert form.answer == gold
    assert strict_score(task, f" {gold} ", gold) == 1


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (Task.NUMERICAL, "many"),
        (Task.REGRESSION, "3 or 4"),
        (Task.BOOLEAN, "maybe"),
        (Task.TEMPORAL_GROUNDING, "[4, 2]"),
        (Task.TEMPORAL_GROUNDING, "soon"),
        (Task.SPATIAL_GROUNDING, "[1, 2]"),
        (Task.ORDERING, "first"),
        (Task.OPEN_ENDED, "…"),
    ],
)
def test_gold_that_its_scorer_cannot_read_is_refused(task, answer):
    with pytest.raises(ValueError, match=r"."):
        normalise("?", (), answer, task)


@given(
    st.text(max_size=30) | st.sampled_from(["A", "[1, 2]", "3", "2, 1, 3", "yes", "[1, 2, 3, 4]"]),
    st.lists(st.text(max_size=8), max_size=4),
    st.none() | st.sampled_from(list(Task)),
)
def test_any_answer_is_put_into_a_form_that_scores_itself_or_refused(answer, options, task):
    try:
        form = normalise("What?", options, answer, task)
    except ValueError:
        return
    assert gold_fault(form.task, form.answer, form.options) is None
    assert strict_score(form.task, form.answer, form.answer, form.options) == 1
    again = normalise("What?", form.options, form.answer, form.task)
    if again.options == form.options:
        assert again.answer == form.answer
