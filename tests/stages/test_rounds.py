"""What is asked in rounds: nobody waits for another one's answers, and each hears all of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Barrier

import pytest

from reelproof.schemas.chat import ChatRequest, Completion, Message, Sampling, TextPart
from reelproof.stages.answers.rounds import ask_rounds
from reelproof.stages.answers.traces import AdaptiveRolloutConfig, ClipQuestion, TeacherShare, ask_rollouts
from reelproof.stages.teachers.openai_teacher import OpenAITeacher
from reelproof.stages.teachers.protocol import ServerTeacherConfig
from tests.cases import made_case
from tests.stub_server import Hang, StubServer, last_text
from tests.views import made_clip


def request(text: str, sample_index: int = 0) -> ChatRequest:
    turn = Message(role="user", content=(TextPart(text=text),))
    return ChatRequest(model="stub@unknown", messages=(turn,), sampling=Sampling(), sample_index=sample_index)


class Counted:
    """Asks so many rounds of two, and keeps what it hears."""

    def __init__(self, name: str, rounds: int, then: Callable[[], None] = lambda: None) -> None:
        self.name, self.rounds, self.then = name, rounds, then
        self.heard: list[str] = []

    def following(self) -> list[ChatRequest]:
        asked = len(self.heard)
        return [request(self.name, turn) for turn in (asked, asked + 1)] if asked < 2 * self.rounds else []

    def take(self, completions: Sequence[Completion]) -> None:
        self.heard += [each.request_id for each in completions]
        if len(self.heard) == 2 * self.rounds:
            self.then()

    @property
    def wanted(self) -> list[str]:
        return [request(self.name, turn).request_id for turn in range(2 * self.rounds)]


class InBatches:
    """Answers backwards, and cannot be asked while it does; leaves out what it is told to."""

    def __init__(self, model: str = "stub@unknown", leaves_out: str = "") -> None:
        self.model, self.leaves_out = model, leaves_out
        self.batches: list[int] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.batches.append(len(requests))
        for each in reversed(requests):
            if each.request_id != self.leaves_out:
                yield Completion(request_id=each.request_id, model=self.model, text="", finish_reason="stop")


def test_all_hear_their_own_answers_in_order_from_a_teacher_that_takes_batches():
    every, teacher = [Counted("a", 3), Counted("b", 1), Counted("c", 0)], InBatches()
    ask_rounds(teacher, every, {})
    assert [each.heard for each in every] == [each.wanted for each in every]
    assert teacher.batches == [4, 2, 2]


def test_two_that_ask_the_same_are_asked_for_once_and_both_hear_it():
    every, teacher = [Counted("a", 2), Counted("a", 3)], InBatches()
    ask_rounds(teacher, every, {})
    assert [each.heard for each in every] == [each.wanted for each in every]
    assert teacher.batches == [2, 2, 2]


def give_up() -> None:
    raise InterruptedError


def test_a_sequel_is_asked_and_answered_while_others_first_round_is_still_open():
    with StubServer(fault=lambda number, body: Hang() if last_text(body) == "slow" else None) as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), concurrency=4, timeout_s=60)
        with OpenAITeacher(cfg) as teacher:
            every = [Counted("slow", 1), Counted("quick", 3, then=give_up)]
            with pytest.raises(InterruptedError):
                ask_rounds(teacher, every, {})
    assert every[1].heard == every[1].wanted
    assert every[0].heard == []


def test_rounds_of_one_question_are_one_chain_of_what_a_server_was_asked():
    """The benchmark of busy servers tells from it what no client could do without."""
    with StubServer(slots=8, latency_s=0.01) as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), concurrency=4, timeout_s=60)
        with OpenAITeacher(cfg) as teacher:
            ask_rounds(teacher, [Counted("a", 9), Counted("b", 1)], {})
    assert len(server.chains) == 2
    assert server.busy_s / 2 < sum(server.chains) < server.busy_s
    assert server.chains[0] > server.chains[1]


def test_what_a_teacher_leaves_unanswered_is_an_error():
    left_out = request("b", 2).request_id
    with pytest.raises(RuntimeError, match=f"left 1 of its requests unanswered.* {left_out}"):
        ask_rounds(InBatches(leaves_out=left_out), [Counted("a", 2), Counted("b", 2)], {})


def test_several_teachers_are_asked_side_by_side():
    both = Barrier(2, timeout=20)

    class Meeting(InBatches):
        def complete(self, requests, frames):
            both.wait()  # broken where one waits for the other to end
            yield from super().complete(requests, frames)

    case = made_case([], clip=made_clip("film"))
    teachers = [TeacherShare(Meeting(name), 1) for name in ("a@1", "b@1")]
    cfg = AdaptiveRolloutConfig(rollouts=16)
    traces = list(ask_rollouts([ClipQuestion(case.clip, case.question)], teachers, cfg, {}))
    assert [each.sample_index for each in traces] == list(range(16))
    assert {each.model for each in traces} == {"a@1", "b@1"}
