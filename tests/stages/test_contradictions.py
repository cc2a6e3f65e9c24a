import polars as pl
import pytest

from reelproof.schemas.question import Task
from reelproof.stages.duplicates.contradictions import contradictions

CHOICE, NUMBER = Task.MULTIPLE_CHOICE, Task.NUMERICAL
COLOURS = ("red", "blue", "green")
SCHEMA = {
    "question_id": pl.String,
    "group": pl.String,
    "proof": pl.String,
    "video_id": pl.String,
    "first_s": pl.Float64,
    "last_s": pl.Float64,
    "asked": pl.String,
    "task": pl.String,
    "options": pl.List(pl.String),
    "answer": pl.String,
}


def asked(
    text: str, task: Task, answer: str, options: tuple[str, ...] = (), film: str = "film", at_s: float = 1.0,
    group: str = "seen", proof: str = "",
) -> tuple[object, ...]:  # fmt: skip
    return group, proof, film, at_s, at_s + 1, text, task, options, answer


def contradicted(*rows: tuple[object, ...]) -> list[str | None]:
    named = [(f"q{number}", *row) for number, row in enumerate(rows)]
    found = contradictions(pl.DataFrame(named, schema=SCHEMA, orient="row"))
    assert found["question_id"].to_list() == [name for name, *_ in named]
    return found["contradicted_by"].to_list()


CAR = "Which colour is the car?"
FIRST = asked(CAR, CHOICE, "A", COLOURS)


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        (FIRST, asked(CAR, CHOICE, "B", COLOURS), True),
        (FIRST, asked("which colour  is the car", CHOICE, "B", ("Red.", "Blue.", "Green.")), True),
        (FIRST, asked(CAR, CHOICE, "A", ("blue", "red", "green")), True),
        (FIRST, asked(CAR, CHOICE, "B", ("blue", "red", "green")), False),
        (FIRST, asked(CAR, CHOICE, "A, B", COLOURS), True),
        (asked(CAR, CHOICE, "A, C", COLOURS), asked(CAR, CHOICE, "A, B", ("green", "red", "blue")), False),
        (FIRST, asked(CAR, CHOICE, "B", ("red", "blue", "white")), False),
        (FIRST, asked("Which colour is the bus?", CHOICE, "B", COLOURS), False),
        (FIRST, asked(CAR, Task.OPEN_ENDED, "blue"), False),
        (FIRST, asked(CAR, CHOICE, "B", COLOURS, group="other"), False),
        (FIRST, asked(CAR, CHOICE, "B", COLOURS, at_s=7.0), False),
        (FIRST, asked(CAR, CHOICE, "B", COLOURS, film="copy", at_s=7.0), True),
        (asked("How many?", NUMBER, "3"), asked("How many?", NUMBER, "4"), True),
        (asked("How many?", NUMBER, "3"), asked("How many?", NUMBER, "3.0"), False),
        (asked("How many?", NUMBER, "3", proof="3"), asked("How many?", NUMBER, "4", proof="3"), False),
        (
            asked("Who runs?", Task.OPEN_ENDED, "a dog runs"),
            asked("Who runs?", Task.OPEN_ENDED, "a cat runs"),
            True,
        ),
        (
            asked("Who runs?", Task.OPEN_ENDED, "a dog runs"),
            asked("Who runs?", Task.OPEN_ENDED, "the dog"),
            False,
        ),
        (asked("Does it?", Task.BOOLEAN, "yes"), asked("Does it?", Task.BOOLEAN, "no"), True),
        (asked("Order?", Task.ORDERING, "1, 2, 3"), asked("Order?", Task.ORDERING, "1, 3, 2"), True),
        (
            asked("Order?", Task.ORDERING, "A, B, C", COLOURS),
            asked("Order?", Task.ORDERING, "B, A, C", ("blue", "red", "green")),
            False,
        ),
        (
            asked("When?", Task.TEMPORAL_GROUNDING, "[1, 3]"),
            asked("When?", Task.TEMPORAL_GROUNDING, "[5, 9]"),
            True,
        ),
        (
            asked("When?", Task.TEMPORAL_GROUNDING, "[1, 3]"),
            asked("When?", Task.TEMPORAL_GROUNDING, "[2, 9]"),
            False,
        ),
        (asked("What?", Task.OPEN_ENDED, "a man runs"), asked("What?", Task.OPEN_ENDED, "nobody"), False),
        (asked("How far?", Task.REGRESSION, "3"), asked("How far?", Task.REGRESSION, "9"), True),
        (asked("How far?", Task.REGRESSION, "3"), asked("How far?", Task.REGRESSION, "4"), False),
        (asked("What stands there?", Task.OCR, "STOP"), asked("What stands there?", Task.OCR, "Exit"), True),
        (
            asked("What stands there?", Task.OCR, "STOP"),
            asked("What stands there?", Task.OCR, "a stop sign"),
            False,
        ),
        (asked("What’s “it”?", NUMBER, "3"), asked('What\'s "it"?', NUMBER, "4"), True),
    ],
)
def test_only_what_asks_the_same_of_the_same_frames_and_cannot_both_be_right_contradicts(one, other, do):
    assert contradicted(one, other) == (["q1", "q0"] if do else [None, None])
    assert contradicted(other, one) == (["q1", "q0"] if do else [None, None])


def test_each_of_several_names_the_first_that_contradicts_it():
    three, four, about_three = (asked("How many?", NUMBER, said) for said in ("3", "4", "3.0"))
    lone = asked("How long?", NUMBER, "7")
    assert contradicted(three, lone, about_three, four, three) == ["q3", None, "q3", "q0", "q3"]
