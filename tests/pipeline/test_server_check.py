"""What is wrong with a server is said in one message, before anything is built."""

import base64
import io
import time

import pytest
from PIL import Image

from reelproof.pipeline.teachers.kinds import ServerTeacherConfig, check_teacher, named_teacher
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable
from tests.stub_server import Reply, StubServer, chat_reply, images_in, refusal

NEEDS = TeacherNeeds(images=4, prompt_characters=100, max_tokens=64)


def check(server: StubServer, model: str = "stub") -> None:
    check_teacher(ServerTeacherConfig(model=model, urls=(server.url,), timeout_s=5), NEEDS)


UNWANTED = {
    "seed": 'Unknown name "seed": Cannot find field.',
    "top_p": "`temperature` and `top_p` cannot both be specified for this model.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
}


def forbids(number: int, body: dict) -> Reply | None:
    """A service that takes none of the usual fields, and says so of one at a time."""
    found = next((name for name in UNWANTED if name in body), None)
    return refusal(400, UNWANTED[found]) if found else None


def test_what_a_service_forbids_is_left_out_and_told():
    with StubServer(fault=forbids) as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), timeout_s=5)
        told = check_teacher(cfg, NEEDS)
    assert told == (
        "teacher stub@unknown: the service is sent no seed, no top_p, no temperature, "
        "max_tokens as max_completion_tokens"
    )


def test_fields_are_sent_as_the_recipe_says():
    fields = [
        {"name": "seed"}, {"name": "max_tokens", "called": "max_completion_tokens"},
        {"name": "reasoning_effort", "value": "low"},
    ]  # fmt: skip
    seen = []
    with StubServer(fault=lambda number, body: seen.append(body)) as server:
        cfg = ServerTeacherConfig.model_validate({"model": "stub", "urls": [server.url], "fields": fields})
        assert check_teacher(cfg, NEEDS) == ""
    assert cfg.identity == "stub@unknown+reasoning_effort=low"
    for body in seen:
        assert body["reasoning_effort"] == "low"
        assert body["max_completion_tokens"] == 1
        assert not {"seed", "max_tokens"} & body.keys()
        assert {"temperature", "top_p"} <= body.keys()


@pytest.mark.parametrize("said", ["max_tokens is too large: the context is 4096", "the seed of doubt", ""])
def test_a_refusal_of_something_else_changes_no_field(said):
    seen = []

    def fault(number: int, body: dict) -> Reply:
        seen.append(body)
        return refusal(400, said)

    with (
        StubServer(fault=fault) as server,
        pytest.raises(TeacherUnavailable, match="plain question: HTTP 400"),
    ):
        check(server)
    assert len(seen) == 1


def without_vision(number: int, body: dict) -> Reply | None:
    return refusal(400, "stub is not a multimodal model") if images_in(body) else None


def two_images_at_most(number: int, body: dict) -> Reply | None:
    return refusal(400, "At most 2 image(s) may be provided") if images_in(body) > 2 else None


def long_prompt(number: int, body: dict) -> Reply | None:
    reply = chat_reply(body, ["yes"], "stub")
    reply.body["usage"]["prompt_tokens"] = 4000
    return reply


def context_of_4000(body: dict) -> Reply:
    return Reply(200, {"data": [{"id": "stub", "max_model_len": 4000}]})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": "another"}, r"does not serve 'stub'; it serves 'another'; set the teacher's `model`"),
        (
            {"fault": without_vision},
            r"takes no images: HTTP 400.*not a multimodal model.*serve a model that sees",
        ),
        ({"fault": two_images_at_most}, r"does not take a request of 4 images.*At most 2 image.*fewer"),
        (
            {"fault": long_prompt, "models": lambda: context_of_4000({})},
            r"has a context of 4000 tokens, but the largest prompt takes 4000 and the answer up to 64",
        ),
        ({"models": lambda: refusal(401, "no key")}, r"wants a valid key .*OPENAI_API_KEY holds none"),
        (
            {"fault": lambda number, body: refusal(500, "no memory")},
            r"does not answer a plain question: HTTP 500",
        ),
    ],
)
def test_a_server_that_cannot_serve_the_build_is_told_in_one_message(settings, told, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with StubServer(**settings) as server, pytest.raises(TeacherUnavailable, match=told) as error:
        check(server)
    assert "\n" not in str(error.value)


def test_an_error_that_passes_does_not_end_the_build_before_it_began():
    with StubServer(fault=lambda number, body: refusal(500, "busy") if number == 0 else None) as server:
        check(server)
    assert len(server.bodies) > 1


def test_a_server_that_is_not_there_is_told_with_its_address():
    with StubServer() as server:
        pass
    with pytest.raises(
        TeacherUnavailable, match=rf"127.0.0.1:{server.port}/v1 does not answer \(no connection\)"
    ):
        check(server)


@pytest.mark.parametrize("models", [None, lambda: refusal(404, "no such path")], ids=["listed", "not listed"])
def test_a_server_that_can_serve_the_build_passes(models):
    with StubServer(models=models) as server:
        check(server)
    assert [images_in(body) for body in server.bodies[:1]] == [0]
    assert sorted(images_in(body) for body in server.bodies) == [0, 1, 4, 4]


def test_servers_are_tried_side_by_side_and_each_with_its_largest_requests_at_once():
    with StubServer(latency_s=0.2) as one, StubServer(latency_s=0.2) as other:
        started_s = time.monotonic()
        urls = (one.url, other.url)
        check_teacher(ServerTeacherConfig(model="stub", urls=urls, timeout_s=5), NEEDS)
        took_s = time.monotonic() - started_s
    assert (one.most_in_flight, other.most_in_flight) == (3, 3)
    assert took_s < 8 * 0.2  # one after the other


def test_of_two_servers_that_fail_the_first_is_told():
    def fails_late(number: int, body: dict) -> Reply:
        time.sleep(0.1)
        return refusal(400, "late")

    with (
        StubServer(fault=fails_late) as one,
        StubServer(fault=lambda number, body: refusal(400, "soon")) as other,
        pytest.raises(TeacherUnavailable, match=f"{one.url} does not answer a plain question.*late"),
    ):
        check_teacher(ServerTeacherConfig(model="stub", urls=(one.url, other.url), timeout_s=5), NEEDS)


@pytest.mark.parametrize("shape", [(448, 448), (448, 252)], ids=["square", "wide"])
def test_frames_of_the_shape_that_costs_a_server_most_are_tried(shape):
    def costly(number: int, body: dict) -> Reply | None:
        return (
            refusal(400, "the prompt is too long") if images_in(body) == 4 and shape in sizes(body) else None
        )

    with (
        StubServer(fault=costly) as server,
        pytest.raises(TeacherUnavailable, match=f"4 images of {shape[0]} x {shape[1]} px"),
    ):
        check(server)


def sizes(body: dict) -> set[tuple[int, int]]:
    """Of the images in a request, in px."""
    urls = [
        each["image_url"]["url"] for each in body["messages"][-1]["content"] if each["type"] == "image_url"
    ]
    return {Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size for url in urls}


def test_a_named_server_answers_with_its_one_model():
    with StubServer() as server:
        assert named_teacher(server.url) == ServerTeacherConfig(model="stub", urls=(server.url,))
    for wrong in ("http://127.0.0.1:9/v1", "http://me:secret@127.0.0.1:9/v1"):
        with pytest.raises(TeacherUnavailable) as told:
            named_teacher(wrong)
        assert "secret" not in str(told.value)
