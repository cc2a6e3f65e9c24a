"""One client a server and process: shared while it is used, closed by its last user."""

import threading

import pytest

from reelproof.pipeline.teachers.shared_client import shared_client
from reelproof.schemas.chat import ChatRequest, Message, Sampling, TextPart
from reelproof.stages.teachers.protocol import ServerTeacherConfig
from tests.stub_server import StubServer


def requests(name: str, count: int) -> list[ChatRequest]:
    return [
        ChatRequest(
            model="stub@unknown",
            messages=(Message(role="user", content=(TextPart(text=f"{name} {index}"),)),),
            sampling=Sampling(),
        )
        for index in range(count)
    ]


def test_parts_share_a_client_and_its_bound_on_requests_in_flight():
    with StubServer(latency_s=0.02) as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), concurrency=6)
        counts = []

        def work(name: str) -> None:
            with shared_client(cfg) as teacher:
                counts.append(len(list(teacher.complete(requests(name, 20), {}))))

        with shared_client(cfg):
            threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert counts == [20, 20, 20]
    assert server.most_in_flight == 6


def test_a_client_lives_as_long_as_anyone_uses_it():
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,))
        other = cfg.model_copy(update={"revision": "2"})
        with shared_client(cfg) as first:
            with shared_client(cfg) as second, shared_client(other) as third:
                assert first is second is not third
            assert len(list(first.complete(requests("still", 1), {}))) == 1
            assert first.in_flight == 0
        with shared_client(cfg) as later:
            assert later is not first
            assert len(list(later.complete(requests("anew", 1), {}))) == 1


def test_an_error_in_one_part_leaves_the_client_to_the_others():
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,))
        with shared_client(cfg) as teacher:
            with pytest.raises(KeyError), shared_client(cfg):
                raise KeyError("a frame")
            assert len(list(teacher.complete(requests("on", 3), {}))) == 3
