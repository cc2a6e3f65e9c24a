"""A build's teacher step on a real vLLM server on the CPU, and the same requests sent bare, in turn."""

import asyncio
import io
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import yaml
from rich.console import Console

from reelproof.pipeline.accounts.accounting import TeacherUse, total_use
from reelproof.pipeline.accounts.server_load import read_metrics
from reelproof.pipeline.accounts.use_figures import use_figures
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.ingest import Again, ingest, save_ingested
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.recipe import Recipe, load_recipe
from reelproof.pipeline.steps.asking import asked_of, frames_of
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.pipeline.work_through import work_through
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.openai_chat import chat_body, group_rollouts
from reelproof.stages.answers.traces import TeacherShare, ask_rollouts
from tests.benchmarks.rows import LeftOut, Row, Rows, at_least, at_most
from tests.cpu_vllm import CPU_ARGS, PYTHON, running
from tests.films import Shot, make_film

ROUNDS = 2
"""Measured pairs; one more comes first, which fills the caches."""
QUESTIONS = 2 * (60, 140, 100, 120, 80, 110, 90, 100)
"""About each film, which is a part of its own: real parts differ too, so that not all drain at once."""
WORKERS, CONCURRENCY = 2, 32
"""Processes of the build, and requests in flight from each; the bare generator has as many in all."""
MAX_TOKENS = 256
LOOK_EVERY_S = 0.25


class Speed(NamedTuple):
    """Of one run, from its first request to its last answer."""

    tokens_per_s: float
    idle_share: float
    """Of the looks at the server's own metrics, those at which nothing ran or waited."""


def bench_vllm(_folder: Path) -> Rows:
    """The teacher step of a whole build beside a generator that does nothing but ask."""
    if not PYTHON.exists():
        raise LeftOut("it needs a vLLM in .venv-vllm: make vllm")
    from tests.tiny_qwen import write_tiny_qwen

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(_server_settings(write_tiny_qwen(folder / "tiny-qwen")), "tiny") as server:
            decoded = _decoded_build(folder, server.url)
            bodies = _bodies(decoded)
            pairs = []
            for number in range(ROUNDS + 1):
                pairs.append(
                    _pair(decoded, bodies, server.url, folder / str(number), build_first=number % 2 == 0)
                )
                print(
                    f"     build {pairs[-1][0]}, bare {pairs[-1][1]}, load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    del pairs[0]
    return _rows([each[0] for each in pairs], [each[1] for each in pairs])


def _rows(ours: Sequence[Speed], bare: Sequence[Speed]) -> Rows:
    share = statistics.median(
        one.tokens_per_s / other.tokens_per_s for one, other in zip(ours, bare, strict=True)
    )
    speed, bare_speed = (statistics.median(each.tokens_per_s for each in runs) for runs in (ours, bare))
    idle, bare_idle = (statistics.median(each.idle_share for each in runs) for runs in (ours, bare))
    against = f"a bare aiohttp generator, {bare_speed:.0f} tokens/s, the same {sum(QUESTIONS)} requests"
    return {
        "vLLM, tokens/s of a build": Row(
            value=round(speed, 1), unit="tokens/s", goal="reported", holds=True, against=against
        ),
        "vLLM, share of a bare generator": at_least(share, 0.95, "x", against),
        "vLLM, time with an empty queue": at_most(
            100 * idle, 2, "%", f"its own metrics; under the bare generator {100 * bare_idle:.1f} %"
        ),
    }


def _decoded_build(folder: Path, url: str) -> Workplace:
    """A build of which only the teacher step and what rests on it are left to do."""
    films = folder / "films"
    films.mkdir()
    rows = []
    for number, count in enumerate(QUESTIONS):
        shots = [Shot(10 * number + shot, 1.5, motion_px=shot) for shot in range(2)]
        path = make_film(films / f"{number}.mp4", shots, fps=10, size=(160, 90))
        rows += [
            {"video": str(path), "question": f"What is {index}?", "answer": "B"} for index in range(count)
        ]
    manifest = folder / "questions.json"
    manifest.write_text(json.dumps(rows))
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(_settings(manifest, {"kind": "signals"})))
    _work(_ingested(load_recipe(recipe), folder / "decoded"))
    served = {"kind": "server", "model": "tiny", "revision": "1", "urls": [url], "concurrency": CONCURRENCY}
    recipe.write_text(yaml.safe_dump(_settings(manifest, served)))
    return _ingested(load_recipe(recipe), folder / "decoded")


