"""The reference of settings says what every one is, as whole sentences, and what it says can be set."""

import json
import re

import pytest
from click.testing import CliRunner

from reelproof.pipeline.benchmark.settings import BenchmarkConfig
from reelproof.pipeline.commands.train import train
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import Recipe, load_recipe
from reelproof.pipeline.report.static import ReportConfig
from reelproof.pipeline.settings_reference import example_recipe, explain_settings, settings_of
from reelproof.pipeline.settings_text import parse_settings
from reelproof.schemas.settings import Settings, captions
from reelproof.training.settings.asking import EvaluateConfig
from reelproof.training.settings.rl import RlConfig
from reelproof.training.settings.runs import DpoConfig, SftConfig
from reelproof.training.settings.tts import TtsConfig
from tests.pipeline.conftest import reelproof_here

MODELS = (Recipe, ReportConfig, SftConfig, DpoConfig, RlConfig, TtsConfig, EvaluateConfig, BenchmarkConfig)
VIDEOS = {"sources": {"videos": "."}}


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_has_a_caption_of_whole_sentences(model):
    told = [(each.path, each.caption) for each in settings_of(model)]
    assert len(told) > 1
    whole = re.compile(r"(?!Of |And )[A-Z0-9`].*\.", re.DOTALL)
    assert [each for each in told if not whole.fullmatch(each[1]) or "…" in each[1]] == []


def test_reference_holds_what_a_recipe_writes_down():
    """Every place in a recipe with all its sections, and no other."""
    given = {"kind": "server", "model": "m", "urls": ["http://127.0.0.1:1/v1"], "price": {}}
    asked = {
        "questions": {"asked": {"writer": {"kind": "signals"}}, "edited": {}, "embedding": {}},
        "sufficiency": {"judge": given},
        "text": {},
        "embedding": {},
        "transitions": {},
        "calibration": {},
        "speech": {},
    }
    sets = {"contamination": {"sets": [{"name": "a", "file": "b"}]}}
    recipe = Recipe.model_validate(VIDEOS | asked | sets)
    listed = {each.path.replace("[]", "") for each in settings_of(Recipe)}
    models = {name for name in listed if re.search(r"(teacher|writer|answerer|verifier|judge)$", name)}
    places = set(_places(recipe.model_dump(), ""))
    assert {each for each in places if not each.startswith(tuple(f"{name}." for name in models))} == {
        each for each in listed if not each.startswith("(") and not re.match(r"policy\.extra_rules\.", each)
    }


def _places(value, at):
    for name, below in value.items():
        yield at + name
        first = below[0] if isinstance(below, tuple) and below else below
        if isinstance(first, dict) and not name.startswith("max_"):  # quotas by task are one setting
            yield from _places(first, f"{at}{name}.")


@pytest.mark.parametrize(("model", "given"), [(Recipe, VIDEOS), (SftConfig, {}), (RlConfig, {})])
def test_default_that_the_reference_tells_can_be_set_and_changes_nothing(model, given):
    usual = parse_settings(model, given, [], where="here")
    shown = [
        each for each in settings_of(model) if each.default and not re.search(r"[(\[]|^sources", each.path)
    ]
    inside_null = tuple(f"{each.path}." for each in shown if each.default == "null")
    set_again = [f"{each.path}={each.default}" for each in shown if not each.path.startswith(inside_null)]
    assert len(set_again) > 15
    assert parse_settings(model, given, set_again, where="here") == usual


def test_section_alone_and_a_name_that_is_none():
    told = explain_settings(Recipe, ["splits", "teachers.share"])
    assert [line.partition(":")[0] for line in told.splitlines() if not line.startswith(" ")] == [
        "teachers[].share", "splits", "splits.test_share", "splits.seed",
    ]  # fmt: skip
    assert "splits.test_share: number, at least 0, at most 1; default 0.05\n    Share of groups" in told
    with pytest.raises(UsageError, match=r"there is no setting nope; the sections are: .* clips, cluster"):
        explain_settings(Recipe, ["nope"])


def test_command_tells_the_reference_and_the_schema():
    assert reelproof_here("recipe", "shards").out.startswith("shards: section\n    How large shards become.")
    assert "policy.max_blind_pass_rate: number" in reelproof_here("recipe", "--explain").out
    schema = json.loads(reelproof_here("recipe", "--json-schema").out)
    clips = schema["$defs"]["ClipConfig"]["properties"]
    assert clips["target_s"]["description"].startswith("A long film is divided into segments")
    assert (clips["target_s"]["exclusiveMinimum"], clips["target_s"]["maximum"]) == (0, 3600)
    assert all("description" in each for each in schema["$defs"]["PolicyConfig"]["properties"].values())


def test_help_of_training_tells_its_settings():
    told = CliRunner().invoke(train, ["sft", "--help"]).output
    assert "optimizer.max_grad_norm: number, above 0; default 1.0\n      Longer gradients" in told


class Wide(Settings):
    """Things."""

    size: int = 3
    """How large it is:
    in metres."""
    other: str = ""


class Wider(Wide):
    other: str = "x"
    """Another thing."""


def test_captions_are_one_line_and_inherited():
    assert captions(Wide) == {"size": "How large it is: in metres."}
    assert captions(Wider) == {"size": "How large it is: in metres.", "other": "Another thing."}


def test_examples_are_recipes_that_can_be_read_outside_a_checkout(tmp_path):
    for name in ("demo", "raw_footage.yaml"):
        (tmp_path / "mine.yaml").write_text(example_recipe(name))
        assert load_recipe(tmp_path / "mine.yaml").name
    with pytest.raises(
        UsageError,
        match="no example x; it may be one of: cluster, demo, raw_footage, self_supervised, video_r1",
    ):
        example_recipe("x")
