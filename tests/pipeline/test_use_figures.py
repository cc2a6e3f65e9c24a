"""What a person is told of a run's teachers, against values worked out by hand."""

import pytest

from reelproof.pipeline.accounts.accounting import StepUse, TeacherUse
from reelproof.pipeline.accounts.server_load import ServerLoad
from reelproof.pipeline.accounts.use_figures import (
    seconds_left,
    tell_seconds,
    tell_size,
    tell_use,
    use_figures,
)

USE = TeacherUse(
    calls=30,
    reused=10,
    failed=1,
    retries=3,
    prompt_tokens=5000,
    completion_tokens=1000,
    cost=0.25,
    latency_s=80,
    asked_from_s=100,
    asked_until_s=120,
)
SERVERS = (
    ServerLoad(url="a", looks=30, idle_share=0.1, prompt_tokens=100, prefix_hit_share=0.5, image_hit_share=1),
    ServerLoad(url="b", looks=10, idle_share=0.5, prompt_tokens=300, prefix_hit_share=0.1, image_hit_share=0),
    ServerLoad(url="tells nothing"),
)


def test_figures_follow_from_counts_and_servers():
    figures = use_figures(USE, SERVERS, in_flight=7, seconds_left=90)
    assert (figures.prompt_tokens_per_s, figures.completion_tokens_per_s) == (250, 50)
    assert (figures.in_flight, figures.mean_in_flight, figures.reuse_share) == (7, 4, 0.25)
    assert figures.gpu_idle_share == (30 * 0.1 + 10 * 0.5) / 40
    assert figures.prefix_hit_share == (100 * 0.5 + 300 * 0.1) / 400
    assert figures.image_hit_share == 0.25
    assert (figures.cost, figures.seconds_left) == (0.25, 90)
    assert use_figures(USE, ()).gpu_idle_share is None


def test_figures_are_told_in_one_line():
    said = tell_use(USE, use_figures(USE, SERVERS, in_flight=7))
    assert said == (
        "teachers: 5,000 tokens in, 1,000 out, 50.0 out a second; 7 requests in flight, 4.0 on average; "
        "25% of 40 completions from the logs; servers idle 20.0% of the time; their caches held 20% of the "
        "prompts and 25% of the frames; 1 failures, "
        "3 asked again; cost 0.25"
    )


@pytest.mark.parametrize(
    ("videos_left", "running", "earlier", "left_s"),
    [
        ({"footage": 0, "traces": 0}, [], [], 0),
        ({"footage": 0, "traces": 6}, [], [], 6 * 10 / 2),  # two tasks at once so far
        ({"footage": 1, "traces": 6}, [], [], (1 * 5 + 6 * 10) / 2),
        ({"traces": 6}, [("traces", 30)], [], (6 * 10 - 30) / ((50 + 30) / 25)),
        ({"traces": 1}, [("traces", 30)], [], None),  # longer than the others took
        ({"footage": 1, "traces": 1}, [("traces", 30)], [], None),
        ({"probes": 2}, [], [], None),
        ({"probes": 2}, [], [("probes", 4, 20.0)], 2 * 5 / 2),
        ({"traces": 6}, [], [("traces", 1, 99.0)], 6 * 10 / 2),  # this build's own rate counts
    ],
)
def test_time_left_is_what_is_left_at_the_rate_so_far(videos_left, running, earlier, left_s):
    finished = [
        StepUse(step="footage", parts=1, videos=2, seconds=10),
        StepUse(step="traces", parts=1, videos=4, seconds=40),
    ]
    found = seconds_left(
        videos_left,
        finished,
        [StepUse(step=step, seconds=seconds) for step, seconds in running],
        elapsed_s=25,
        earlier=[StepUse(step=step, videos=videos, seconds=s) for step, videos, s in earlier],
    )
    assert found == (None if left_s is None else pytest.approx(left_s))


def test_nothing_is_promised_before_anything_is_through():
    assert seconds_left({"footage": 3}, [], [], elapsed_s=5) is None


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [(0, "0.0 kB"), (99_000, "99.0 kB"), (3_700_000, "3.7 MB"), (2_500_000_000_000, "2,500.0 GB")],
)
def test_room_is_told_in_a_unit_that_fits(size_bytes, told):
    assert tell_size(size_bytes) == told


@pytest.mark.parametrize(("seconds", "told"), [(40, "40 s"), (720, "12 min"), (12_600, "3.5 h")])
def test_time_is_told_in_a_unit_that_fits(seconds, told):
    assert tell_seconds(seconds) == told