def _settings(manifest: Path, teacher: dict[str, Any]) -> dict[str, Any]:
    return {
        "sources": {"manifest": str(manifest)},
        "parts": {"videos": 1},
        "clips": {"min_keyframes": 3, "max_keyframes": 3, "max_timeline": 3},
        "questions": {"computed": {"kinds": []}, "given": {"min_frames": 3, "max_frames": 3}},
        "teachers": [{"teacher": teacher}],
        "rollouts": {"rollouts": 1, "max_tokens": MAX_TOKENS, "temperature": 1, "top_p": 1},
        "probes": {"probes": []},
        "cluster": {"workers": WORKERS},
    }


def _ingested(recipe: Recipe, out: Path) -> Workplace:
    ingested = ingest(Store(str(out)), recipe, list_sources(recipe.sources), Again(), lambda line: None)
    save_ingested(ingested)
    return ingested.workplace


def _work(workplace: Workplace, only: str | None = None) -> TeacherUse:
    """Work through what is left of a build, or through one step of it."""
    todos = [
        Todo(each.inputs, tuple(step for step in each.steps if only in (None, step.name)))
        for each in workplace.todos()
    ]
    receipts: list[Receipt] = []
    work_through(workplace, todos, Console(file=io.StringIO()), receipts)
    return total_use(each.use for each in receipts)


class _Recorder:
    """A teacher that notes what it is asked."""

    model = "tiny@1"

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for each in requests:
            yield Completion(request_id=each.request_id, model=self.model, text="", finish_reason="stop")


def _bodies(workplace: Workplace) -> list[bytes]:
    """What the build will send, part by part."""
    step = workplace.dag.named("traces")
    bodies = []
    for part in workplace.parts:
        run = PartRun(workplace.store, part, {each.name: each.file(part) for each in step.ancestors})
        asked, recorder = asked_of(run), _Recorder()
        frames = frames_of(run, asked)
        list(ask_rollouts(asked, [TeacherShare(recorder, 1)], workplace.recipe.rollouts, frames))
        bodies += [bytes(chat_body(group, "tiny", frames)) for group in group_rollouts(recorder.requests)]
    return bodies


def _pair(
    decoded: Workplace, bodies: Sequence[bytes], url: str, out: Path, build_first: bool
) -> tuple[Speed, Speed]:
    """A build and a bare run, in either order."""
    shutil.copytree(decoded.store.path(""), out)
    bare = None if build_first else _bare(url, bodies)
    with _looked_at(url) as looks:
        # the steps that score would take cores from a server that has no GPU
        use = _work(_ingested(decoded.recipe, out), only="traces")
    if use.failed or use.calls != len(bodies):
        raise RuntimeError(f"{use.calls} requests of {len(bodies)}, {use.failed} failed")
    assert use.asked_from_s is not None
    assert use.asked_until_s is not None
    ours = Speed(
        use_figures(use, ()).completion_tokens_per_s, looks.idle_share(use.asked_from_s, use.asked_until_s)
    )
    return ours, bare or _bare(url, bodies)


def _bare(url: str, bodies: Sequence[bytes]) -> Speed:
    """The same bodies in the same order, by as many coroutines as the build has requests in flight."""

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
            await asyncio.gather(*(work(session) for _ in range(WORKERS * CONCURRENCY)))
        return tokens

    with _looked_at(url) as looks:
        from_s = time.time()
        tokens = asyncio.run(send())
        until_s = time.time()
    return Speed(tokens / (until_s - from_s), looks.idle_share(from_s, until_s))


class _Looks:
    """When the server was looked at, and whether it had nothing to do."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, bool]] = []

    def idle_share(self, from_s: float, until_s: float) -> float:
        within = [idle for at_s, idle in self.seen if from_s <= at_s < until_s]
        return sum(within) / max(1, len(within))


@contextmanager
def _looked_at(url: str) -> Iterator[_Looks]:
    """Looks for as long as the block lasts."""
    looks, done = _Looks(), threading.Event()

    def look() -> None:
        address = url.removesuffix("/v1") + "/metrics"
        while not done.wait(LOOK_EVERY_S):
            with urllib.request.urlopen(address, timeout=60) as reply:
                counters = read_metrics(reply.read().decode())
            looks.seen.append((time.time(), counters["running"] + counters["waiting"] == 0))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        done.set()
        thread.join()


def _server_settings(model: Path) -> VllmTeacherConfig:
    return VllmTeacherConfig(
        model=str(model),
        dtype="float32",
        max_model_len=4096,
        gpu_memory_utilization=0.05,
        extra_args=(*CPU_ARGS, "--max-num-seqs", str(CONCURRENCY)),
        executable=str(PYTHON),
    )
