"""Settings of teachers: what is refused, and what the refusal says."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from reelproof.pipeline.teachers.kinds import TeacherConfig, gpus_a_server, open_teacher, teacher_identity
from reelproof.stages.teachers.protocol import TeacherUnavailable

parsed = TypeAdapter(TeacherConfig).validate_python
SERVER = {"kind": "server", "model": "m", "urls": ["http://127.0.0.1:8000/v1"]}


@pytest.mark.parametrize(
    ("settings", "field", "told"),
    [
        ({"kind": "oracle"}, (), "'signals', 'server', 'vllm', 'transformers'"),
        ({"model": "m"}, (), "Unable to extract tag"),
        (SERVER | {"urls": []}, ("server", "urls"), "at least 1"),
        (SERVER | {"urls": ["127.0.0.1:8000"]}, ("server", "urls"), "expected http://HOST:PORT/v1"),
        (SERVER | {"urls": ["http://user:hush@host/v1"]}, ("server", "urls"), "without user or query"),
        (SERVER | {"concurrency": 0}, ("server", "concurrency"), "greater than or equal to 1"),
        (SERVER | {"tensor_parallel": 2}, ("server", "tensor_parallel"), "not permitted"),
        (
            {"kind": "vllm", "model": "m", "gpu_memory_utilization": 1.5},
            ("vllm", "gpu_memory_utilization"),
            "less than",
        ),
        ({"kind": "vllm", "model": "m", "dtype": "int3"}, ("vllm", "dtype"), "'auto', 'float32'"),
        ({"kind": "transformers", "model": "m", "device": "tpu"}, ("transformers", "device"), "match"),
    ],
)
def test_a_wrong_setting_is_told_by_its_field_and_what_it_may_be(settings, field, told):
    with pytest.raises(ValidationError) as error:
        parsed(settings)
    (first,) = error.value.errors()
    assert first["loc"] == field
    assert told in f"{first['msg']} {first.get('ctx', '')}"


def test_a_key_given_for_the_name_of_its_variable_is_refused_and_not_quoted():
    with pytest.raises(ValidationError) as error:
        parsed(SERVER | {"key_variable": "sk-0123456789"})
    assert "sk-0123456789" not in f"{error.value} {error.value.errors()}"
    assert error.value.errors()[0]["loc"] == ("server", "key_variable")


@pytest.mark.parametrize("form", [lambda url: [url], lambda url: url, lambda url: {"first": url}])
@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@host/v1",
        "HTTPS://user:hu@hush@host:8000/v1",
        "https://user:a/hush@host/v1",
        "user:hush@host/v1",
        "https://host/v1?key=hush",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_quoted(url, form):
    with pytest.raises(ValidationError) as error:
        parsed(SERVER | {"urls": form(url)})
    assert "hush" not in f"{error.value} {error.value.errors()}"


def test_an_address_with_a_port_and_a_path_is_kept_as_it_is():
    urls = ("http://127.0.0.1:8000/v1", "https://host/models/m@001/v1", "https://host:8443/m@001/v1")
    assert parsed(SERVER | {"urls": list(urls)}).urls == urls


def test_identities_name_model_and_revision_whatever_asking_is_set_to():
    one = parsed(SERVER | {"revision": "7"})
    other = parsed(SERVER | {"revision": "7", "concurrency": 3, "urls": ["http://elsewhere/v1"]})
    assert teacher_identity(one) == teacher_identity(other) == "m@7"
    assert teacher_identity(parsed({"kind": "vllm", "model": "org/m"})) == "org/m@main"
    with open_teacher(parsed({"kind": "signals"})) as teacher:
        assert teacher.model == teacher_identity(parsed({"kind": "signals"}))


def test_only_a_server_that_we_start_needs_workers_with_gpus():
    kinds = {"signals": {}, "server": SERVER, "vllm": {"model": "m"}, "transformers": {"model": "m"}}
    teachers = {kind: parsed({**settings, "kind": kind}) for kind, settings in kinds.items()}
    needs = {kind: gpus_a_server([each]) for kind, each in teachers.items()}
    assert needs == {"signals": 0, "server": 0, "vllm": 1, "transformers": 0}
    larger = parsed({"kind": "vllm", "model": "m", "tensor_parallel": 4})
    assert gpus_a_server([*teachers.values(), larger]) == 4


@pytest.mark.parametrize("model", ["/no/such/folder", "./nor/this", "~/nor-that"])
def test_a_model_folder_that_is_not_there_is_told(model):
    with pytest.raises(TeacherUnavailable, match="no such folder"):
        teacher_identity(parsed({"kind": "transformers", "model": model}))


def test_reading_settings_imports_no_heavy_library():
    heavy = "torch transformers openai aiohttp distributed cv2 PIL"
    loaded = f"print(*[each for each in '{heavy}'.split() if each in sys.modules])"
    script = f"import sys, reelproof.pipeline.teachers.kinds; {loaded}"
    root = Path(__file__).parents[2]
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == ""
