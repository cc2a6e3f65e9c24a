"""The client against a stub on loopback: what is asked, asked again, given up, and never said."""

import threading
import time

import pytest

from reelproof.schemas.chat import ChatRequest, Completion, ImagePart, Message, Sampling, TextPart
from reelproof.stages.teachers import pauses
from reelproof.stages.teachers.openai_teacher import OpenAITeacher
from reelproof.stages.teachers.owing import Owing
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherUnavailable
from tests.stub_server import (
    Drop,
    Hang,
    Reply,
    StubServer,
    chat_reply,
    images_in,
    last_text,
    refusal,
)

SECRET = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(pauses, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(pauses, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)


def request(
    text: str = "hello", sample_index: int = 0, images: tuple[str, ...] = (), **sampling
) -> ChatRequest:
    parts = (*(ImagePart(sha256=sha256) for sha256 in images), TextPart(text=text))
    return ChatRequest(
        model="stub@unknown",
        messages=(Message(role="user", content=parts),),
        sampling=Sampling(**{"seed": 7, **sampling}),
        sample_index=sample_index,
    )


def config(*servers: StubServer, **settings) -> ServerTeacherConfig:
    settings = {"model": "stub", "concurrency": 8, "timeout_s": 5, "patience_s": 20, "attempts": 3} | settings
    return ServerTeacherConfig(urls=tuple(server.url for server in servers), **settings)


def ask(requests, *servers, frames=None, **settings):
    with OpenAITeacher(config(*servers, **settings)) as teacher:
        return {each.request_id: each for each in teacher.complete(requests, frames or {})}


def test_every_request_is_answered_once_with_what_was_asked():
    requests = [request(f"question {index}") for index in range(100)]
    with StubServer() as server:
        said = ask(requests, server)
    assert {each.request_id: f"question {index} seed 7" for index, each in enumerate(requests)} == {
        request_id: completion.text for request_id, completion in said.items()
    }
    assert {each.model for each in said.values()} == {"stub@unknown"}
    assert len(server.bodies) == 100
    assert set(server.keys) == {f"bearer {SECRET}"}


def test_rollouts_of_a_question_are_one_request_with_the_seeds_that_single_ones_would_have():
    together = [request(sample_index=index) for index in (0, 1, 2, 5)]
    with StubServer() as server:
        said = ask(together, server)
        alone = {
            each.request_id: completion.text
            for each in together
            for completion in ask([each], server).values()
        }
    assert {request_id: completion.text for request_id, completion in said.items()} == alone
    assert sorted(body.get("n", 1) for body in server.bodies[:2]) == [1, 3]
    assert sum(each.prompt_tokens for each in said.values()) == 20
    assert sum(each.completion_tokens for each in said.values()) == 20


def test_greedy_rollouts_are_asked_for_once_and_paid_once():
    with StubServer() as server:
        said = ask([request(sample_index=index, temperature=0) for index in range(4)], server)
    assert len(said) == 4
    assert len(server.bodies) == 1
    assert {each.text for each in said.values()} == {"hello seed 7"}
    assert sum(each.completion_tokens for each in said.values()) == 5


@pytest.mark.parametrize("refuses", [True, False], ids=["refuses n", "ignores n"])
def test_a_server_that_gives_one_choice_only_is_asked_one_by_one(refuses):
    def one_choice(number, body):
        return chat_reply(body, [f"{last_text(body)} seed {body['seed']}"], "stub")

    requests = [request(text, sample_index=index) for text in ("a", "b", "c") for index in range(4)]
    fault = {} if refuses else {"fault": one_choice}
    with StubServer(takes_n=False, **fault) as server:
        said = ask(requests, server, concurrency=1)
    assert len(said) == 12
    assert len({each.text for each in said.values()}) == 12
    assert all(each.error is None for each in said.values())
    assert sum(body.get("n", 1) > 1 for body in server.bodies) < 3


def test_frames_schema_and_log_probabilities_reach_the_server_and_come_back():
    schema = '{"type":"object","properties":{"answer":{"type":"string"}}}'
    frames = {"a" * 64: b"\xff\xd8jpeg"}
    with StubServer() as server:
        said = ask([request(images=("a" * 64,), json_schema=schema, logprobs=True)], server, frames=frames)
    (body,) = server.bodies
    image = body["messages"][0]["content"][0]
    assert image == {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9hqcGVn"}}
    assert body["response_format"]["json_schema"]["schema"]["properties"] == {"answer": {"type": "string"}}
    assert [each.mean_logprob for each in said.values()] == [-1.0]


@pytest.mark.parametrize(
    ("replaced", "text"),
    [
        ({"content": "B", "reasoning": "I see"}, "<think>I see</think>B"),
        ({"content": "<think>x</think>B", "reasoning": "x"}, "<think>x</think>B"),
        ({"content": None}, ""),
    ],
)
def test_thoughts_that_a_server_keeps_apart_are_put_back(replaced, text):
    def apart(number, body):
        reply = chat_reply(body, ["-"], "stub")
        reply.body["choices"][0]["message"].update(replaced)
        return reply

    with StubServer(fault=apart) as server:
        assert [each.text for each in ask([request()], server).values()] == [text]


ODD_REPLIES = {
    "parts": ({"content": [{"type": "text", "text": "B"}, {"type": "text", "text": "!"}]}, {}, {}, "B!"),
    "thinking part": (
        {"content": [{"type": "thinking", "thinking": "I see"}, {"type": "text", "text": "B"}]},
        *({}, {}),
        "<think>I see</think>B",
    ),
    "thinking in parts": (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "I"}]}, "B"]},
        *({}, {}),
        "<think>I</think>B",
    ),
    "all in the thought": (
        {"content": None, "reasoning_content": "<think>x</think><answer>B</answer>"},
        *({}, {}),
        "<think>x</think><answer>B</answer>",
    ),
    "half an emoji": ({"content": "B \ud83d."}, {}, {}, "B \ufffd."),
    "a whole emoji in halves": ({"content": "B \ud83d\ude00"}, {}, {}, "B 😀"),
    "half an emoji in thought": ({"content": "B", "reasoning": "\ude00"}, {}, {}, "<think>\ufffd</think>B"),
    "no index": ({}, {"index": None}, {}, "echo"),
    "a null log-probability": ({}, {"logprobs": {"content": [{"token": "a", "logprob": None}]}}, {}, "echo"),
    "odd log-probabilities": ({}, {"logprobs": {"content": "none"}}, {}, "echo"),
    "infinite usage": ({}, {}, {"usage": {"prompt_tokens": float("inf"), "completion_tokens": -5}}, "echo"),
    "no number in usage": ({}, {}, {"usage": {"prompt_tokens": "many", "completion_tokens": [1]}}, "echo"),
    "usage that is none": ({}, {}, {"usage": "free"}, "echo"),
    "no model": ({}, {}, {"model": None}, "echo"),
}


