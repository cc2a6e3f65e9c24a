"""What teachers cost, added up over parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse, UseCounter, by_step, total_use
from reelproof.pipeline.accounts.use_figures import use_figures
from reelproof.schemas.chat import Completion
from reelproof.stages.teachers.protocol import TeacherPrice

counts = st.integers(0, 10**6)
times = st.one_of(st.none(), st.integers(0, 10**6).map(float))
uses = st.builds(
    TeacherUse, calls=counts, reused=counts, prompt_tokens=counts, asked_from_s=times, asked_until_s=times
)


PRICE = TeacherPrice(per_million_prompt_tokens=1, per_million_completion_tokens=2)


def counted() -> TeacherUse:
    counter = UseCounter()
    held = Completion(request_id="held", model="m@1", text="", finish_reason="stop")
    for _ in range(6):
        counter.count_reused(held)
    for index in range(4):
        completion = Completion(
            request_id=str(index),
            model="m@1",
            text="",
            finish_reason="error" if index == 3 else "stop",
            error="refused" if index == 3 else None,
            prompt_tokens=1000,
            completion_tokens=500,
            latency_s=2,
            retries=index,
        )
        counter.count_answer(completion, 100, 101 + index, PRICE)
    return counter.use


def test_use_counts_calls_tokens_time_and_money():
    use = counted()
    assert (use.calls, use.reused, use.failed, use.retries) == (4, 6, 1, 6)
    figures = use_figures(use, ())
    assert (use.seconds, figures.completion_tokens_per_s, figures.mean_in_flight) == (4, 500, 2)
    assert (use.needed, figures.reuse_share, figures.prompt_tokens_per_s) == (10, 0.6, 1000)
    assert use.cost == pytest.approx(4 * (1000 * 1 + 500 * 2) / 1e6)


def test_nothing_asked_costs_nothing():
    use = TeacherUse()
    figures = use_figures(use, ())
    assert (use.seconds, figures.completion_tokens_per_s, figures.reuse_share, use.cost) == (0, 0, 0, None)


def test_cost_is_each_teachers_own_and_free_ones_add_nothing():
    answer = Completion(
        request_id="a", model="m@1", text="", finish_reason="stop", prompt_tokens=100, completion_tokens=10
    )
    counter = UseCounter()
    counter.count_answer(answer, 0, 1)
    assert counter.use.cost is None
    counter.count_answer(answer, 0, 1, TeacherPrice(per_million_completion_tokens=1_000))
    counter.count_answer(answer, 0, 1, TeacherPrice(per_million_prompt_tokens=1_000))
    assert counter.use.cost == pytest.approx(0.01 + 0.1)
    assert (TeacherUse() + counter.use).cost == counter.use.cost


def test_steps_add_up_over_parts():
    parts = [StepUse(step="traces", parts=1, videos=2, seconds=3, use=TeacherUse(calls=4, reused=2))] * 3
    both = by_step([*parts, StepUse(step="probes", parts=1, videos=1, seconds=5)])
    assert [(each.step, each.parts, each.videos, each.seconds) for each in both] == [
        ("traces", 3, 6, 9),
        ("probes", 1, 1, 5),
    ]
    assert (both[0].seconds_a_video, both[0].needed_a_video) == (1.5, 3)
    assert StepUse(step="claims").seconds_a_video is None


@given(st.lists(uses, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_use_adds_up_in_any_order(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert total_use(parts) == total_use(shuffled)
    assert total_use(parts).calls == sum(part.calls for part in parts)
    known = [part.asked_from_s for part in parts if part.asked_from_s is not None]
    assert total_use(parts).asked_from_s == min(known, default=None)
