import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.forms import UNREADABLE, accepted_names, as_asked, form_name
from reelproof.schemas.answers.reading import AnswerForm, read_completion
from reelproof.schemas.question import Task

OPTIONS = ("They walk", "They ride", "They swim")
SEEN = "At [2.0 s] there are bicycles. All of them ride."
ASKED = f"<think>{SEEN}</think><answer>B</answer>"

FORMS = [
    (ASKED, "as_asked"),
    (f"<think>{SEEN}</think>\n<answer>\nB\n</answer>\n", "as_asked"),
    (f"<think>{SEEN}</think>\n\nB", "bare"),
    (f"<think>\n{SEEN}\n</think>\n\nB. They ride", "bare+worded"),
    (f"{SEEN}</think><answer>B</answer>", "unopened_thought"),
    (f"{SEEN}\n</think>\n\nThe answer is \\boxed{{B}}.", "unopened_thought+boxed"),
    (f"<think>{SEEN}</think><answer>B. They ride</answer>", "worded"),
    (f"<think>{SEEN}</think> \\boxed{{\\text{{B}}}}", "boxed+worded"),
    (f"<think>{SEEN}</think>\nFinal answer: B", "announced"),
    (f"<think>{SEEN}</think>\n**Final Answer:** (B)", "announced+worded"),
    (f"{SEEN} So the final answer is: B", "untagged_thought+announced"),
    (f"{SEEN}\n<answer>B</answer>", "untagged_thought"),
    (f"{SEEN}\n\nTherefore \\boxed{{B}}", "untagged_thought+boxed"),
    (f"Sure! <think>{SEEN}</think><answer>B</answer>", "loose_tags"),
    (f"<think>{SEEN}</think><answer>B</answer> I hope this helps.", "loose_tags"),
    (f"<THINK>{SEEN}</THINK><ANSWER>B</ANSWER>", "loose_tags"),
    (f"<thinking>{SEEN}</thinking><answer>B</answer>", "loose_tags"),
    (f"<think>{SEEN}</think><answer>A</answer><answer>B</answer>", "loose_tags"),
    (f"<think>{SEEN}</think><answer>B</answer></think>", "loose_tags"),
    (f"<answer>B</answer><think>{SEEN}</think>", "loose_tags"),
    # GLM-4.1V-Thinking
    (f"<think>{SEEN}</think><answer><|begin_of_box|>B<|end_of_box|></answer>", "worded"),
    (f"<think>{SEEN}</think>\nThey ride: <|begin_of_box|>B<|end_of_box|>", "boxed"),
    (f"<think>{SEEN}</think><answer>$\\boxed{{B}}$</answer>", "worded"),
    # Kimi-VL
    (f"◁think▷{SEEN}◁/think▷\n\nB", "bare+loose_tags"),
    (f"◁think▷{SEEN}◁/think▷The answer is **B**", "announced+loose_tags+worded"),
    (f"{SEEN}◁/think▷B", "unopened_thought+bare+loose_tags"),
    # LLaVA-CoT
    (f"<REASONING> {SEEN} </REASONING>\n\n<CONCLUSION> B </CONCLUSION>", "loose_tags"),
    # Magistral, Seed, OpenThinker
    (f"[THINK]{SEEN}[/THINK]B", "bare+loose_tags"),
    (f"<seed:think>{SEEN}</seed:think>\nB", "bare+loose_tags"),
    (
        f"<|begin_of_thought|>{SEEN}<|end_of_thought|><|begin_of_solution|>B<|end_of_solution|>",
        "loose_tags",
    ),
    # What ends a completion, left in it
    (f"<think>{SEEN}</think><answer>B</answer><|im_end|>", "loose_tags"),
    (f"<think>{SEEN}</think>\nB<|endoftext|></s>", "bare+loose_tags"),
]


@pytest.mark.parametrize(("text", "name"), FORMS)
def test_forms_that_models_write_are_told_and_rewritten_as_asked(text: str, name: str) -> None:
    reading = read_completion(text)
    assert form_name(reading, Task.MULTIPLE_CHOICE, OPTIONS) == name
    assert as_asked(reading.thought, reading.stated, Task.MULTIPLE_CHOICE, OPTIONS) == ASKED
    assert reading.well_formed == (name in ("as_asked", "worded"))