@pytest.mark.parametrize("shape", ODD_REPLIES)
def test_a_good_text_is_taken_and_paid_once_whatever_is_odd_beside_it(shape):
    message, choice, reply, text = ODD_REPLIES[shape]

    def odd(number, body):
        said = chat_reply(body, ["echo"], "stub")
        said.body["choices"][0]["message"].update(message)
        said.body["choices"][0].update(choice)
        said.body.update(reply)
        return said

    with StubServer(fault=odd) as server:
        (said,) = ask([request()], server).values()
    assert (said.text, said.error, len(server.bodies)) == (text, None, 1)
    assert 0 <= said.prompt_tokens < 1000
    assert Completion.model_validate_json(said.model_dump_json()) == said


def test_an_answer_cut_off_under_another_name_is_cut_off():
    def cut(number, body):
        reply = chat_reply(body, ["half a"], "stub")
        reply.body["choices"][0]["finish_reason"] = "max_tokens"
        return reply

    with StubServer(fault=cut) as server:
        assert [each.finish_reason for each in ask([request()], server).values()] == ["length"]


def told_with_200(message, code):
    return Reply(200, {"error": {"message": message, "code": code}})


@pytest.mark.parametrize("status", [429, 503, "500", None])
def test_an_error_that_comes_with_200_is_treated_as_the_status_that_it_names(status):
    with StubServer(fault=lambda n, _: told_with_200("try later", status) if n < 2 else None) as server:
        (said,) = ask([request()], server).values()
    assert (said.error, said.text != "") == (None, True)


def test_a_lasting_error_that_comes_with_200_is_recorded_with_its_message():
    with StubServer(fault=lambda number, body: told_with_200("too long", 400)) as server:
        (said,) = ask([request()], server).values()
    assert said.error == "HTTP 400: too long"


NO_REPLIES = ("[" * 100_000, '{"choices": ', "null", "[]", '{"choices": {}}', '{"choices": [1]}')


