"""An OpenAI-compatible server on loopback that answers at once, late, wrongly or never, as a test wants it.

In a test: `with StubServer(fault=...) as server: server.url`. As a process: `stub_server.py --latency 0.05`
prints its address and serves until it is killed; it also takes vLLM's command line in vLLM's place.
"""

import argparse
import asyncio
import hashlib
import json
import math
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Reply(NamedTuple):
    status: int
    body: dict | str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Hang:
    """Nothing is said until the server is closed."""


@dataclass(frozen=True)
class Drop:
    """The connection is closed without a word."""


def images_in(body: dict) -> int:
    """How many images the last turn of a request shows."""
    return sum(part["type"] == "image_url" for part in body["messages"][-1]["content"])


def refusal(status: int, message: str, **headers: str) -> Reply:
    return Reply(
        status,
        {"error": {"message": message, "code": status}},
        tuple((k.replace("_", "-"), v) for k, v in headers.items()),
    )


def chat_reply(body: dict, texts: list[str], model: str) -> Reply:
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]}
            if body.get("logprobs")
            else None,
        }
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": 5 * len(texts), "total_tokens": 10 + 5 * len(texts)}
    return Reply(
        200, {"id": "c", "object": "chat.completion", "model": model, "choices": choices, "usage": usage}
    )


def last_text(body: dict) -> str:
    return next(part["text"] for part in reversed(body["messages"][-1]["content"]) if part["type"] == "text")


def reasoned(asked: str, seed: int) -> str:
    """A thought that cites no time, and a letter or a number, always the same for the same question."""
    draw = hashlib.sha256(f"{asked} {seed}".encode()).digest()[0]
    words = "first one thing is seen, then another, and nothing else that matters here"
    return f"<think>{words}, draw {draw}.</think><answer>{'ABCD123'[draw % 7]}</answer>"


_DRAWN = re.compile(rb'"(seed|n)":\d+,?')
"""What tells one round from the next; within a text, quotes are escaped."""
METRICS = """vllm:num_requests_waiting{} 0
vllm:prompt_tokens_total{} 400
vllm:prefix_cache_queries_total{} 400
vllm:prefix_cache_hits_total{} 100
vllm:mm_cache_queries_total{} 10
vllm:mm_cache_hits_total{} 9
"""