UNCLEAR = [
    f"◁think▷{SEEN} The answer is B.",
    f"<SUMMARY> I look. </SUMMARY><REASONING> {SEEN} The answer is A",
    f"<think>{SEEN}</think><answer><|begin_of_box|>A<|end_of_box|> or \\boxed{{B}}</answer>",
    "",
    "B",
    "They ride",
    f"<think>{SEEN}",
    f"<think>{SEEN} <answer>B</answer>",
    f"<think>{SEEN}</think>",
    f"<think>{SEEN}</think><answer></answer>",
    f"<think>{SEEN}</think><answer>A or B</answer>",
    f"<think>{SEEN}</think> It might be A, or else C.",
    f"<think>{SEEN}</think><answer>Z</answer>",
    f"<think>{SEEN} <answer>A</answer></think><answer>B</answer>",
    "<think> </think><answer>B</answer>",
    "The answer is B",
    "I see bicycles, so the answer is B",
]


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_cannot_be_made_out_has_no_form(text: str) -> None:
    reading = read_completion(text)
    assert form_name(reading, Task.MULTIPLE_CHOICE, OPTIONS) == UNREADABLE
    assert as_asked(reading.thought, reading.stated, Task.MULTIPLE_CHOICE, OPTIONS) is None


SPELT = [
    (Task.NUMERICAL, "three", "3"),
    (Task.NUMERICAL, "-2.5", "-2.5"),
    (Task.NUMERICAL, "50 %", "50 %"),  # 0.5 says the same, 50 does not
    (Task.NUMERICAL, "2 min", "2 min"),
    (Task.BOOLEAN, "Yes, it does.", "yes"),
    (Task.BOOLEAN, "false", "no"),
    (Task.ORDERING, "[2, 1, 3]", "2, 1, 3"),
    (Task.TEMPORAL_GROUNDING, "from 2 s to 4.5 s", "[2, 4.5]"),
    (Task.OPEN_ENDED, "a dog runs", "a dog runs"),
    (Task.OCR, "STOP", "STOP"),
]


@pytest.mark.parametrize(("task", "said", "spelt"), SPELT)
def test_answers_of_every_task_are_spelt_in_their_strict_form(task: Task, said: str, spelt: str) -> None:
    assert as_asked("I look.", said, task) == f"<think>I look.</think><answer>{spelt}</answer>"


pieces = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "B",
        "A",
        " or ",
        "I look. ",
        "\n",
        "\\boxed{A}",
        "answer: ",
    ]
)


@given(text=st.lists(pieces, max_size=9).map("".join))
def test_what_is_rewritten_says_the_same_and_is_as_asked(text: str) -> None:
    reading = read_completion(text)
    name = form_name(reading, Task.MULTIPLE_CHOICE, OPTIONS)
    written = as_asked(reading.thought, reading.stated, Task.MULTIPLE_CHOICE, OPTIONS)
    assert (name == UNREADABLE) == (written is None)
    assert reading.well_formed == (not reading.forms and bool(reading.thought and reading.answer))
    if written is not None:
        again = read_completion(written)
        assert (again.thought, form_name(again, Task.MULTIPLE_CHOICE, OPTIONS)) == (
            reading.thought,
            "as_asked",
        )
        assert name in accepted_names(tuple(AnswerForm))


def test_accepted_are_all_that_differ_in_accepted_ways_alone() -> None:
    names = {name for _, name in FORMS}
    for some in itertools.combinations(AnswerForm, 2):
        accepted = {name for name in names if name in accepted_names(some)}
        assert accepted == {name for name in names if {*name.split("+")} <= {"as_asked", *some}}


def test_tags_of_others_are_text_beside_ours() -> None:
    reading = read_completion("<think>It says <thought> and [THINK].</think><answer>B</answer>")
    assert (reading.thought, reading.well_formed) == ("It says <thought> and [THINK].", True)


def test_a_box_is_no_part_of_a_free_answer() -> None:
    reading = read_completion(
        f"<think>{SEEN}</think><answer><|begin_of_box|>a red dog<|end_of_box|></answer>"
    )
    assert as_asked(reading.thought, reading.stated, Task.OPEN_ENDED) == (
        f"<think>{SEEN}</think><answer>a red dog</answer>"
    )
    assert form_name(reading, Task.OPEN_ENDED) == "worded"


def test_thoughts_in_several_blocks_are_one() -> None:
    text = "<SUMMARY> I look. </SUMMARY>\n<CAPTION> A dog. </CAPTION>\n<REASONING> It runs. </REASONING>"
    reading = read_completion(f"{text}\n<CONCLUSION> yes </CONCLUSION>")
    assert (reading.thought, reading.stated) == ("I look.\nA dog.\nIt runs.", "yes")
