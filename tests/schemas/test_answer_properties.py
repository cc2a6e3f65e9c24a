import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.schemas.answers.overlap import word_accuracy
from reelproof.schemas.answers.scores import (
    gold_fault,
    lenient_score,
    ordered_share,
    partial_score,
    rouge_mean,
    strict_score,
)
from reelproof.schemas.question import Task

OPTIONS = ("red", "blue", "green", "a dog")
plain_number = st.integers(-(10**9), 10**9).map(str) | st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}")
seconds = st.integers(0, 10**7).map(lambda ms: ms / 1000)
span = st.tuples(seconds, st.integers(1, 10**6)).map(lambda s: f"[{s[0]}, {s[0] + s[1] / 1000:.3f}]")
corner = st.integers(0, 4000)
box = st.tuples(seconds, corner, corner, corner, corner).map(
    lambda b: f"[{b[0]} s] [{b[1]}, {b[2]}, {b[1] + b[3]}, {b[2] + b[4]}]"
)
wordy = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80).filter(lambda text: bool(text.strip()))
GOLDS = {
    Task.MULTIPLE_CHOICE: st.sets(st.sampled_from("ABCD"), min_size=1).map(lambda s: ", ".join(sorted(s))),
    Task.NUMERICAL: plain_number,
    Task.REGRESSION: plain_number,
    Task.OPEN_ENDED: wordy,
    Task.OCR: wordy,
    Task.TEMPORAL_GROUNDING: st.lists(span, min_size=1, max_size=4).map(", ".join),
    Task.SPATIAL_GROUNDING: st.lists(box, min_size=1, max_size=4).map(", ".join),
    Task.ORDERING: st.integers(1, 12)
    .flatmap(lambda n: st.permutations(range(1, n + 1)))
    .map(lambda order: ", ".join(map(str, order))),
    Task.BOOLEAN: st.sampled_from(("yes", "no", "true", "false")),
}
SYMBOLS = ".,:;-+[](){}<>/%$ \\\n'\"\u2212\u2192 \u0660\uff13\u72d7"
answer_like = st.text("ABCDabcd0123456789 yesnotrufalmi" + SYMBOLS, max_size=120)
any_text = st.text(max_size=200) | answer_like
task_and_gold = st.sampled_from(list(GOLDS)).flatmap(lambda task: st.tuples(st.just(task), GOLDS[task]))


def _options(task: Task) -> tuple[str, ...]:
    return OPTIONS if task is Task.MULTIPLE_CHOICE else ()


@given(task_and_gold)
@settings(max_examples=400)
def test_every_task_scores_its_own_gold_one(case: tuple[Task, str]) -> None:
    task, gold = case
    wrapped = f" {gold}\n"
    assert strict_score(task, wrapped, gold, _options(task)) == 1
    assert lenient_score(task, wrapped, gold, _options(task)) == 1
    assert partial_score(task, wrapped, gold, _options(task)) == 1


@given(task_and_gold)
@settings(max_examples=300)
def test_gold_is_readable_on_its_own_and_with_a_lead_in(case: tuple[Task, str]) -> None:
    task, gold = case
    if task not in (Task.OPEN_ENDED, Task.OCR):
        assert gold_fault(task, gold, _options(task)) is None
        assert lenient_score(task, f"The answer is: {gold}", gold, _options(task)) == pytest.approx(1)


@given(task=st.sampled_from(Task), said=any_text, gold=any_text)
@settings(max_examples=600)
def test_scores_stay_in_the_unit_interval_and_in_order_for_any_text(task: Task, said: str, gold: str) -> None:
    strict, lenient, partial = (
        score(task, said, gold, _options(task)) for score in (strict_score, lenient_score, partial_score)
    )
    assert 0 <= strict <= lenient <= partial <= 1


@given(case=task_and_gold, said=any_text)
@settings(max_examples=600)
def test_scores_stay_in_the_unit_interval_against_sound_golds(case: tuple[Task, str], said: str) -> None:
    task, gold = case
    strict, lenient, partial = (
        score(task, said, gold, _options(task)) for score in (strict_score, lenient_score, partial_score)
    )
    assert 0 <= strict <= lenient <= partial <= 1