@dataclass
class StubServer:
    """Serves one model. `fault(number, body)` may replace the answer to a chat request, counted from 0."""

    fault: Callable[[int, dict], Reply | Hang | Drop | None] = lambda number, body: None
    hears: Callable[[bytes, dict[str, str]], Reply] | None = None
    """(content, headers) of a request for a transcription -> its answer."""
    latency_s: float = 0.0
    slots: int = 0
    """So many choices are made at once, each in a time drawn around the latency, or around its share of that
    where it may have fewer tokens than 1,024; 0 for any number."""
    model: str = "stub"
    models: Callable[[], Reply] | None = None
    takes_n: bool = True
    reasons: bool = False
    """Answer as a teacher should, a letter that follows from the question alone; else with an echo."""
    received: Path | None = None
    """Where each chat request leaves a line with its hash, whatever becomes of it."""
    gate: asyncio.Event | None = None
    """Chat requests from `held_from` on wait for it."""
    held_from: int = 0
    tells_load: bool = False
    """Whether it has metrics, as vLLM does."""
    keep_bodies: bool = True
    bodies: list[dict] = field(default_factory=list)
    keys: Counter = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    port: int = 0
    busy_s: float = 0.0
    """Seconds that slots were taken for, in all, and when the first was and the last was let go."""
    busy_from: float = math.inf
    busy_to: float = 0.0
    chains: list[float] = field(default_factory=list)
    """Of what is asked in rounds, by first requests: seconds of the slowest choices of its rounds in all."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "StubServer":
        self._loop = asyncio.new_event_loop()
        self._number = 0
        self._server = self._loop.run_until_complete(self.listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        self._number = 0
        self._slots = asyncio.Semaphore(self.slots or sys.maxsize)
        self._draws = random.Random(0)
        self._rounds: dict[tuple[int, int], int] = {}
        return server

    def open_gate(self) -> None:
        """Let go of what waits; from any thread."""
        assert self.gate is not None
        self._loop.call_soon_threadsafe(self.gate.set)

    async def _stop(self) -> None:
        self._server.close()
        connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                self.keys[headers.get("authorization", "")] += 1
                if self.hears and path.endswith("/audio/transcriptions"):
                    reply = self.hears(content, _as_sent(head))
                else:
                    reply = await self._reply(path, content)
                if isinstance(reply, Drop):
                    return
                if isinstance(reply, Hang):
                    await asyncio.Event().wait()
                writer.write(_http(reply))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _reply(self, path: str, content: bytes) -> Reply | Hang | Drop:
        if path.endswith("/models"):
            return (
                self.models() if self.models else Reply(200, {"object": "list", "data": [{"id": self.model}]})
            )
        slots = {"busy_s": self.busy_s, "to": self.busy_to, "chains": self.chains}
        told = {"/health": {}, "/busy": slots | {"cpu_s": time.process_time()}}
        if path in told:
            return Reply(200, told[path])
        if path == "/metrics" and self.tells_load:
            return Reply(200, f"vllm:num_requests_running{{}} {self.in_flight}\n" + METRICS)
        if not path.endswith("/chat/completions"):
            return refusal(404, f"no {path} here")
        body = json.loads(content)
        number, self._number = self._number, self._number + 1
        if self.keep_bodies:
            self.bodies.append(body)
        if self.received is not None:
            with self.received.open("a") as log:
                log.write(hashlib.sha256(content).hexdigest() + "\n")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.slots:
                await self._in_slots(body, content)
            elif self.latency_s:
                await asyncio.sleep(self.latency_s)
            if self.gate is not None and number >= self.held_from:
                await self.gate.wait()
            return self.fault(number, body) or self._answer(body)
        finally:
            self.in_flight -= 1

    async def _in_slots(self, body: dict, content: bytes) -> None:
        """A slot for each choice. Who asks on gives the next seed with the same prompt: a chain goes on."""
        seed, count = body.get("seed", 0), body.get("n", 1)
        prompt = hash(_DRAWN.sub(b"", content))
        chain = self._rounds.pop((prompt, seed), len(self.chains))
        if chain == len(self.chains):
            self.chains.append(0.0)
        mean_s = self.latency_s * min(1, body.get("max_tokens", 1024) / 1024)
        self.chains[chain] += max(await asyncio.gather(*(self._in_a_slot(mean_s) for _ in range(count))))
        self._rounds[prompt, seed + count] = chain

    async def _in_a_slot(self, mean_s: float) -> float:
        async with self._slots:
            began = time.monotonic()
            self.busy_from = min(self.busy_from, began)
            await asyncio.sleep(mean_s * self._draws.lognormvariate(-0.125, 0.5))  # of mean 1
            self.busy_to = time.monotonic()
            self.busy_s += self.busy_to - began
            return self.busy_to - began

    def _answer(self, body: dict) -> Reply:
        count = body.get("n", 1)
        if count > 1 and not self.takes_n:
            return refusal(400, "n must be 1")
        asked = last_text(body)
        seeds = [body.get("seed", 0) + index for index in range(count)]
        texts = [reasoned(asked, seed) if self.reasons else f"{asked} seed {seed}" for seed in seeds]
        return chat_reply(body, texts, self.model)


def _as_sent(head: str) -> dict[str, str]:
    """Headers, their values in the case in which they came."""
    pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    return {name.lower(): value for name, value in pairs}


def _http(reply: Reply) -> bytes:
    content = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    kind = f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
    return f"HTTP/1.1 {reply.status} X\r\n{kind}{extra}\r\n".encode() + content


async def _serve(arguments: argparse.Namespace) -> None:
    stub = StubServer(
        latency_s=arguments.latency,
        port=arguments.port,
        model=arguments.served_model_name,
        keep_bodies=False,
        reasons=arguments.reasons,
        received=arguments.received,
        slots=arguments.slots,
    )
    server = await stub.listen()
    sys.stdout.write(stub.url + "\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-m")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--slots", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--served-model-name", default="stub")
    parser.add_argument("--reasons", action="store_true")
    parser.add_argument("--received", type=Path)
    asyncio.run(_serve(parser.parse_known_args()[0]))