@pytest.mark.parametrize("body", NO_REPLIES)
def test_a_reply_that_is_none_is_asked_again(body):
    with StubServer(fault=lambda number, _: Reply(200, body) if number == 0 else None) as server:
        (said,) = ask([request()], server).values()
    assert (said.error, said.retries) == (None, 1)


@pytest.mark.parametrize("said", ["0", "nan", "-3", "inf", "Thu, 01 Jan 1970 00:00:00 GMT", "soon"])
def test_a_wait_that_is_none_is_backed_off_from_all_the_same(said, monkeypatch):
    monkeypatch.setattr(pauses, "FIRST_WAIT_S", 0.2)
    monkeypatch.setattr(pauses, "LONGEST_WAIT_S", 0.2)
    begun = time.monotonic()
    with StubServer(fault=lambda n, _: refusal(429, "x", retry_after=said) if n == 0 else None) as server:
        ask([request()], server)
    assert len(server.bodies) == 2
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize("said", ["86400", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_server_that_wants_a_wait_of_days_is_asked_again_sooner(said, monkeypatch):
    monkeypatch.setattr(pauses, "LONGEST_PAUSE_S", 0.2)
    begun = time.monotonic()
    with StubServer(fault=lambda n, _: refusal(429, "x", retry_after=said) if n == 0 else None) as server:
        (answer,) = ask([request()], server).values()
    assert (answer.error, len(server.bodies)) == (None, 2)
    assert time.monotonic() - begun >= 0.2


def test_a_server_that_has_gone_blind_is_an_outage_and_no_failure_of_its_images():
    def blind(number, body):
        return refusal(500, "image processor crashed") if images_in(body) else None

    frames = {"a" * 64: b"\xff\xd8jpeg"}
    shown = [request(str(index), images=("a" * 64,)) for index in range(4)]
    with StubServer(fault=blind) as server, pytest.raises(TeacherUnavailable, match="processor crashed"):
        ask(shown, server, frames=frames, patience_s=1.0)


def test_a_server_that_refuses_everything_ends_the_call_and_not_the_dataset():
    requests = [request(str(index)) for index in range(100)]
    told = r"refused 32 requests one after the other; .*no images here"
    with StubServer(fault=lambda number, body: refusal(400, "no images here")) as server:
        with pytest.raises(TeacherUnavailable, match=told):
            ask(requests, server, concurrency=1)
        assert len(server.bodies) == 32


def test_passing_faults_are_asked_again_and_counted():
    def often_faulty(number, body):
        if number % 5 == 0:
            return refusal(500, "out of memory")
        if number % 7 == 0:
            return refusal(429, "slow down", retry_after="0.01")
        if number % 11 == 0:
            return Drop()
        return None

    requests = [request(f"question {index}") for index in range(60)]
    with StubServer(fault=often_faulty) as server:
        said = ask(requests, server, attempts=30)
    assert len(said) == 60
    assert all(each.error is None for each in said.values())
    asked = [body for body in server.bodies if last_text(body).startswith("question")]  # no probes
    assert sum(each.retries for each in said.values()) == len(asked) - 60 > 10


def test_a_hang_is_timed_out_and_asked_again():
    with StubServer(fault=lambda number, body: Hang() if number == 1 else None) as server:
        said = ask([request(f"question {index}") for index in range(6)], server, timeout_s=0.3)
    assert len(said) == 6
    assert sorted(each.retries for each in said.values()) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    "fault",
    [
        lambda number, body: refusal(400, "longer than the context of 4096"),
        lambda number, body: refusal(422, "no such field"),
        lambda number, body: refusal(413, "too large"),
    ],
)
def test_what_asking_again_would_not_mend_is_recorded_at_once(fault):
    with StubServer(fault=fault) as server:
        (said,) = ask([request()], server).values()
    assert (said.finish_reason, said.text) == ("error", "")
    assert said.error.startswith("HTTP 4")
    assert len(server.bodies) == 1


PAGE = "<!DOCTYPE html>\n<html><head><title>413 Request Entity\nToo Large</title></head><body>n</body></html>"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"error": {"message": "too long", "code": "x"}}, "HTTP 413: too long"),
        ({"error": "too long"}, "HTTP 413: too long"),
        ({"object": "error", "message": "too long"}, "HTTP 413: too long"),
        ({"detail": "too long"}, "HTTP 413: too long"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, "HTTP 413: body.n: too many"),
        ("too\n long", "HTTP 413: too long"),
        (PAGE, "HTTP 413: 413 Request Entity Too Large"),
        ("<h1>No way</h1><script>var x;</script>", "HTTP 413: No way"),
        ("", "HTTP 413: X"),
    ],
)
def test_what_a_refusal_says_is_told_whatever_its_body(body, told):
    with StubServer(fault=lambda number, sent: Reply(413, body)) as server:
        (said,) = ask([request()], server).values()
    assert said.error == told


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        {"error": "seed is not supported"},
        "seed is not supported",
    ],
)
def test_a_field_that_is_refused_in_any_words_is_left_out(body):
    with StubServer(fault=lambda number, sent: Reply(422, body) if "seed" in sent else None) as server:
        (said,) = ask([request()], server).values()
    assert said.error is None
    assert ["seed" in sent for sent in server.bodies] == [True, False]


