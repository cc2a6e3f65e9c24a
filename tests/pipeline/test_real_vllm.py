"""A real vLLM on the CPU, serving a tiny random model: what the stub only claims to be."""

import contextlib
import hashlib
import io
import json
import os
import threading
from functools import partial
from pathlib import Path

import psutil
import pytest
from PIL import Image

from reelproof.pipeline.teachers.kinds import (
    ServerTeacherConfig,
    VllmTeacherConfig,
    open_teacher,
    teacher_identity,
)
from reelproof.pipeline.teachers.server_check import check_server
from reelproof.schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart
from reelproof.stages.teachers.openai_teacher import OpenAITeacher
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable
from tests.cpu_vllm import CPU_ARGS, PYTHON, running
from tests.pipeline.conftest import film
from tests.pipeline.test_vllm_server import marked, wait_until
from tests.server_builds import VIDEOS, Worked, one_worker, recipe_of_films

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-vllm; `make vllm` makes it"),
]
PATIENCE_S = 600.0
"""A start takes 30 s on an idle machine, and many times as long on a busy one."""
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["A", "B", "C"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


def jpeg(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (84, 56), (shade, 40, 255 - shade)).save(content, "JPEG")
    return content.getvalue()


FRAMES = {hashlib.sha256(each).hexdigest(): each for each in (jpeg(shade) for shade in (0, 90, 180, 250))}


def request(model: str, text: str, images: int = 2, sample_index: int = 0, **sampling) -> ChatRequest:
    parts = (*(ImagePart(sha256=each) for each in list(FRAMES)[:images]), TextPart(text=text))
    return ChatRequest(
        model=model,
        messages=(Message(role="user", content=parts),),
        sampling=Sampling(**{"max_tokens": 24, "temperature": 1.0, "top_p": 1.0, **sampling}),
        sample_index=sample_index,
    )


@pytest.fixture(scope="module")
def cfg(tmp_path_factory):
    from tests.tiny_qwen import write_tiny_qwen

    folder = write_tiny_qwen(tmp_path_factory.mktemp("model") / "tiny-qwen")
    return VllmTeacherConfig(
        model=str(folder),
        dtype="float32",
        max_model_len=4096,
        limit_images=4,
        gpu_memory_utilization=0.05,
        extra_args=CPU_ARGS,
        executable=str(PYTHON),
        concurrency=16,
        patience_s=PATIENCE_S,
        start_timeout_s=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def server(cfg):
    with running(cfg, "tiny-qwen") as server:
        yield server


@pytest.fixture
def teacher(cfg, server):
    settings = cfg.model_dump(include={"concurrency", "timeout_s", "attempts", "patience_s"})
    revision = teacher_identity(cfg).rpartition("@")[2]
    asked = ServerTeacherConfig(model="tiny-qwen", revision=revision, urls=(server.url,), **settings)
    with OpenAITeacher(asked) as teacher:
        yield teacher


def ask(teacher, requests):
    said = {each.request_id: each for each in teacher.complete(requests, FRAMES)}
    assert len(said) == len(requests)
    return [said[each.request_id] for each in requests]


def test_frames_reach_the_model(teacher):
    without, one, three = ask(teacher, [request(teacher.model, "what?", images) for images in (0, 1, 3)])
    assert without.error is one.error is three.error is None
    assert without.prompt_tokens < one.prompt_tokens < three.prompt_tokens
    assert one.model == teacher.model


def test_frames_by_path_are_those_in_requests_and_a_video_has_fewer_tokens(cfg, tmp_path):
    """Of two frames each, the model makes the same tokens as of one: a video halves them."""
    shown = {"plain": {}, "path": {"frames_folder": str(tmp_path)}, "video": {"frames_as_video": True}}
    frames = [ImagePart(sha256=each) for each in FRAMES]
    parts = [
        part for second, frame in enumerate(frames) for part in (TextPart(text=f"[{second}.0 s]"), frame)
    ]
    told = {}
    with running(cfg.model_copy(update=shown["path"] | shown["video"]), "tiny-qwen") as server:
        for name, how in shown.items():
            settings = ServerTeacherConfig(model="tiny-qwen", urls=(server.url,), patience_s=120, **how)
            with open_teacher(settings) as teacher:
                asked = request(teacher.model, "what?", images=0, temperature=0)
                turn = Message(role="user", content=(*parts, TextPart(text="what?")))
                (told[name],) = ask(teacher, [asked.model_copy(update={"messages": (turn,)})])
    assert [each.error for each in told.values()] == [None] * 3
    assert told["path"].prompt_tokens == told["plain"].prompt_tokens > told["video"].prompt_tokens
    assert told["path"].text == told["plain"].text
    assert not any(tmp_path.rglob("*.jpg"))


def test_rollouts_in_one_request_are_those_that_single_requests_give(teacher):
    rollouts = [request(teacher.model, "what?", sample_index=index, logprobs=True) for index in range(4)]
    together = ask(teacher, rollouts)
    alone = [ask(teacher, [each])[0] for each in rollouts]
    assert [each.text for each in together] == [each.text for each in alone]
    assert len({each.text for each in together}) == 4
    assert sum(each.completion_tokens for each in together) == sum(each.completion_tokens for each in alone)
    assert all(-20 < each.mean_logprob < 0 for each in together)


def test_seeds_decide_and_greedy_needs_none(teacher):
    same, again, other = ask(
        teacher, [request(teacher.model, "what?", seed=seed) for seed in (5, 5 + 2**20, 6)]
    )[0:3]
    repeated = ask(teacher, [request(teacher.model, "what?", seed=5)])[0]
    assert same.text == repeated.text
    assert len({same.text, again.text, other.text}) == 3
    greedy = ask(teacher, [request(teacher.model, "what?", temperature=0, seed=seed) for seed in (1, 2)])
    assert greedy[0].text == greedy[1].text


def test_answers_follow_a_schema(teacher):
    asked = [
        request(teacher.model, "which?", sample_index=index, json_schema=json.dumps(SCHEMA), max_tokens=60)
        for index in range(4)
    ]
    said = [each for each in ask(teacher, asked) if each.finish_reason == "stop"]
    assert said
    assert {json.loads(each.text)["answer"] for each in said} <= {"A", "B", "C"}


def test_a_prompt_beyond_the_context_is_a_recorded_failure(teacher):
    long, short = ask(
        teacher, [request(teacher.model, "far too long " * 400), request(teacher.model, "what?")]
    )
    assert (long.finish_reason, short.error) == ("error", None)
    assert long.error.startswith("HTTP 400")


@pytest.mark.parametrize(
    ("settings", "needs", "told"),
    [
        ({"model": "another"}, {}, "does not serve 'another'; it serves 'tiny-qwen'"),
        ({}, {"images": 9}, "does not take a request of 9 images.*fewer or smaller frames"),
        ({}, {"max_tokens": 4090}, "has a context of 4096 tokens"),
    ],
)
def test_what_the_server_cannot_do_is_told_before_a_build(server, settings, needs, told):
    asked = ServerTeacherConfig(**{"model": "tiny-qwen", "urls": (server.url,), **settings})
    usual = {
        "images": 2,
        "image_width_px": 84,
        "image_height_px": 56,
        "prompt_characters": 100,
        "max_tokens": 64,
    }
    check_server(ServerTeacherConfig(model="tiny-qwen", urls=(server.url,)), TeacherNeeds(**usual))
    with pytest.raises(TeacherUnavailable, match=told):
        check_server(asked, TeacherNeeds(**usual | needs))


def test_a_server_killed_three_times_during_a_build_changes_nothing(cfg, server, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    for number in range(VIDEOS):
        film(films, number)
    settings = {
        "kind": "server",
        "model": "tiny-qwen",
        "revision": teacher_identity(cfg).rpartition("@")[2],
        "urls": [server.url],
        "concurrency": 8,
        "patience_s": PATIENCE_S,
    }
    sections = {
        "rollouts": {"rollouts": 1, "temperature": 0, "max_tokens": 48},
        "questions": {"computed": {"kinds": []}, "given": {"min_frames": 2, "max_frames": 2}},
        "clips": {"min_keyframes": 2, "max_keyframes": 2, "max_timeline": 2},
    }
    before = server.restarts
    with one_worker() as scheduler:
        recipe = recipe_of_films(tmp_path, films, scheduler, settings, questions_a_film=40, **sections)
        undisturbed = Worked(recipe, tmp_path / "undisturbed")
        kills = threading.Thread(target=lambda: _kill_at(tmp_path / "disturbed", (20, 50, 80)))
        kills.start()
        disturbed = Worked(recipe, tmp_path / "disturbed")
        kills.join(timeout=10)
    assert server.restarts - before == 3
    said = {each.request_id: each.text for each in disturbed.logged}
    assert len(said) == len(disturbed.logged) == disturbed.use.calls == 40 * VIDEOS
    assert said == {each.request_id: each.text for each in undisturbed.logged}
    assert all(each.error is None for each in disturbed.logged)
    assert disturbed.use.retries >= 3
    assert disturbed.kept_ids == undisturbed.kept_ids


def test_two_servers_share_the_work(cfg, server):
    with open_teacher(cfg) as other:
        other_url = other._cfg.urls[0]
        assert other_url != server.url
        both = other._cfg.model_copy(update={"urls": (server.url, other_url), "concurrency": 4})
        with OpenAITeacher(both) as teacher:
            greedy = [request(teacher.model, f"greedy {index}", temperature=0) for index in range(40)]
            shared = ask(teacher, greedy)
            alone = ask(other, greedy)
    assert [each.text for each in shared] == [each.text for each in alone]


def _kill_at(out: Path, counts: tuple[int, ...]) -> None:
    """Kill what serves as soon as a build's logs hold so many completions."""
    for count in counts:
        wait_until(partial(_has_logged, out, count), timeout_s=PATIENCE_S)
        _kill_engine()


def _has_logged(out: Path, count: int) -> bool:
    logs = (out / "completions").glob("*/*.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in logs) >= count


def _kill_engine() -> None:
    """Signal 9 to everything that serves, as the kernel does when memory runs out."""
    for process in marked(os.getpid()):
        with contextlib.suppress(psutil.Error):  # one dies of the other's death
            if "keeper.py" not in " ".join(process.cmdline()):
                process.kill()
