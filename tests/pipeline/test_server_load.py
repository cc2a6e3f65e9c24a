"""How busy a server was, from looks at its metrics."""

import pytest

from pipeline.servers import server_load
from pipeline.servers.server_load import LoadWatch, read_metrics

TEXT = """# HELP vllm:num_requests_running Requests
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0"} 4.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:prompt_tokens_total{engine="0"} 1.5e+03
"""


def test_metrics_are_summed_over_engines_and_nothing_else_is_read():
    assert read_metrics(TEXT) == {"running": 5, "waiting": 4, "prompt_tokens": 1500}


@pytest.mark.parametrize(
    ("running", "idle_share"),
    [
        ([0, 0, 0], 0),
        ([0, 0, 1, 1, 0, 0], 0),  # before the first request and after the last nothing is missed
        ([0, 1, 0, 1, 1, 0], 0.25),
        ([1, None, None, 1], 0.5),  # dead in between
    ],
)
def test_idle_is_what_lies_between_the_first_request_and_the_last(monkeypatch, running, idle_share):
    seen = iter({} if count is None else {"running": count, "prompt_tokens": 1} for count in running)
    monkeypatch.setattr(server_load, "_counters", lambda url: next(seen))
    watch = LoadWatch()
    for _ in running:
        watch.look("http://x/v1")
    assert watch.load("http://x/v1", 0).idle_share == idle_share


def test_tokens_are_counted_over_all_lives_of_a_server(monkeypatch):
    lives = [100, 250, None, 30, 60]
    seen = iter({} if tokens is None else {"prompt_tokens": tokens, "running": 1} for tokens in lives)
    monkeypatch.setattr(server_load, "_counters", lambda url: next(seen))
    watch = LoadWatch()
    for _ in lives:
        watch.look("http://x/v1")
    assert watch.load("http://x/v1", 1).prompt_tokens == 310
