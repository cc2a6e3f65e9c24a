"""Questions that a server will not take, answers with and without tags: what evaluation makes of them."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.errors import UsageError
from reelproof.training.evaluate import evaluate_model
from reelproof.training.preflight import SetupError
from reelproof.training.sampling import Ask, CutOff
from reelproof.training.server import ServerSampler
from reelproof.training.settings.asking import BackendConfig, EvaluateConfig, SamplingConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.shards import open_shards, stream_in_order
from tests.stub_server import Reply, StubServer, chat_reply, refusal
from tests.tiny_training import jpeg, write_rl

YELLOW = base64.b64encode(jpeg("yellow")).decode()


@contextmanager
def server(
    says: str, refuses: str = "nothing", status: int = 400
) -> Iterator[tuple[EvaluateConfig, list[dict[str, Any]]]]:
    """Settings that ask it, and the bodies of what it was asked."""

    def answer(_: int, body: dict[str, Any]) -> Reply:
        refused = refuses in json.dumps(body)
        return refusal(status, "too long") if refused else chat_reply(body, [says], "m")

    with StubServer(fault=answer, model="m") as stub:
        yield (
            EvaluateConfig(
                shards=ShardsConfig(subset="rl"),
                styles=("direct",),
                backend=BackendConfig(kind="server", url=stub.url),
                sampling=SamplingConfig(temperature=0.0, batch_rows=2),
            ),
            stub.bodies,
        )


def test_one_refused_request_costs_one_answer_and_is_not_kept(tmp_path):
    data, out = write_rl(tmp_path / "data", 4), tmp_path / "out"
    with server("B", refuses=YELLOW) as (cfg, asked):
        (report,) = evaluate_model(data, "m", out, cfg)
        assert (report.questions, report.refused, len(asked)) == (4, 2, 4)
        assert report.strict.value == 0.25  # one of the four is B, and none that was refused is right
    assert len((out / "answers.jsonl").read_text().splitlines()) == 2


def test_an_evaluation_that_was_cut_off_goes_on_where_it_was(tmp_path):
    data, out = write_rl(tmp_path / "data", 4), tmp_path / "out"
    with server("B") as (cfg, asked):
        (whole,) = evaluate_model(data, "m", out, cfg)
        log = out / "answers.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        log.write_text(lines[0] + lines[1] + lines[2][:20])
        del asked[:]
        assert evaluate_model(data, "m", out, cfg) == [whole]
        assert len(asked) == 2
        del asked[:]
        (out / "evaluate.json").unlink()
        evaluate_model(data, "m", out, cfg.model_copy(update={"max_frames": 1}))
        assert len(asked) == 4, "other frames are another question"


def test_an_evaluation_of_something_else_is_not_written_over(tmp_path):
    out = tmp_path / "out"
    with server("B") as (cfg, asked):
        data, more = write_rl(tmp_path / "data", 4), write_rl(tmp_path / "more", 6)
        manifest = more / "manifest.json"
        manifest.write_text(manifest.read_text().replace("d" * 64, "e" * 64))
        evaluate_model(data, "m", out, cfg.model_copy(update={"max_rows": 2}))
        (longer,) = evaluate_model(data, "m", out, cfg)
        assert (longer.questions, len(asked)) == (4, 4), "more rows of the same go on"
        table = (out / "evaluate.json").read_bytes()
        fewer_frames = cfg.model_copy(update={"max_frames": 1})
        for of, model, by in ((data, "other", cfg), (data, "m", fewer_frames), (more, "m", cfg)):
            with pytest.raises(SetupError, match=r"differs in .* there, .* now\); choose another --out"):
                evaluate_model(of, model, out, by)
        assert len(asked) == 4
        assert (out / "evaluate.json").read_bytes() == table


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_everything_is_told_once(status, tmp_path):
    with (
        server("B", refuses="messages", status=status) as (cfg, _),
        pytest.raises(SetupError, match=r"refuses every request.*too long"),
    ):
        evaluate_model(write_rl(tmp_path / "data", 4), "m", tmp_path / "out", cfg)


def replied(**changes: Any) -> dict[str, Any]:
    """A sound reply in two tokens, and what else its choice has."""
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": "B"}, **changes}
    return {"choices": [choice], "usage": {"completion_tokens": 2}}


ODD_CHANCES = {"content": [{"token": "B", "logprob": -0.5}, {"token": "", "logprob": None}]}
ODD_REPLIES = {
    "a chance untold": (replied(logprobs=ODD_CHANCES), ("B", 2, None, "")),
    "tokens uncounted": (replied() | {"usage": {"completion_tokens": None}}, ("B", 0, None, "")),
    "no message": ({"choices": [{"text": "B"}]}, ("B", 0, None, "")),
    "refused by a filter": (
        replied(finish_reason="content_filter", message={"content": None}),
        ("", 2, None, "refused: content filter"),
    ),
    "an error of the request": ({"error": {"code": 400, "message": "too long"}}, ("", 0, None, "too long")),
}


@pytest.fixture(scope="module")
def asks(tmp_path_factory) -> list[Ask]:
    folder = write_rl(tmp_path_factory.mktemp("rl"), 2)
    return [Ask(each) for each in stream_in_order(open_shards(folder, ShardsConfig(subset="rl")))]


@pytest.mark.parametrize(("reply", "read"), ODD_REPLIES.values(), ids=ODD_REPLIES)
def test_odd_replies_are_read_for_what_they_say(reply, read, asks):
    with StubServer(fault=lambda *_: Reply(200, reply), model="m") as stub:
        sampler = ServerSampler(BackendConfig(kind="server", url=stub.url), "m", PromptConfig())
        (said,) = sampler.sample(asks[:1], SamplingConfig())
    assert (said.text, said.tokens, said.mean_logprob, said.refused) == read


def test_requests_under_way_as_a_field_is_found_forbidden_are_asked_again_without_it(asks):
    def forbid(_: int, body: dict[str, Any]) -> Reply | None:
        return refusal(400, "seed is not supported") if "seed" in body else Reply(200, replied())

    with StubServer(fault=forbid, model="m", slots=1, latency_s=0.05) as stub:  # one refusal after the other
        sampler = ServerSampler(BackendConfig(kind="server", url=stub.url), "m", PromptConfig())
        said = sampler.sample(asks, SamplingConfig(batch_rows=2))
    assert [each.text for each in said] == ["B", "B"]
    assert sorted("seed" in body for body in stub.bodies) == [False, False, True, True]


@pytest.mark.parametrize("key", ["sk-gehéim", "sk-one\nsk-two"])
def test_a_key_that_no_header_can_carry_is_told_and_not_quoted(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError, match="OPENAI_API_KEY holds characters that no key has") as told:
        ServerSampler(BackendConfig(kind="server"), "m", PromptConfig())
    assert "sk-" not in str(told.value)


NO_REPLIES = {
    "an error of the server": ({"error": {"code": 502, "message": "no upstream"}}, "says no upstream; "),
    "no choices": ({"choices": []}, "without choices"),
    "not JSON": ("<html>", "cannot be read"),
    "broken off": (replied(finish_reason="abort"), "broke off"),
}


@pytest.mark.parametrize(("reply", "told"), NO_REPLIES.values(), ids=NO_REPLIES)
def test_what_is_no_reply_is_asked_for_again(reply, told, asks, monkeypatch):
    monkeypatch.setattr("reelproof.training.server.WAITS_S", (0.0, 0.0))
    with StubServer(fault=lambda n, _: Reply(200, reply if n < 2 else replied()), model="m") as stub:
        sampler = ServerSampler(BackendConfig(kind="server", url=stub.url), "m", PromptConfig())
        (said,) = sampler.sample(asks[:1], SamplingConfig())
    assert (said.text, len(stub.bodies)) == ("B", 3)


@pytest.mark.parametrize(("reply", "told"), NO_REPLIES.values(), ids=NO_REPLIES)
def test_what_is_no_reply_ends_the_asking_and_what_was_answered_is_kept(reply, told, asks, monkeypatch):
    monkeypatch.setattr("reelproof.training.server.WAITS_S", (0.0,))
    with StubServer(fault=lambda number, _: Reply(200, reply if number else replied()), model="m") as stub:
        sampler = ServerSampler(BackendConfig(kind="server", url=stub.url), "m", PromptConfig())
        with pytest.raises(CutOff, match=told) as cut:
            sampler.sample(asks, SamplingConfig(batch_rows=1))
    assert [each and each.text for each in cut.value.said] == ["B", None]


@pytest.mark.parametrize(
    ("style", "text", "answer"),
    [
        ("direct", " B\n", "B"),
        ("direct", "<answer>B", "B"),
        ("direct", "<answer>B</answer>", "B"),
        ("direct", "<think>It is B", None),
        ("direct", "", None),
        ("published", "B", None),
    ],
)
def test_only_what_is_asked_at_once_may_come_without_tags(style, text, answer):
    assert read_answer(text, style).answer == answer
