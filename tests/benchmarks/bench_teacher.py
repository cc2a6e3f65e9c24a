"""What asking costs: the client's CPU time and memory, and tokens a second beside a bare generator's."""

import asyncio
import hashlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import fsspec
import psutil
from PIL import Image

from pipeline.accounting import UseCounter
from pipeline.completions import CompletionLog, RememberingTeacher
from pipeline.vllm_server import VllmServer
from pipeline.vllm_settings import VllmTeacherConfig
from schemas.chat import ChatRequest, Completion, ImagePart, Message, Sampling, TextPart
from schemas.openai_chat import Rollouts, chat_body
from stages.openai_teacher import OpenAITeacher
from stages.teacher import ServerTeacherConfig
from tests.benchmarks.rows import Row, Rows, at_least, at_most

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
REQUESTS, CONCURRENCY, LATENCY_S = 20_000, 256, 0.05
ROUNDS = 3
CPU_ARGS = (
    "--enforce-eager",
    "--no-enable-chunked-prefill",
    "--max-num-batched-tokens",
    "4096",
    "--max-num-seqs",
    "32",
)
"""On a CPU, vLLM 0.32 dies of a seeded request whose prompt it reads in pieces."""
PART_SIZES = (60, 140, 100, 120, 80, 110)
"""Requests of each part: real ones differ too, so that not all drain at the same moment."""
SLOTS, IN_FLIGHT_PER_PART = 4, 16


class Speed(NamedTuple):
    """Tokens a second of one run, and the share of the time that the server had nothing to do."""

    tokens_per_s: float
    idle_share: float


def bench_client(_folder: Path) -> Rows:
    """CPU milliseconds of this process a request, and how its memory grows, against a stub elsewhere."""
    requests = [_request(f"question {index} " * 20, "stub@unknown") for index in range(REQUESTS)]
    process = psutil.Process()
    with _stub() as url:
        cfg = ServerTeacherConfig(model="stub", urls=(url,), concurrency=CONCURRENCY)
        with OpenAITeacher(cfg) as teacher:
            _drain(teacher.complete(requests[:1000], {}))
            before_mb = process.memory_info().rss / 1e6
            cpu_s = time.process_time()
            _drain(teacher.complete(requests, {}))
            cpu_ms = (time.process_time() - cpu_s) / REQUESTS * 1e3
            grown_mb = process.memory_info().rss / 1e6 - before_mb
    against = f"{REQUESTS} requests, {CONCURRENCY} in flight, stub of {LATENCY_S * 1e3:.0f} ms"
    return {
        "client, CPU a request": at_most(cpu_ms, 1, "ms", against),
        "client, memory grown": at_most(grown_mb, 20, "MB", against),
    }


def bench_log(_folder: Path) -> Rows:
    """Reading 50,000 of the 100,000 completions in a part's log, and appending one."""
    fs, count = fsspec.filesystem("file"), 100_000
    with tempfile.TemporaryDirectory() as folder:
        records = [
            Completion(request_id=f"{index:032x}", model="m@1", text="word " * 300, finish_reason="stop")
            for index in range(count)
        ]
        started_s = time.perf_counter()
        with CompletionLog(fs, folder) as log:
            for record in records:
                log.append(record)
        append_us = (time.perf_counter() - started_s) / count * 1e6
        wanted = {record.request_id for record in records[::2]}
        started_s = time.perf_counter()
        found = sum(1 for _ in CompletionLog(fs, folder).read(wanted))
        read_s = time.perf_counter() - started_s
    against = f"{count} completions of 1.5 kB, {found} of them wanted"
    return {
        "completions log, read": at_most(read_s, 2, "s", against),
        "completions log, append": at_most(append_us, 100, "µs", against),
    }


def bench_vllm(_folder: Path) -> Rows:
    """Parts through log and client, and the same requests sent bare, in turn on one real vLLM server."""
    if not PYTHON.exists():
        return {}
    from tests.tiny_qwen import write_tiny_qwen

    frames = {
        hashlib.sha256(jpeg).hexdigest(): jpeg for jpeg in (_jpeg(shade) for shade in range(0, 250, 25))
    }
    with tempfile.TemporaryDirectory() as folder:
        model = write_tiny_qwen(Path(folder) / "tiny-qwen")
        with _vllm(model) as server:
            runs = [
                _pair(server.url, frames, Path(folder) / str(index), parts_first=index % 2 == 0)
                for index in range(ROUNDS + 1)
            ][1:]  # the first fills the caches
    share = statistics.median(ours.tokens_per_s / bare.tokens_per_s for ours, bare in runs)
    idle = statistics.median(ours.idle_share for ours, _ in runs)
    speed = statistics.median(ours.tokens_per_s for ours, _ in runs)
    bare = statistics.median(bare.tokens_per_s for _, bare in runs)
    against = f"a bare aiohttp generator, {bare:.0f} tokens/s, the same {sum(PART_SIZES)} requests"
    return {
        "vLLM, tokens/s of parts": Row(
            value=round(speed, 1), unit="tokens/s", goal="reported", holds=True, against=against
        ),
        "vLLM, share of a bare generator": at_least(share, 0.95, "x", against),
        "vLLM, time with an empty queue": at_most(100 * idle, 2, "%", "its own metrics"),
    }


