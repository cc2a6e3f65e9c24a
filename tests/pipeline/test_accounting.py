"""What teachers cost, added up over parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.accounting import TeacherPrice, TeacherUse, UseCounter, total_use
from schemas.chat import Completion

counts = st.integers(0, 10**6)
times = st.one_of(st.none(), st.integers(0, 10**6).map(float))
uses = st.builds(
    TeacherUse, calls=counts, reused=counts, prompt_tokens=counts, asked_from_s=times, asked_until_s=times
)


def counted() -> TeacherUse:
    counter = UseCounter()
    counter.count_reused(6)
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
        counter.count_answer(completion, asked_at_s=100, answered_at_s=101 + index)
    return counter.use


def test_use_counts_calls_tokens_time_and_money():
    use = counted()
    assert (use.calls, use.reused, use.failed, use.retries) == (4, 6, 1, 6)
    assert (use.seconds, use.completion_tokens_per_s, use.mean_in_flight) == (4, 500, 2)
    assert use.reuse_share == 0.6
    assert use.cost(
        TeacherPrice(per_million_prompt_tokens=1, per_million_completion_tokens=2)
    ) == pytest.approx(0.008)
    assert use.seconds_left(8) == 8
    assert use.expected(8).completion_tokens == 4000


def test_nothing_asked_costs_nothing_and_promises_nothing():
    use = TeacherUse()
    assert (use.seconds, use.completion_tokens_per_s, use.reuse_share, use.cost(TeacherPrice())) == (
        0,
        0,
        0,
        0,
    )
    assert use.seconds_left(8) is None
    assert use.seconds_left(0) == 0
    assert use.expected(8) is None


@given(st.lists(uses, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_use_adds_up_in_any_order(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert total_use(parts) == total_use(shuffled)
    assert total_use(parts).calls == sum(part.calls for part in parts)
    known = [part.asked_from_s for part in parts if part.asked_from_s is not None]
    assert total_use(parts).asked_from_s == min(known, default=None)