@given(one=GOLDS[Task.TEMPORAL_GROUNDING], other=GOLDS[Task.TEMPORAL_GROUNDING])
def test_span_overlap_is_symmetric(one: str, other: str) -> None:
    task = Task.TEMPORAL_GROUNDING
    assert strict_score(task, one, other) == pytest.approx(strict_score(task, other, one))


@given(
    a=st.tuples(st.integers(0, 30), st.integers(1, 30)), b=st.tuples(st.integers(0, 30), st.integers(1, 30))
)
def test_span_overlap_equals_a_count_of_seconds(a: tuple[int, int], b: tuple[int, int]) -> None:
    one, other = set(range(a[0], a[0] + a[1])), set(range(b[0], b[0] + b[1]))
    said, gold = f"[{a[0]}, {a[0] + a[1]}]", f"[{b[0]}, {b[0] + b[1]}]"
    assert strict_score(Task.TEMPORAL_GROUNDING, said, gold) == pytest.approx(
        len(one & other) / len(one | other)
    )


@given(st.permutations(range(7)))
def test_order_credit_is_the_share_of_pairs_in_order(places: list[int]) -> None:
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7)]
    assert ordered_share(places) == pytest.approx(sum(places[i] < places[j] for i, j in pairs) / len(pairs))


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
def test_word_accuracy_equals_the_textbook_edit_distance(said: list[str], gold: list[str]) -> None:
    rows = [list(range(len(gold) + 1))]
    for i, word in enumerate(said, start=1):
        row = [i]
        for j, other in enumerate(gold, start=1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (word != other)))
        rows.append(row)
    assert word_accuracy(said, gold) == pytest.approx(max(0.0, 1 - rows[-1][-1] / len(gold)))


@given(st.lists(st.sampled_from("ab"), max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_rouge_mean_is_symmetric_and_one_for_equals(one: list[str], other: list[str]) -> None:
    first, second = " ".join(one), " ".join(other)
    assert rouge_mean(first, second) == pytest.approx(rouge_mean(second, first))
    assert rouge_mean(first, first) == (1 if one else 0)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    "unit",
    [
        "9",
        "1,",
        "a ",
        "[1,2],",
        "1:1:",
        "(A) ",
        "one ",
        "-",
        "1 - ",
        "1/",
        "\\boxed{",
        "the answer is ",
        "  ",
        "\n",
        "and ",
        "a, ",
        "B is ",
        "so B. ",
    ],
)
def test_hostile_answers_take_little_time(task: Task, unit: str) -> None:
    gold = {"9": "3", "1,": "1, 2"}.get(unit, "[1, 2]")
    start = time.process_time()
    for size in (1900, 300_000):
        assert 0 <= partial_score(task, unit * (size // len(unit)), gold, OPTIONS) <= 1
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize(
    ("task", "gold", "options", "fault"),
    [
        (Task.MULTIPLE_CHOICE, "E", OPTIONS, "cannot read 'E'"),
        (Task.MULTIPLE_CHOICE, "purple", OPTIONS, "cannot read 'purple'"),
        (Task.MULTIPLE_CHOICE, "a dog", OPTIONS, None),
        (Task.NUMERICAL, "several", (), "expected one number"),
        (Task.NUMERICAL, "3", (), None),
        (Task.TEMPORAL_GROUNDING, "[4, 2]", (), "must end after it starts"),
        (Task.TEMPORAL_GROUNDING, "2 to 4", (), None),
        (Task.SPATIAL_GROUNDING, "somewhere", (), "cannot read 'somewhere'"),
        (Task.BOOLEAN, "perhaps", (), "yes or no"),
        (Task.OPEN_ENDED, "?!", (), "needs words"),
        (Task.OCR, "STOP", (), None),
    ],
)
def test_gold_that_cannot_be_scored_against_says_why(
    task: Task, gold: str, options: tuple[str, ...], fault: str | None
) -> None:
    said = gold_fault(task, gold, options)
    assert said is None if fault is None else said is not None and fault in said
