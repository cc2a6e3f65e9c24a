"""The faulty teacher, also as verifier, behind the OpenAI protocol for as long as a block lasts."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from teacher import Faults, Shown, answer

MODEL = "shapes-oracle-with-faults"


@contextmanager
def serve(faults: Faults) -> Iterator[str]:
    """The server's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(
                {"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": 32768}]}
            )

        def do_POST(self) -> None:
            self._reply(_complete(json.loads(self.rfile.read(int(self.headers["Content-Length"]))), faults))

        def log_message(self, *_: object) -> None:
            """A line a request would drown the study's own."""

        def _reply(self, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _complete(body: dict[str, Any], faults: Faults) -> dict[str, Any]:
    shown = read_request(body["messages"])
    key = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()
    seed = int(body.get("seed") or 0)
    texts = [answer(shown, f"{key} {seed + place}", faults) for place in range(int(body.get("n") or 1))]
    choices = [
        {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for place, text in enumerate(texts)
    ]
    words = sum(len(text.split()) for text in texts)
    prompt = len(shown.text.split()) + 9 * len(shown.frames)
    usage = {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words}
    return {"id": key[:12], "object": "chat.completion", "model": MODEL, "choices": choices, "usage": usage}


def read_request(messages: list[dict[str, Any]]) -> Shown:
    """Labels, JPEG files and text of a request."""
    labels: list[str] = []
    frames: list[bytes] = []
    texts: list[str] = []
    for turn in messages:
        parts = (
            turn["content"]
            if isinstance(turn["content"], list)
            else [{"type": "text", "text": turn["content"]}]
        )
        for part in parts:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                labels.append(texts[-1] if texts else "")
                frames.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return Shown(tuple(labels), tuple(frames), "\n".join(texts))
