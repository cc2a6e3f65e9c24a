"""The studies' teachers and verifiers behind the OpenAI protocol, for as long as a block lasts."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Shown(NamedTuple):
    """What a request shows."""

    labels: tuple[str, ...]
    """The text before each frame."""
    frames: tuple[bytes, ...]
    """JPEG files."""
    text: str
    """All texts, a line each."""

    @classmethod
    def of(cls, messages: Sequence[Mapping[str, Any]]) -> "Shown":
        """Of chat messages."""
        labels, frames, texts = [], [], []
        for turn in messages:
            parts = turn["content"]
            for part in [{"type": "text", "text": parts}] if isinstance(parts, str) else parts:
                if part["type"] == "text":
                    texts.append(part["text"])
                else:
                    labels.append(texts[-1] if texts else "")
                    frames.append(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
        return cls(tuple(labels), tuple(frames), "\n".join(texts))


class Completion(NamedTuple):
    """What a request is answered."""

    texts: Sequence[str]
    """As many as the request wants."""
    prompt_tokens: int
    id: str = "0"


Complete = Callable[[dict[str, Any]], Completion]
"""The body of a request -> its answer; asked in a thread for each connection."""


@contextmanager
def serve_chat(models: Sequence[str], complete: Complete) -> Iterator[str]:
    """The address of a server of these models."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            listed = [{"id": name, "object": "model", "max_model_len": 32768} for name in models]
            self._reply({"object": "list", "data": listed})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(_as_sent(body["model"], complete(body)))

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
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def wanted(body: Mapping[str, Any]) -> int:
    """How many completions a request wants."""
    return int(body.get("n") or 1)


def _as_sent(model: str, said: Completion) -> dict[str, Any]:
    choices = [
        {"index": place, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for place, text in enumerate(said.texts)
    ]
    words, prompt = sum(len(text.split()) for text in said.texts), said.prompt_tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words}
    return {"id": said.id, "object": "chat.completion", "model": model, "choices": choices, "usage": usage}
