"""Questions that are answered until luck is decided: who is asked on, and how often luck gets through."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, pairwise
from typing import NamedTuple

import polars as pl
import pytest
from pydantic import ValidationError

from reelproof.schemas.answers.tally import Tally, tally
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.question import Task
from reelproof.schemas.trace import Case, Trace
from reelproof.stages.answers.traces import AdaptiveRolloutConfig, ClipQuestion, TeacherShare, ask_rollouts
from reelproof.stages.answers.undecided import is_undecided
from reelproof.stages.checks.difficulty import DifficultyConfig, measure_difficulty
from reelproof.stages.checks.luck import LuckConfig, measure_luck
from reelproof.stages.luck_pools import pool_figures, pool_sums
from reelproof.stages.rates import is_lucky
from tests.cases import made_case
from tests.pools import UNSEEN, with_pools
from tests.views import made_clip

CLIP = made_clip("film")
OPTIONS = {0.5: ("a", "b"), 0.25: ("a", "b", "c", "d")}
"""Share that luck gets right -> options of which A is right."""


class Guesser:
    """Right in a share of its answers; the draws follow from the request."""

    def __init__(self, share: float, model: str = "guesser@1", finish: str = "stop") -> None:
        self.share, self.model, self.finish = share, model, finish
        self.asked: list[str] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for request in requests:
            self.asked.append(request.request_id)
            right = random.Random(request.request_id).random() < self.share
            text = f"<think>so</think><answer>{'A' if right else 'B'}</answer>"
            yield Completion(
                request_id=request.request_id, model=self.model, text=text, finish_reason=self.finish
            )


def cases(count: int, luck: float, task: Task = Task.MULTIPLE_CHOICE) -> list[Case]:
    options = OPTIONS[luck] if task is Task.MULTIPLE_CHOICE else ()
    return [
        made_case([], name=f"q{i}", task=task, answer="A", options=options, text=f"Which is {i}?", clip=CLIP)
        for i in range(count)
    ]


def answered(every: Sequence[Case], *teachers: Guesser, **settings: int | float) -> list[Case]:
    """The same with their traces."""
    cfg = AdaptiveRolloutConfig(**{"rollouts": 8, **settings})
    asked = [ClipQuestion(each.clip, each.question) for each in every]
    traces = ask_rollouts(asked, [TeacherShare(each, 1) for each in teachers], cfg, {})
    by_question = {name: tuple(group) for name, group in groupby(traces, lambda trace: trace.question_id)}
    return [each._replace(traces=by_question[each.question.question_id]) for each in every]


def measured(every: Sequence[Case]) -> pl.DataFrame:
    """A row a question: luck and difficulty."""
    luck, difficulty = measure_luck(every, LuckConfig()), measure_difficulty(every, DifficultyConfig())
    rows = [one.model_dump() | other.model_dump() for one, other in zip(luck, difficulty, strict=True)]
    questions = [each.question_id for case in every for each in case.traces]
    return (
        pl.DataFrame(rows)
        .with_columns(question_id=pl.Series(questions))
        .unique("question_id", keep="first", maintain_order=True)
    )


def rolled(count: int, luck: float, share: float, cfg: AdaptiveRolloutConfig) -> pl.DataFrame:
    """A row a question of one kind, each right in a share of its rollouts, with the pool's figures."""
    rng, rows, batches = random.Random(count), [], len(cfg.batch_ends)
    goes_on = cache(lambda so_far, more: is_undecided(so_far, luck, more, batches, cfg.confidence))
    for number in range(count):
        passes, first = 0, None
        for start, end in pairwise((0, *cfg.batch_ends)):
            passes += sum(rng.random() < share for _ in range(end - start))
            first = first or Tally(passes, end)
            if end == cfg.most or not goes_on(Tally(passes, end), cfg.most - end):
                break
        tail = Tally(passes, end).luck_tail(luck, batches)
        rows.append({
            "question_id": f"q{number}", "kind": "k", "task": "t", "model": "m", "luck_rate": luck,
            "teacher_passes": passes, "teacher_rollouts": end, "pass_count": passes, "rollout_count": end,
            "first_passes": first.passes, "first_rollouts": first.rollouts, "luck_tail": tail,
            "right_choice": None, "first_choice": None, **UNSEEN,
        })  # fmt: skip
    return with_pools(pl.DataFrame(rows))


