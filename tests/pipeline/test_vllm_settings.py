"""What a vLLM server of our own is told, and what no setting may tell it."""

import pytest
from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig, vllm_environment


def test_a_key_in_the_environment_is_kept_from_our_own_server(monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "hush")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    environment = vllm_environment(("0",), "mark")
    assert "hush" not in environment.values()
    assert environment["VLLM_LOGGING_LEVEL"] == "DEBUG"


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