def test_a_page_that_is_not_there_for_a_moment_is_asked_for_again():
    with StubServer(fault=lambda number, body: Reply(404, PAGE) if number == 0 else None) as server:
        (said,) = ask([request()], server).values()
    assert (said.error, said.retries) == (None, 1)


def test_a_refused_answer_is_a_recorded_failure():
    def filtered(number, body):
        reply = chat_reply(body, [""], "stub")
        reply.body["choices"][0]["finish_reason"] = "content_filter"
        return reply

    with StubServer(fault=filtered) as server:
        (said,) = ask([request()], server).values()
    assert (said.finish_reason, said.error) == ("error", "refused: content filter")


def test_a_request_that_alone_fails_is_given_up_and_the_others_are_not():
    def poisoned(number, body):
        return refusal(500, "illegal memory access") if last_text(body) == "poison" else None

    with StubServer(fault=poisoned) as server:
        said = ask([request("poison"), *(request(str(index)) for index in range(5))], server)
        alone = ask([request("poison")], server)
    assert sorted(each.error is None for each in said.values()) == [False] + [True] * 5
    assert next(iter(alone.values())).error.startswith(
        "failed 3 times while other requests did not: HTTP 500"
    )


def aborted(body):
    reply = chat_reply(body, ["half a"], "stub")
    reply.body["choices"][0]["finish_reason"] = "abort"
    return reply


@pytest.mark.parametrize(
    "fault",
    [lambda body: refusal(500, "starting"), aborted, lambda body: Drop()],
    ids=["500", "abort", "drop"],
)
def test_an_outage_is_waited_for_and_blamed_on_no_request(fault):
    until_s = time.monotonic() + 0.5

    def outage(number, body):
        return fault(body) if time.monotonic() < until_s else None

    with StubServer(fault=outage) as server:
        said = ask([request(str(index)) for index in range(20)], server, attempts=2)
    assert [each.error for each in said.values()] == [None] * 20


def test_of_two_servers_both_are_used_and_a_dead_one_is_done_without():
    requests = [request(str(index)) for index in range(40)]
    with StubServer(latency_s=0.01) as one, StubServer(latency_s=0.01) as other:
        assert len(ask(requests, one, other, concurrency=4)) == 40
        assert min(len(one.bodies), len(other.bodies)) > 5
    with StubServer() as alive:
        said = ask(requests, one, alive)
    assert all(each.error is None for each in said.values())


def test_a_server_is_busy_though_each_request_waits_for_the_slowest_of_its_answers():
    """With answers counted in place of requests, 0.6 of its places would be taken."""
    requests = [request(f"question {index // 4}", index % 4, temperature=0.8) for index in range(240)]
    with StubServer(slots=6, latency_s=0.05) as server:
        said = ask(requests, server, concurrency=6, timeout_s=60)
    assert len(said) == len(requests)
    assert {body["n"] for body in server.bodies} == {4}
    assert server.busy_s / 6 / (server.busy_to - server.busy_from) > 0.85


def test_two_idle_servers_share_what_is_fewer_than_one_could_take():
    requests = [request(str(index)) for index in range(8)]
    with StubServer(latency_s=0.05) as one, StubServer(latency_s=0.05) as other:
        ask(requests, one, other, concurrency=16)
    assert (len(one.bodies), len(other.bodies)) == (4, 4)


