"""A real vLLM on the CPU, serving a tiny random model: what the stub only claims to be."""

import hashlib
import io
import json
import os
from pathlib import Path

import psutil
import pytest
from PIL import Image

from pipeline.orphans import MARK
from pipeline.server_check import check_server
from pipeline.teachers import ServerTeacherConfig, VllmTeacherConfig, open_teacher, teacher_identity
from pipeline.vllm_server import VllmServer
from schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart
from stages.openai_teacher import OpenAITeacher
from stages.teacher import TeacherNeeds, TeacherUnavailable

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-vllm; `make vllm` makes it"),
]
CPU_ARGS = ("--enforce-eager", "--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096")
"""On a CPU, vLLM 0.32 dies of a seeded request whose prompt it reads in pieces."""
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
        max_model_len=2048,
        limit_images=4,
        gpu_memory_utilization=0.05,
        extra_args=CPU_ARGS,
        executable=str(PYTHON),
        concurrency=16,
        patience_s=240,
        start_timeout_s=240,
    )


@pytest.fixture(scope="module")
def server(cfg):
    os.environ.update(
        {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    )
    server = VllmServer(cfg, "tiny-qwen")
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


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
        ({}, {"max_tokens": 2040}, "has a context of 2048 tokens"),
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


def test_a_server_killed_in_mid_run_loses_and_repeats_nothing(teacher, server):
    requests = [
        request(teacher.model, f"greedy {index}", temperature=0, max_tokens=48) for index in range(60)
    ]
    undisturbed = [each.text for each in ask(teacher, requests)]
    disturbed = {}
    for completion in teacher.complete(requests, FRAMES):
        assert completion.request_id not in disturbed
        disturbed[completion.request_id] = completion
        if len(disturbed) == 20:
            _kill_engine()
    assert [disturbed[each.request_id].text for each in requests] == undisturbed
    assert server.restarts == 1


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


def _kill_engine() -> None:
    """Signal 9 to everything that serves, as the kernel does when memory runs out."""
    for process in psutil.Process().children(recursive=True):
        command = " ".join(process.cmdline())
        if MARK in process.environ() and "keeper.py" not in command:
            process.kill()
