"""The learned teacher and the learned verifier behind the OpenAI protocol, for as long as a block lasts.

Requests that wait at one time are answered in one batch.
"""

import base64
import io
import itertools
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from reelproof.data_cards.checks_apart.models import PROMPT, Verifier, asked, jpeg
from reelproof.data_cards.checks_apart.world import FRAME_PX
from reelproof.schemas.draws import hash32
from reelproof.training.sampling import Ask, LocalSampler, SamplingConfig

TEACHER, VERIFIER = "learned-teacher", "learned-verifier"
MOST_ROWS = 256
MAX_TOKENS = 40
_CLAIM = re.compile(r"\b(red|orange|green|blue) ([a-c] [1-3])\b")
_QUESTION = re.compile(r"Question: (.*)\n((?:[A-D]\. .*\n)*)")


class _Waiting(NamedTuple):
    """A request on its way, and where its answer goes."""

    body: dict[str, Any]
    replies: "queue.SimpleQueue[list[str]]"


class Reading(NamedTuple):
    """How the teacher reads a request, and how much it may say."""

    as_seen: Callable[[bytes], bytes]
    """A frame as it is sent -> as the teacher takes it."""
    max_tokens: int


Believe = Callable[[bytes, str], float | None]
"""A frame and a claim -> how sure it is that the frame bears it out; None where it cannot be judged."""


@contextmanager
def serve(teacher: Path, believe: Believe, how: Reading) -> Iterator[str]:
    """The server's address."""
    waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
    sampler = LocalSampler.load(str(teacher), PROMPT)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            models = [{"id": name, "object": "model", "max_model_len": 32768} for name in (TEACHER, VERIFIER)]
            self._reply({"object": "list", "data": models})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if body["model"] == VERIFIER:
                self._reply(_completion(body, judge(body, believe)))
                return
            mine = _Waiting(body, queue.SimpleQueue())
            waiting.put(mine)
            self._reply(_completion(body, mine.replies.get()))

        def log_message(self, *_: object) -> None:
            """A line a request would drown the study's own."""

        def _reply(self, content: dict[str, Any]) -> None:
            sent = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=_answer_all, args=(waiting, sampler, how), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        waiting.put(None)
        server.shutdown()
        server.server_close()


def _answer_all(waiting: "queue.SimpleQueue[_Waiting | None]", sampler: LocalSampler, how: Reading) -> None:
    for batch in itertools.count():
        together = _all_that_wait(waiting)
        if together is None:
            return
        for temperature in {each.body.get("temperature", 1.0) for each in together}:
            alike = [each for each in together if each.body.get("temperature", 1.0) == temperature]
            asks = [Ask(_example(each.body, how)) for each in alike for _ in range(_count(each.body))]
            cfg = SamplingConfig(
                temperature=temperature, max_tokens=how.max_tokens, batch_rows=MOST_ROWS, seed=batch
            )
            said = iter(sampler.sample(asks, cfg))
            for each in alike:
                each.replies.put([next(said).text for _ in range(_count(each.body))])


def _all_that_wait(waiting: "queue.SimpleQueue[_Waiting | None]") -> list[_Waiting] | None:
    """One at least, and those that come within 50 ms after each other; None at the end."""
    together: list[_Waiting] = []
    while sum(_count(each.body) for each in together) < MOST_ROWS:
        try:
            each = waiting.get(timeout=0.05 if together else None)
        except queue.Empty:
            break
        if each is None:
            return None
        together.append(each)
    return together


def _count(body: dict[str, Any]) -> int:
    return int(body.get("n") or 1)


def believing(net: Verifier) -> Believe:
    """What the network believes of a claim that names a colour and its cell."""

    def believe(frame: bytes, said: str) -> float | None:
        claim = _CLAIM.search(said)
        return net.belief(as_seen(frame), claim[1], claim[2]) if claim else None

    return believe


def judge(body: dict[str, Any], believe: Believe) -> list[str]:
    """Yes as often as the verifier believes that the first frame shows what is claimed."""
    _, images, text = read_request(body["messages"])
    belief = believe(images[0], text.partition("Claim:")[2]) if images else None
    if belief is None:
        return ["<answer>unknown</answer>"] * _count(body)
    rng = np.random.default_rng(hash32(int(body.get("seed") or 0), text))
    if not body.get("temperature"):
        return [f"<answer>{'yes' if belief >= 0.5 else 'no'}</answer>"] * _count(body)
    return [f"<answer>{'yes' if rng.random() < belief else 'no'}</answer>" for _ in range(_count(body))]


def _example(body: dict[str, Any], how: Reading):  # type: ignore[no-untyped-def]
    labels, sent, text = read_request(body["messages"])
    images = [how.as_seen(each) for each in sent]
    found = _QUESTION.search(text)
    if found is None:
        return asked("", (), labels, images)
    return asked(found[1], [line[3:] for line in found[2].splitlines()], labels, images)


def read_request(messages: Sequence[dict[str, Any]]) -> tuple[list[str], list[bytes], str]:
    """Labels, JPEG files and text."""
    labels, frames, texts = [], [], []
    for turn in messages:
        parts = turn["content"]
        for part in [{"type": "text", "text": parts}] if isinstance(parts, str) else parts:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                labels.append(texts[-1] if texts else "")
                frames.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return labels, frames, "\n".join(texts)


def as_seen(image: bytes) -> bytes:
    """Frames as they are; a build's trial picture, which is larger, shrunk to a frame's size."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    if picture.size == (FRAME_PX, FRAME_PX):
        return image
    return jpeg(np.asarray(picture.resize((FRAME_PX, FRAME_PX))))


def _completion(body: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    choices = [
        {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for place, text in enumerate(texts)
    ]
    words = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words}
    return {
        "id": "0",
        "object": "chat.completion",
        "model": body["model"],
        "choices": choices,
        "usage": usage,
    }
