import time

import pytest

from reelproof.schemas.answers.scores import cited_spans, read_completion

COMPLETIONS = [
    # text, thought, answer, well formed
    ("<think>a</think><answer>B</answer>", "a", "B", True),
    ("<think>a</think>\n<answer>B</answer>\n", "a", "B", True),
    ("<think>\na\nb\n</think>\n\n<answer>\nB\n</answer>", "a\nb", "B", True),
    ("<think>1 < 2 > 0, x</b></think><answer>B</answer>", "1 < 2 > 0, x</b>", "B", True),
    ("<think></think><answer>B</answer>", "", "B", False),
    ("<think> </think><answer>B</answer>", "", "B", False),
    ("<think>a</think><answer></answer>", "a", "", False),
    ("<think>a</think><answer> \n </answer>", "a", "", False),
    ("<think></think><answer></answer>", "", "", False),
    ("<answer>B</answer>", "", "B", False),
    ("<think>a</think>", "a", None, False),
    ("<think>a", "a", None, False),
    ("B", "", None, False),
    ("", "", None, False),
    ("so <think>a</think><answer>B</answer>", "a", "B", False),
    ("<think>a</think> so <answer>B</answer>", "a", "B", False),
    ("<think>a</think><answer>B</answer> done", "a", "B", False),
    ("<answer>B</answer><think>a</think>", "a", "B", False),
    ("<think>a</think><answer>A</answer><answer>B</answer>", "a", "B", False),
    ("<think>a</think><answer>A</answer><answer></answer>", "a", "", False),
    ("<think>a <answer>X</answer> b</think><answer>Y</answer>", "a <answer>X</answer> b", "Y", False),
    ("<think>a <answer>X</answer> b</think>", "a <answer>X</answer> b", None, False),
    ("<think>a <answer>X</answer>", "a <answer>X</answer>", None, False),
    ("a <answer>X</answer></think><answer>Y</answer>", "a <answer>X</answer>", "Y", False),
    ("a</think><answer>Y</answer>", "a", "Y", False),
    ("<think>a</think><answer>Y", "a", None, False),
    ("<think>a</think><answer>X</answer><answer>Y", "a", "X", False),
    ("<think>a</think>Y</answer>", "a", None, False),
    ("<think>a</think><answer>X<answer>Y</answer>", "a", "Y", False),
    ("<think>a</think><answer><answer>Y</answer></answer>", "a", "Y", False),
    (
        "<think>a<think>b</think>c <answer>X</answer></think><answer>Y</answer>",
        "a<think>b</think>c <answer>X</answer>",
        "Y",
        False,
    ),
    ("<think><think>a</think><answer>Y</answer>", "<think>a", "Y", False),
    ("<think>a</think><answer>Y</answer></think>", "a", "Y", False),
    ("<think>a</think><think>b</think><answer>Y</answer>", "a\nb", "Y", False),
    ("<think>a</think><answer>1</answer><think>b</think><answer>2</answer>", "a\nb", "2", False),
    (
        "<think>a</think><answer>1</answer><think>or <answer>2</answer></think>",
        "a\nor <answer>2</answer>",
        "1",
        False,
    ),
    ("<answer>A<think>hm</think>B</answer>", "hm", None, False),
    ("<THINK>a</THINK><Answer>B</Answer>", "a", "B", False),
    ("<think>a</think ><answer >B</answer>", "a", "B", False),
    ("<thinking>a</thinking><answer>B</answer>", "a", "B", False),
    ("It rains. So B.\n<answer>B</answer>", "It rains. So B.", "B", False),
    ("It rains. So the answer is B", "It rains.", None, False),
]


@pytest.mark.parametrize(("text", "thought", "answer", "well_formed"), COMPLETIONS)
def test_completion_is_read_as_a_person_would(
    text: str, thought: str, answer: str | None, well_formed: bool
) -> None:
    assert read_completion(text)[:3] == (thought, answer, well_formed)


CITATIONS = [
    ("at [12.4 s] it", [(12.4, 12.4)]),
    ("[3.0-5.5 s]", [(3.0, 5.5)]),
    ("[3.0 s - 5.5 s] then [7s]", [(3.0, 5.5), (7, 7)]),
    ("[3 – 5 s] [3 to 5 s]", [(3, 5), (3, 5)]),
    ("[5.5-3.0 s]", [(3.0, 5.5)]),
    ("[0:12] and [1:02:03]", [(12, 12), (3723, 3723)]),
    ("[0:12-0:15]", [(12, 15)]),
    ("[12] [1, 2] 12.4 s [s] [-3 s]", []),
    ("[about 12 s]", [(12, 12)]),
    ("", []),
]


@pytest.mark.parametrize(("thought", "spans"), CITATIONS)
def test_times_in_brackets_are_citations(thought: str, spans: list[tuple[float, float]]) -> None:
    assert [(span.start_s, span.end_s) for span in cited_spans(thought)] == spans


@pytest.mark.parametrize(
    "unit",
    [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "<think",
        "< ",
        "<answer>a",
        "[",
        "[1",
        "[1:",
        "[1 s",
        "[1-",
        "<think>a</think>",
        "<answer>b</answer>",
        "<answer" + " " * 20,
        "1:1:",
    ],
)
def test_hostile_completions_take_linear_time(unit: str) -> None:
    text = unit * (150_000 // len(unit))
    start = time.process_time()
    read_completion(text)
    cited_spans(text)
    assert time.process_time() - start < 1.5  # quadratic would be minutes
