"""Questions that a server will not take, answers with and without tags: what evaluation makes of them."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from reelproof.training.evaluate import EvaluateConfig, evaluate_model, read_answer
from reelproof.training.preflight import SetupError
from reelproof.training.sampling import SamplingConfig
from reelproof.training.shards import ShardsConfig
from reelproof.training.tts_settings import BackendConfig
from tests.tiny_training import jpeg, write_rl

YELLOW = base64.b64encode(jpeg("yellow")).decode()


@contextmanager
def server(
    says: str, refuses: str = "nothing", status: int = 400
) -> Iterator[tuple[EvaluateConfig, list[str]]]:
    """Settings that ask it, and the bodies of what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            refused = refuses in asked[-1]
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": says}}
            reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            body = json.dumps({"error": {"message": "too long"}} if refused else reply).encode()
            self.send_response(status if refused else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_port}/v1"
        yield (
            EvaluateConfig(
                shards=ShardsConfig(subset="rl"),
                styles=("direct",),
                backend=BackendConfig(kind="server", url=url),
                sampling=SamplingConfig(temperature=0.0, batch_rows=2),
            ),
            asked,
        )
        http.shutdown()


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
        evaluate_model(data, "m", out, cfg.model_copy(update={"max_frames": 1}))
        assert len(asked) == 4, "other frames are another question"


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_everything_is_told_once(status, tmp_path):
    with (
        server("B", refuses="messages", status=status) as (cfg, _),
        pytest.raises(SetupError, match=r"refuses every request.*too long"),
    ):
        evaluate_model(write_rl(tmp_path / "data", 4), "m", tmp_path / "out", cfg)


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
