"""How busy a server was, from looks at its metrics."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reelproof.pipeline.accounts import server_load
from reelproof.pipeline.accounts.server_load import LoadWatch, read_metrics

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


@pytest.mark.parametrize(
    ("lives", "prompt_tokens"),
    [
        ([100, 250, None, 30, 60], 310),
        ([100, None, 200, 300], 300),  # it was only too busy to tell
        ([100, None, None, 100], 100),
    ],
)
def test_tokens_are_counted_once_over_all_lives_of_a_server(monkeypatch, lives, prompt_tokens):
    seen = iter({} if tokens is None else {"prompt_tokens": tokens, "running": 1} for tokens in lives)
    monkeypatch.setattr(server_load, "_counters", lambda url: next(seen))
    watch = LoadWatch()
    for _ in lives:
        watch.look("http://x/v1")
    assert watch.load("http://x/v1", 1).prompt_tokens == prompt_tokens


def test_a_life_that_is_known_to_have_ended_counts_whatever_the_next_one_shows(monkeypatch):
    seen = iter([{"prompt_tokens": 100, "running": 2}, {"prompt_tokens": 130, "running": 1}])
    monkeypatch.setattr(server_load, "_counters", lambda url: next(seen))
    watch = LoadWatch()
    watch.look("http://x/v1")
    watch.end_life()
    assert watch.load("http://x/v1", 1).in_flight == 0
    watch.look("http://x/v1")
    told = watch.load("http://x/v1", 1)
    assert (told.prompt_tokens, told.in_flight) == (230, 1)


def test_nothing_is_in_flight_at_a_server_that_does_not_answer(monkeypatch):
    seen = iter([{"prompt_tokens": 100, "running": 2}, {}])
    monkeypatch.setattr(server_load, "_counters", lambda url: next(seen))
    watch = LoadWatch()
    for in_flight in (2, 0):
        watch.look("http://x/v1")
        assert watch.load("http://x/v1", 0).in_flight == in_flight


@contextmanager
def saying(reply: bytes) -> Iterator[str]:
    """The address of a server that says this, whatever it is asked, and hangs up."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # wakes accept()
            thread.join(timeout=10)


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
BUSY = b"vllm:num_requests_running{} 3\n"


@pytest.mark.parametrize(
    ("reply", "in_flight"),
    [
        (OK + b"\r\n" + BUSY, 3),
        (OK + b"Content-Length: 5000\r\n\r\n" + BUSY, 0),
        (b"no HTTP at all\r\n\r\n", 0),
        (OK + b"\r\n" + BUSY + b"\xff\xfe", 0),
        (OK + b"\r\nvllm:num_requests_running{} many\n", 0),
        (b"", 0),
    ],
    ids=["whole", "cut off", "no HTTP", "no text", "no number", "nothing"],
)
def test_a_reply_that_is_cut_off_or_no_metrics_is_a_look_that_got_nothing(reply, in_flight):
    watch = LoadWatch()
    with saying(reply) as url:
        watch.look(url)
    assert watch.load(url, 0).in_flight == in_flight