def let_through(rows: pl.DataFrame) -> float:
    """Share of questions with right answers that luck does not explain by their own, under `balanced`."""
    alone = rows.with_columns(
        pl.lit(None, pl.Float64).alias(f"pool_{name}") for name in ("luck_tail", "excess", "excess_error")
    )
    lucky = is_lucky(PolicyConfig(), "teacher_passes", "teacher_rollouts", "luck_tail").fill_null(False)
    return float(alone.select((pl.col("teacher_passes") > 0) & ~lucky).to_series().mean())


@pytest.mark.parametrize("luck", [0.5, 0.25])
@pytest.mark.parametrize(("first", "most"), [(8, 32), (8, 64), (12, 30), (4, 256)])
def test_coin_tosses_are_let_through_no_more_often_than_the_policy_says(luck, first, most):
    cfg = AdaptiveRolloutConfig(rollouts=first, max_rollouts=most)
    assert let_through(rolled(3000, luck, luck, cfg)) <= 0.05


def test_deciding_often_without_sharing_what_is_left_to_luck_would_let_more_through():
    rng, fooled = random.Random(1), Counter()
    ends = (16, 32, 64, 128)
    for _ in range(4000):
        passes, tallies = 0, []
        for start, end in pairwise((0, *ends)):
            passes += sum(rng.random() < 0.5 for _ in range(end - start))
            tallies.append(Tally(passes, end))
        for batches in (1, len(ends)):
            fooled[batches] += any(each.luck_tail(0.5, batches) <= 0.05 for each in tallies)
    assert fooled[1] / 4000 > 0.07
    assert fooled[4] / 4000 < 0.05


@pytest.mark.parametrize(("luck", "share"), [(0.5, 0.75), (0.25, 0.5)])
def test_hard_questions_that_are_known_are_let_through_more_often_and_not_all_are_asked_most(luck, share):
    fixed = rolled(1000, luck, share, AdaptiveRolloutConfig(rollouts=8))
    on = rolled(1000, luck, share, AdaptiveRolloutConfig(rollouts=8, max_rollouts=32))
    assert let_through(on) > let_through(fixed) + 0.25
    assert on["teacher_rollouts"].mean() < 0.75 * 32


def test_only_what_luck_may_explain_is_asked_on_and_what_was_asked_first_stays():
    every = cases(60, 0.5)
    fixed, teacher = answered(every, Guesser(0.7)), Guesser(0.7)
    on = answered(every, teacher, max_rollouts=32)
    assert len(teacher.asked) == len(set(teacher.asked)) == sum(len(each.traces) for each in on)
    assert {len(each.traces) for each in on} == {8, 16, 32}
    for before, after in zip(fixed, on, strict=True):
        assert [each.trace_id for each in after.traces[:8]] == [each.trace_id for each in before.traces]
        assert [each.sample_index for each in after.traces] == list(range(len(after.traces)))
        batches = [each.batch for each in after.traces]
        assert batches == sorted(batches)
        assert Counter(batches)[0] == 8
        assert {each.batches for each in after.traces} == {3}
        right = sum(each.answer == "A" for each in before.traces)
        assert (len(after.traces) > 8) == (right in (5, 6, 7))  # 8 of 8 is sure, 4 of 8 is given up


def test_each_teacher_is_told_from_luck_by_its_own_answers():
    teachers = (Guesser(0.7, "one@1"), Guesser(0.7, "other@1"))
    every = answered(cases(120, 0.5), *teachers, rollouts=16, max_rollouts=64)
    only_together = 0
    for each in every:
        first = each.traces[:16]
        own = [[trace for trace in first if trace.model == teacher.model] for teacher in teachers]
        tails = [tally(traces, each.question, 0.5).luck_tail(0.5, 3) for traces in (first, *own)]
        if tails[0] <= 0.05 < min(tails[1:]):
            only_together += 1
            assert len(each.traces) > 16
    assert only_together > 5


def test_raising_the_ceiling_asks_only_for_what_was_not_asked_before():
    every, before, after = cases(40, 0.5), Guesser(0.7), Guesser(0.7)
    answered(every, before, max_rollouts=16)
    answered(every, after, max_rollouts=64)
    assert {*before.asked} < {*after.asked}


