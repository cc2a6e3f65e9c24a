"""What asking costs this process: the client's CPU time and memory, and the completions log's."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import fsspec
import psutil

from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.teachers.shared_client import open_client
from reelproof.schemas.chat import ChatRequest, Completion, ImagePart, Message, Sampling, TextPart
from reelproof.stages.teachers.openai_teacher import OpenAITeacher
from reelproof.stages.teachers.protocol import ServerTeacherConfig
from tests.benchmarks.rows import Rows, at_most

ROOT = Path(__file__).parents[2]
REQUESTS, CONCURRENCY, LATENCY_S = 20_000, 256, 0.05
FRAMES, FRAME_BYTES = 16, 25_000


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


def bench_frames_sent(_folder: Path) -> Rows:
    """CPU milliseconds of this process a request with frames: inside it, and as files of a shared folder."""
    frames = {f"{place:064x}": random.Random(place).randbytes(FRAME_BYTES) for place in range(20 * FRAMES)}
    process, rows = psutil.Process(), Rows()
    with _stub() as url, tempfile.TemporaryDirectory() as shared:
        for name, folder in (("inside", None), ("by path", shared)):
            cfg = ServerTeacherConfig(
                model="stub", urls=(url,), concurrency=CONCURRENCY, frames_folder=folder
            )
            requests = [_request(f"{number}", cfg.identity, _shown(frames, number)) for number in range(3000)]
            with open_client(cfg) as teacher:
                before_mb = process.memory_info().rss / 1e6
                cpu_s = time.process_time()
                _drain(teacher.complete(requests, frames))
                cpu_ms = (time.process_time() - cpu_s) / len(requests) * 1e3
                grown_mb = process.memory_info().rss / 1e6 - before_mb
            about = f"{FRAMES} frames of {FRAME_BYTES // 1000} kB, {CONCURRENCY} requests in flight"
            rows[f"client, CPU a request, frames {name}"] = at_most(cpu_ms, 1.5, "ms", about)
            rows[f"client, memory grown, frames {name}"] = at_most(grown_mb, 60, "MB", about)
    return rows


def _shown(frames: Mapping[str, bytes], number: int) -> list[str]:
    names = list(frames)
    return [names[(7 * number + place) % len(names)] for place in range(FRAMES)]


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


def _request(text: str, model: str, frames: Sequence[str] = ()) -> ChatRequest:
    shown = [ImagePart(sha256=sha256) for sha256 in frames]
    turn = Message(role="user", content=(*shown, TextPart(text=text)))
    return ChatRequest(model=model, messages=(turn,), sampling=Sampling(max_tokens=64))


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