def _pair(url: str, frames: dict[str, bytes], folder: Path, parts_first: bool) -> tuple[Speed, Speed]:
    """Both kinds of run, in either order."""
    if parts_first:
        ours = _as_parts(url, frames, folder)
        return ours, _bare(url, frames)
    bare = _bare(url, frames)
    return _as_parts(url, frames, folder), bare


def _as_parts(url: str, frames: dict[str, bytes], folder: Path) -> Speed:
    """As a build does: four parts at a time, each with its log, its client and its share of the requests."""
    waiting = iter(enumerate(_parts(frames)))
    lock = threading.Lock()
    cfg = ServerTeacherConfig(model="tiny", revision="1", urls=(url,), concurrency=IN_FLIGHT_PER_PART)

    def work() -> None:
        while True:
            with lock:
                part = next(waiting, None)
            if part is None:
                return
            number, requests = part
            with (
                OpenAITeacher(cfg) as teacher,
                CompletionLog(fsspec.filesystem("file"), str(folder / str(number))) as log,
            ):
                counter = UseCounter()
                _drain(RememberingTeacher(teacher, log, counter).complete(requests, frames))
                tokens.append(counter.use.completion_tokens)

    tokens: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(SLOTS)]
    with _sampled(url) as idle:
        started_s = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.perf_counter() - started_s
    return Speed(sum(tokens) / took_s, sum(idle) / max(1, len(idle)))


def _bare(url: str, frames: dict[str, bytes]) -> Speed:
    """The same bodies, made beforehand, by as many coroutines as requests may be in flight."""
    requests = [request for part in _parts(frames) for request in part]
    bodies = [chat_body(Rollouts((request,)), "tiny", frames) for request in requests]

    async def send() -> int:
        left = iter(bodies)
        tokens = 0

        async def work(session: aiohttp.ClientSession) -> None:
            nonlocal tokens
            for body in left:
                headers = {"Content-Type": "application/json"}
                async with session.post(f"{url}/chat/completions", data=body, headers=headers) as reply:
                    tokens += (await reply.json())["usage"]["completion_tokens"]

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(work(session) for _ in range(SLOTS * IN_FLIGHT_PER_PART)))
        return tokens

    with _sampled(url) as idle:
        started_s = time.perf_counter()
        tokens = asyncio.run(send())
        took_s = time.perf_counter() - started_s
    return Speed(tokens / took_s, sum(idle) / max(1, len(idle)))


def _parts(frames: dict[str, bytes]) -> list[list[ChatRequest]]:
    shown = list(frames)
    return [
        [
            _request(f"part {part}, question {index}", "tiny@1", shown[index % 7 : index % 7 + 3])
            for index in range(size)
        ]
        for part, size in enumerate(PART_SIZES)
    ]


def _request(text: str, model: str, images: Sequence[str] = ()) -> ChatRequest:
    parts = (*(ImagePart(sha256=sha256) for sha256 in images), TextPart(text=text))
    turn = Message(role="user", content=parts)
    return ChatRequest(
        model=model, messages=(turn,), sampling=Sampling(max_tokens=64, temperature=1, top_p=1)
    )


def _jpeg(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (112, 84), (shade, 80, 250 - shade)).save(content, "JPEG")
    return content.getvalue()


def _drain(completions: Iterator[Completion]) -> None:
    for completion in completions:
        if completion.error is not None:
            raise RuntimeError(completion.error)


@contextmanager
def _stub() -> Iterator[str]:
    command = [sys.executable, str(ROOT / "tests" / "stub_server.py"), "--latency", str(LATENCY_S)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


@contextmanager
def _vllm(model: Path) -> Iterator[VllmServer]:
    os.environ |= {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
    }
    cfg = VllmTeacherConfig(
        model=str(model),
        dtype="float32",
        max_model_len=2048,
        gpu_memory_utilization=0.05,
        extra_args=CPU_ARGS,
        executable=str(PYTHON),
    )
    server = VllmServer(cfg, "tiny")
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def _sampled(url: str) -> Iterator[list[bool]]:
    """Two looks a second at whether the server has nothing running and nothing waiting."""
    idle: list[bool] = []
    done = threading.Event()

    def look() -> None:
        address = url.removesuffix("/v1") + "/metrics"
        while not done.wait(0.5):
            with urllib.request.urlopen(address, timeout=10) as reply:
                lines = reply.read().decode().splitlines()
            names = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")
            idle.append(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names)) == 0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield idle
    finally:
        done.set()
        thread.join()


BENCHES = (bench_client, bench_log, bench_vllm)
