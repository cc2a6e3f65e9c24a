"""What a vLLM server of our own is told, and what no setting may tell it."""

import json

import pytest
from pydantic import ValidationError

from reelproof.pipeline.disk.malloc import MALLOC
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.teachers.kinds import teacher_identity, teacher_plugins
from reelproof.pipeline.teachers.vllm_settings import (
    VllmTeacherConfig,
    server_key,
    sharing_gpus,
    vllm_command,
    vllm_environment,
)
from reelproof.stages.teachers.protocol import TeacherUnavailable


def test_a_key_in_the_environment_is_kept_from_our_own_server(monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "hush")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    environment = vllm_environment(("0",), "mark")
    assert "hush" not in environment.values()
    assert environment["VLLM_LOGGING_LEVEL"] == "DEBUG"


def test_our_own_server_takes_memory_as_it_is_used_to(monkeypatch):
    """What a worker was given is not for what it starts; what its user said is."""
    for name, value in MALLOC.items():
        monkeypatch.setenv(name, value)
    assert not MALLOC.keys() & vllm_environment(("0",), "mark").keys()
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert vllm_environment(("0",), "mark")["MALLOC_ARENA_MAX"] == "4"


@pytest.mark.parametrize(
    "words",
    [
        ["--api-key", "hush"],
        ["--enforce-eager", "--api-key=hush"],
        ["--api_key", "hush"],
        ["--api-k=hush"],
        ["--api-key hush"],
        "--api-key hush",
    ],
)
def test_a_key_among_the_arguments_is_refused_and_not_quoted(words):
    with pytest.raises(ValidationError, match="leave --api-key out") as error:
        VllmTeacherConfig.model_validate({"model": "m", "extra_args": words})
    assert "hush" not in f"{error.value} {error.value.errors()}"


def test_a_key_in_a_recipe_is_refused_and_not_quoted():
    verifier = "claims.verifier={kind: vllm, model: m, extra_args: [--api-key, hush]}"
    with pytest.raises(UsageError, match=r"claims.verifier.vllm.extra_args.*leave --api-key out") as error:
        recipe_for_sources("/films", [verifier])
    assert "hush" not in str(error.value)


def test_other_arguments_are_passed_on_as_they_are():
    words = ("--api-server-count", "2", "--enforce-eager")
    assert VllmTeacherConfig(model="m", extra_args=words).extra_args == words


def test_a_server_of_ours_reads_the_folder_of_frames_and_takes_a_video_where_that_is_how_they_go(tmp_path):
    plain = VllmTeacherConfig(model="m")
    shown = plain.model_copy(update={"frames_folder": str(tmp_path), "frames_as_video": True})
    words = vllm_command(shown, "m", 1)
    assert words[words.index("--allowed-local-media-path") + 1] == str(tmp_path)
    assert [
        json.loads(vllm_command(each, "m", 1)[words.index("--limit-mm-per-prompt") + 1])["video"]
        for each in (plain, shown)
    ] == [0, 1]
    assert server_key(plain) != server_key(shown)
    assert teacher_identity(shown) == teacher_identity(plain) + "+frames=video"


def shared(*wanted):
    cfgs = [VllmTeacherConfig(model=f"m{i}", gpu_memory_utilization=each) for i, each in enumerate(wanted)]
    return [each.gpu_memory_utilization for each in sharing_gpus(cfgs)]


def test_servers_that_share_a_gpu_divide_its_memory():
    assert shared(None) == [0.9]
    assert shared(None, None) == [0.45, 0.45]
    assert shared(0.6, None, None) == [0.6, 0.15, 0.15]
    assert shared(0.5, 0.5) == [0.5, 0.5]
    assert shared() == []


@pytest.mark.parametrize("wanted", [(0.9, 0.9), (0.9, None), (0.88, None), (1.0, 0.01)])
def test_servers_that_want_more_memory_than_there_is_are_refused_before_a_build(wanted):
    with pytest.raises(TeacherUnavailable, match=r"m0 .*m1 .*lower gpu_memory_utilization"):
        shared(*wanted)


def test_a_shared_server_is_known_by_what_the_recipe_says_of_it():
    cfgs = [
        VllmTeacherConfig(model="a"),
        VllmTeacherConfig(model="b"),
        VllmTeacherConfig(model="a", attempts=2),
    ]
    plugins = teacher_plugins(cfgs)
    assert [plugin.name for plugin in plugins] == [f"vllm-{server_key(cfg)}" for cfg in cfgs[:2]]
    assert [plugin._cfg.gpu_memory_utilization for plugin in plugins] == [0.45, 0.45]
