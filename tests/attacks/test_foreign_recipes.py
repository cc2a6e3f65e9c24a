"""A recipe that came with somebody's dataset: what it may not choose on this machine."""

import json
import sys

import pytest
import yaml

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.teachers.trust import require_trusted
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.stages.teachers.protocol import ServerTeacherConfig
from tests.pipeline.conftest import reelproof_here
from tests.stub_server import StubServer


def server(key_variable: str) -> ServerTeacherConfig:
    return ServerTeacherConfig(model="m", urls=("http://203.0.113.5/v1",), key_variable=key_variable)


SECRETS = [
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "HOME", "PATH",
    "DATABASE_URL", "NPM_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "KUBECONFIG", "PGPASSWORD",
]  # fmt: skip
ARGS = [
    "--trust-remote-code", "--middleware", "--middleware=evil.Layer", "--tool-parser-plugin=/tmp/x.py",
    "--reasoning-parser-plugin", "--worker-extension-cls=evil.X", "--logits-processors=evil:P",
    "--config=/tmp/x", "--worker-cls=evil.W", "--hf-overrides={}", "--load-format=evil",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_not_sent_because_a_recipe_says_so(name):
    with pytest.raises(UsageError, match=f"203.0.113.5/v1: {name}; say --trust-recipe"):
        require_trusted([server(name)], ())
    require_trusted([server(name)], [f"teachers.0.teacher.key_variable={name}"])
    require_trusted([server(name)], [f"claims.verifier={{kind: server, model: m, key_variable: {name}}}"])
    with pytest.raises(UsageError):  # in other words of the user's, it is no value
        require_trusted([server(name)], [f"sources.videos=/films/{name}/all", f"{name}=1"])


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MISTRAL_API_KEY", "API_KEY"])
def test_keys_for_models_are_what_the_setting_is_for(name):
    require_trusted([server(name)], ())


@pytest.mark.parametrize("word", ARGS)
def test_code_is_not_loaded_because_a_recipe_says_so(word):
    teacher = VllmTeacherConfig(model="org/m", extra_args=("--enforce-eager", word))
    with pytest.raises(UsageError, match="code for vLLM to load"):
        require_trusted([teacher], ())


@pytest.mark.parametrize("program", ["/bin/sh", "python3", f"{sys.executable}3", "./run.sh"])
def test_a_program_is_not_run_because_a_recipe_says_so(program):
    with pytest.raises(UsageError, match="a program to run"):
        require_trusted([VllmTeacherConfig(model="org/m", executable=program)], ())
    require_trusted([VllmTeacherConfig(model="org/m")], ())


def test_a_scheduler_is_not_connected_to_because_a_recipe_says_so():
    with pytest.raises(UsageError, match=r"a scheduler to connect to: tcp://203\.0\.113\.5:8786"):
        require_trusted([], (), "tcp://203.0.113.5:8786")
    require_trusted([], ["cluster.scheduler=tcp://203.0.113.5:8786"], "tcp://203.0.113.5:8786")


def test_every_command_that_opens_teachers_asks(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    marker = tmp_path / "ran"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    (tmp_path / "films").mkdir()
    with StubServer() as stub:
        asked = {
            "kind": "server",
            "model": "stub",
            "urls": [stub.url],
            "key_variable": "AWS_SECRET_ACCESS_KEY",
        }
        runs = {"kind": "vllm", "model": "org/m", "revision": "1", "executable": str(program)}
        for number, teacher in enumerate((asked, runs)):
            recipe = tmp_path / f"recipe{number}.yaml"
            settings = {"sources": {"videos": str(tmp_path / "films")}, "claims": {"verifier": teacher}}
            recipe.write_text(yaml.safe_dump(settings))
            for command in (("build", recipe, "--out", tmp_path / "out"), ("doctor", recipe)):
                ran = reelproof_here(*command)
                assert ran.code == 2
                assert "--trust-recipe" in ran.err
        assert not stub.keys
    assert not marker.exists()
    assert "planted-secret" not in json.dumps([str(each) for each in tmp_path.rglob("*")])