def test_a_server_that_hangs_is_known_beside_one_that_answers():
    with (
        StubServer(latency_s=0.02) as well,
        StubServer(fault=lambda number, body: Hang()) as hung,
        OpenAITeacher(config(well, hung, concurrency=2, timeout_s=60)) as teacher,
    ):
        assert set(teacher.owing_s().values()) == {0}
        started_s = time.monotonic()
        answers = teacher.complete([request(str(index)) for index in range(12)], {})
        for _ in range(10):  # two are with the server that hangs
            next(answers)
        owing_s, waited_s = teacher.owing_s(), time.monotonic() - started_s
        assert owing_s[well.url] < owing_s[hung.url] <= waited_s
        assert owing_s[hung.url] > waited_s / 2


def test_what_a_server_owes_counts_from_its_last_answer_or_from_the_first_request():
    now_s = 0.0
    owing = Owing(now=lambda: now_s)
    assert owing.seconds(left_alone=False) == 0
    with owing.asked():
        now_s = 3.0
        with owing.asked():
            now_s = 5.0
            assert owing.seconds(left_alone=False) == 5
        owing.answered()
        now_s = 6.0
        assert owing.seconds(left_alone=False) == 1
    assert (owing.seconds(left_alone=False), owing.seconds(left_alone=True)) == (0, 1)  # it failed
    now_s = 9.0
    with owing.asked():
        assert owing.seconds(left_alone=False) == 4
    owing.answered()
    assert owing.seconds(left_alone=True) == 0


def test_of_two_servers_one_that_only_errs_costs_no_request():
    """It fails faster than the other answers: were it let, it would use up every request's attempts."""
    with (
        StubServer(fault=lambda number, body: refusal(500, "no memory")) as broken,
        StubServer(latency_s=0.02) as well,
    ):
        said = ask([request(str(index)) for index in range(40)], broken, well, attempts=2, concurrency=2)
    assert [each.error for each in said.values()] == [None] * 40


def test_a_server_that_refuses_the_probe_is_well():
    def particular(number, body):
        if last_text(body) == "poison":
            return refusal(500, "illegal memory access")
        return refusal(400, "max_tokens must be at least 16") if body["max_tokens"] < 16 else None

    with StubServer(fault=particular) as server:
        (said,) = ask([request("poison")], server).values()
    assert said.error.startswith("failed 3 times while other requests did not: HTTP 500")


def test_no_more_than_the_concurrency_is_in_flight_even_from_two_threads():
    with StubServer(latency_s=0.02) as server, OpenAITeacher(config(server, concurrency=4)) as teacher:
        threads = [
            threading.Thread(target=lambda name: list(teacher.complete(batch(name), {})), args=(name,))
            for name in "ab"
        ]

        def batch(name):
            return [request(f"{name} {index}") for index in range(12)]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.most_in_flight == 4
    assert len(server.bodies) == 24


def test_of_two_calls_the_older_goes_first_so_that_they_do_not_run_dry_together():
    with StubServer() as server, OpenAITeacher(config(server, concurrency=2)) as teacher:
        older = teacher.complete([request(f"older {index}") for index in range(12)], {})
        next(older)
        newer = teacher.complete([request(f"newer {index}") for index in range(12)], {})
        next(newer)
        asked_before = [last_text(body) for body in server.bodies]
        rest = [*older, *newer]
    first_newer = next(place for place, text in enumerate(asked_before) if text.startswith("newer"))
    assert sorted(asked_before[:first_newer]) == sorted(f"older {index}" for index in range(12))
    assert len(rest) == 22


def test_a_teacher_that_is_closed_while_it_is_asked_says_so():
    faults = []

    def ask_on(teacher):
        try:
            list(teacher.complete([request()], {}))
        except RuntimeError as error:
            faults.append(str(error))

    with StubServer(fault=lambda number, body: Hang()) as server:
        with OpenAITeacher(config(server, timeout_s=60)) as teacher:
            asking = threading.Thread(target=ask_on, args=(teacher,))
            asking.start()
            while not server.bodies:
                asking.join(timeout=0.01)
        asking.join(timeout=60)
    assert faults == ["teacher stub@unknown: closed while it was asked"]


def test_a_server_that_stays_away_is_one_clear_error():
    with StubServer() as server:
        pass
    with pytest.raises(TeacherUnavailable, match=r"no answer for .* no connection; see to the server"):
        ask([request(str(index)) for index in range(20)], server, patience_s=0.2)