@pytest.mark.parametrize(
    ("task", "share", "finish"),
    [
        (Task.MULTIPLE_CHOICE, 0.0, "stop"),
        (Task.MULTIPLE_CHOICE, 1.0, "stop"),
        (Task.OPEN_ENDED, 0.5, "stop"),
        (Task.MULTIPLE_CHOICE, 0.7, "error"),
    ],
)
def test_never_right_always_right_not_to_be_told_and_failed_are_not_asked_on(task, share, finish):
    every = answered(cases(20, 0.5, task), Guesser(share, finish=finish), max_rollouts=32)
    assert {len(each.traces) for each in every} == {8}


def test_a_question_is_given_up_where_the_rest_would_hardly_exclude_luck():
    assert is_undecided(Tally(6, 8), 0.5, 24, 3, 0.95)
    assert not is_undecided(Tally(2, 8), 0.5, 24, 3, 0.95)
    assert not is_undecided(Tally(6, 8), 0.5, 1, 3, 0.95)
    assert not is_undecided(Tally(8, 8), 0.5, 24, 3, 0.95)
    assert not is_undecided(Tally(0, 8), 0.25, 24, 3, 0.95)
    assert not is_undecided(Tally(6, 8), None, 24, 3, 0.95)


def test_a_pool_of_coin_tosses_is_not_shown_to_beat_luck_by_those_that_were_asked_on():
    """Shares of all rollouts are high where asking ended early: their mean lies above that of luck."""
    rows = rolled(3000, 0.5, 0.5, AdaptiveRolloutConfig(rollouts=4, max_rollouts=64))
    (pool,) = pool_figures(pool_sums(rows)).pools.iter_rows(named=True)
    of_all = rows.select(pl.col("teacher_passes") / pl.col("teacher_rollouts") - 0.5).to_series()
    assert abs(of_all.mean()) > 3 * of_all.std() / 3000**0.5
    assert abs(pool["pool_excess"]) < 2 * pool["pool_excess_error"]
    assert pool["pool_pass_rate"] == rows["first_passes"].sum() / (4 * 3000)


def test_pass_counts_are_of_all_rollouts_whatever_their_number():
    every = answered(cases(20, 0.5), Guesser(0.7), max_rollouts=32)
    for case, row in zip(every, measured(every).iter_rows(named=True), strict=True):
        right = sum(each.answer == "A" for each in case.traces)
        assert (row["pass_count"], row["rollout_count"]) == (right, len(case.traces))
        assert (row["teacher_passes"], row["teacher_rollouts"]) == (right, len(case.traces))
        first = sum(each.answer == "A" for each in case.traces[:8])
        assert (row["first_passes"], row["first_rollouts"]) == (first, 8)


class Told(NamedTuple):
    settings: dict[str, float]
    said: str


@pytest.mark.parametrize(
    "told",
    [
        Told({"rollouts": 8, "max_rollouts": 4}, "max_rollouts=4 must not be below rollouts=8"),
        Told({"temperature": 0, "max_rollouts": 32}, "max_rollouts needs a temperature above 0"),
    ],
)
def test_ceilings_that_cannot_be_are_refused(told):
    with pytest.raises(ValidationError, match=told.said):
        AdaptiveRolloutConfig(**told.settings)


@pytest.mark.parametrize(
    ("first", "most", "ends"), [(8, None, (8,)), (8, 8, (8,)), (8, 40, (8, 16, 32, 40)), (1, 4, (1, 2, 4))]
)
def test_batches_are_as_large_as_all_before_and_end_at_the_ceiling(first, most, ends):
    assert AdaptiveRolloutConfig(rollouts=first, max_rollouts=most).batch_ends == ends


def test_luck_of_traces_that_came_along_is_that_of_one_batch():
    assert Trace.model_fields["batches"].default == 1
    assert Tally(7, 8).luck_tail(0.5) == pytest.approx(9 / 256)
    assert Tally(7, 8).luck_tail(0.5, 3) == pytest.approx(27 / 256)
    assert Tally(0, 0).luck_tail(0.5) is None