def test_waiting_ends_where_the_server_is_known_to_be_broken():
    with StubServer() as server:
        pass
    with (
        OpenAITeacher(config(server), broken=lambda: "the server gave up: out of memory") as teacher,
        pytest.raises(TeacherUnavailable, match="gave up: out of memory"),
    ):
        list(teacher.complete([request()], {}))


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (401, f"Incorrect API key provided: {SECRET[:8]}***", r"wants a valid key .* set OPENAI_API_KEY"),
        (404, "The model `stub` does not exist", "does not exist; see that .* serves 'stub', then run"),
    ],
)
def test_what_no_request_can_succeed_with_ends_the_call(status, message, told):
    with (
        StubServer(fault=lambda number, body: refusal(status, message)) as server,
        pytest.raises(TeacherUnavailable, match=told),
    ):
        ask([request()], server)


@pytest.mark.parametrize(
    ("denied", "told"),
    [
        (refusal(402, "Insufficient Balance"), r"wants to be paid .*top up .*run the same command again"),
        (refusal(403, "the key was revoked"), r"refuses the plainest request too: .*run the same command"),
    ],
    ids=["402", "403"],
)
def test_a_server_that_wants_money_or_forbids_all_in_mid_build_fails_no_request(denied, told):
    requests = [request(str(index)) for index in range(20)]
    said = []
    with (
        StubServer(fault=lambda number, body: denied if number >= 5 else None) as server,
        OpenAITeacher(config(server, concurrency=1)) as teacher,
        pytest.raises(TeacherUnavailable, match=told),
    ):
        said.extend(teacher.complete(requests, {}))
    assert [each.error for each in said] == [None] * len(said)


def test_a_request_that_alone_is_forbidden_is_recorded_and_the_others_are_answered():
    def moderated(number, body):
        return refusal(403, "flagged by moderation") if last_text(body) == "flagged" else None

    with StubServer(fault=moderated) as server:
        said = ask([request("flagged"), *(request(str(index)) for index in range(5))], server)
        (alone,) = ask([request("flagged")], server).values()
    assert sorted(each.error is None for each in said.values()) == [False] + [True] * 5
    assert alone.error.startswith("HTTP 403")


def test_a_forbidden_request_is_asked_again_where_the_probe_meets_a_passing_fault():
    replies = {0: refusal(403, "who knows"), 1: refusal(503, "restarting", retry_after="0.01")}
    with StubServer(fault=lambda number, body: replies.get(number)) as server:
        (said,) = ask([request()], server).values()
    assert (said.error, said.retries) == (None, 1)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_server_that_refuses_the_probe_for_good_is_not_well(status):
    def failing(number, body):
        return refusal(500, "no memory") if number == 0 else refusal(status, "no")

    with StubServer(fault=failing) as server, pytest.raises(TeacherUnavailable):
        ask([request("innocent")], server)


def test_blanks_around_a_key_do_not_count(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\n")
    with StubServer() as server:
        ask([request()], server)
    assert set(server.keys) == {f"bearer {SECRET}"}


@pytest.mark.parametrize("key", ["sk-gehéim", "sk-one\nsk-two"])
def test_a_key_that_no_header_can_carry_is_told_and_not_quoted(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with (
        StubServer() as server,
        pytest.raises(TeacherUnavailable, match="holds characters that no key has") as told,
    ):
        ask([request()], server)
    assert "sk-" not in str(told.value)


def test_the_key_is_in_no_record_error_or_repr(caplog):
    caplog.set_level("DEBUG")
    echo = refusal(400, f"bad request by {SECRET} at all")
    with StubServer(fault=lambda number, body: echo) as server:
        cfg = config(server)
        teacher = OpenAITeacher(cfg)
        with teacher:
            said = list(teacher.complete([request()], {}))
    denied = refusal(401, f"the key {SECRET} is wrong")
    with (
        StubServer(fault=lambda number, body: denied) as server,
        pytest.raises(TeacherUnavailable) as told,
    ):
        ask([request()], server)
    shown = f"{said} {cfg!r} {cfg.model_dump_json()} {teacher!r} {vars(teacher)} {told.value} {caplog.text}"
    assert SECRET not in shown
    assert "bad request by … at all" in shown


def test_a_frame_that_is_missing_is_an_error_not_a_hang():
    with StubServer() as server, pytest.raises(KeyError):
        ask([request(images=("b" * 64,))], server)


def test_a_call_that_is_dropped_half_way_leaves_the_teacher_usable():
    with StubServer(latency_s=0.01) as server, OpenAITeacher(config(server, concurrency=2)) as teacher:
        first = teacher.complete([request(str(index)) for index in range(50)], {})
        next(first)
        first.close()
        assert len(list(teacher.complete([request("after")], {}))) == 1
    assert len(server.bodies) < 30
