"""What is told of wrong settings: one line a mistake, and never a secret."""

from pathlib import Path

import pytest
from pydantic import Field

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import Recipe, recipe_for_sources, recipe_of_build
from reelproof.pipeline.settings_text import parse_settings, parse_yaml, read_yaml
from reelproof.schemas.answers.reading import AnswerForm
from reelproof.schemas.settings import Settings
from reelproof.training.settings.asking import EvaluateConfig
from reelproof.training.settings.rl import RlConfig
from reelproof.training.settings.runs import SftConfig
from reelproof.training.settings.tts import TtsConfig

SECRET = "sk-0123456789"
SERVER = {"kind": "server", "model": "m", "urls": ["http://127.0.0.1:8000/v1"]}


def told(settings: dict, *overrides: str) -> list[str]:
    """The lines after the first, which says what cannot be used."""
    with pytest.raises(UsageError) as error:
        parse_settings(Recipe, {"sources": {"videos": "."}} | settings, overrides, where="r.yaml")
    return str(error.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("teacher", "field"),
    [
        (SERVER | {"key_variable": SECRET}, "server.key_variable: got '(not shown)'"),
        (SERVER | {"key_variable": [SECRET]}, "server.key_variable: got '(not shown)'"),
        (SERVER | {"api_key": SECRET}, "server.api_key: there is no such field"),
        ({"kind": "servr", "key_variable": SECRET}, "got a mapping; Input tag 'servr'"),
        (SERVER | {"urls": f"https://user:{SECRET}@h/v1"}, "server.urls: got 'https://…@h/v1'"),
        (SERVER | {"urls": {"a": f"https://user:{SECRET}@h/v1"}}, "server.urls: got a mapping"),
        (SERVER | {"urls": [f"https://user:{SECRET}@h/v1"]}, "server.urls: got a list; https://…@h/v1 is no"),
        (SECRET, "got a str; Input should be"),
    ],
)
def test_a_wrong_teacher_is_one_line_without_its_secrets(teacher, field):
    (line,) = told({"teachers": [{"teacher": teacher}]})
    assert field in line
    assert SECRET not in line


def test_of_several_mistakes_each_is_a_line_and_their_section_is_none():
    lines = told({"teachers": [{"teacher": SERVER | {"concurrency": 0, "api_key": SECRET}}], "name": ""})
    assert [line.partition(":")[0].strip() for line in lines] == [
        "name",
        "teachers.0.teacher.server.concurrency",
        "teachers.0.teacher.server.api_key",
    ]


def test_what_an_override_set_is_told_with_its_key_and_what_the_file_holds_without():
    given = {"teachers": [{"teacher": SERVER}], "policy": {"max_blind_pass_rate": 7}}
    lines = told(given, f"teachers.0.teacher.key_variable=[{SECRET}]", "claims.votes=-1")
    assert [line.rpartition(" (of --set ")[2] for line in lines if "(of --set " in line] == [
        "teachers.0.teacher.key_variable)",
        "claims.votes)",
    ]
    assert len(lines) == 3
    assert SECRET not in "".join(lines)


def test_a_section_that_is_wrong_as_a_whole_is_told():
    assert told({"teachers": []}) == [
        "  teachers: got a list; Tuple should have at least 1 item after validation, not 0 "
        "(These models share the rollouts; by default the embedded one makes them all.)"
    ]


def test_an_address_with_a_password_is_not_quoted_in_any_field():
    (line,) = told({"name": f"s3://user:{SECRET}@bucket"})
    assert "s3" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"teachers.5.teacher.key_variable={SECRET}", "5 is no place in a list of 1"),
        ("teachers.0.teacher.key_variable.x=1", "key_variable is a str, which has no fields"),
    ],
)
def test_an_override_that_leads_nowhere_is_told_without_its_value(override, message):
    teachers = [{"teacher": SERVER | {"key_variable": SECRET}}]
    with pytest.raises(UsageError, match=message) as error:
        parse_settings(Recipe, {"teachers": teachers}, [override], where="r.yaml")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("spelled", ["override", "yaml"])
@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (RlConfig, "shards.seed", 1),
        (RlConfig, "optimizer.warmup_steps", 5),
        (EvaluateConfig, "sampling.max_tokens", 7),
        (EvaluateConfig, "shards.window_groups", 2),
        (TtsConfig, "rewards.min_words", 3),
        (SftConfig, "optimizer.warmup_steps", 5),
    ],
)
def test_naming_one_field_leaves_its_siblings_as_the_command_has_them(spelled, model, field, value):
    section, name = field.split(".")
    if spelled == "yaml":
        read = parse_settings(model, {section: {name: value}}, [], where="c.yaml")
    else:
        read = parse_settings(model, {}, [f"{field}={value}"], where="c.yaml")
    before = getattr(model(), section)
    assert getattr(read, section) == before.model_copy(update={name: value})
    assert read == model().model_copy(update={section: getattr(read, section)})


def test_a_file_and_an_override_of_one_section_add_up():
    read = parse_settings(RlConfig, {"optimizer": {"weight_decay": 0.1}}, ["optimizer.warmup_steps=5"], "c")
    assert (read.optimizer.weight_decay, read.optimizer.warmup_steps) == (0.1, 5)
    assert (read.optimizer.learning_rate, read.optimizer.schedule) == (1e-6, "constant")


class Inner(Settings):
    depth: int = 1
    width: int = 1


class Middle(Settings):
    inner: Inner = Inner(width=2)
    height: int = 1


class Outer(Settings):
    middle: Middle = Middle(inner=Inner(depth=3), height=4)
    made: Middle = Field(default_factory=lambda: Middle(height=5))


def test_the_outermost_default_speaks_for_all_that_lies_in_it():
    read = parse_settings(Outer, {}, ["middle.inner.width=9", "made.inner.depth=8"], where="o")
    assert read.middle == Middle(inner=Inner(depth=3, width=9), height=4)
    assert read.made == Middle(inner=Inner(depth=8, width=2), height=5)


def test_a_section_of_another_kind_takes_nothing_from_the_default():
    videos = {"sources": {"videos": "."}}
    given = videos | {"claims": {"verifier": SERVER}}
    read = parse_settings(Recipe, given, ["claims.verifier.concurrency=3"], where="r")
    assert (read.claims.verifier.kind, read.claims.verifier.concurrency) == ("server", 3)


def test_a_list_that_is_there_by_default_can_be_reached_into():
    read = parse_settings(Recipe, {"sources": {"videos": "."}}, ["teachers.0.share=2"], where="r")
    assert [(each.share, each.teacher.kind) for each in read.teachers] == [(2.0, "signals")]


@pytest.mark.parametrize("name", ["demo", "cluster", "raw_footage", "self_supervised", "video_r1"])
def test_recipes_mean_what_they_mean_to_pydantic_alone(name):
    settings = read_yaml(Path(__file__).parents[2] / "pipeline/recipes" / f"{name}.yaml")
    assert parse_settings(Recipe, settings, [], where=name) == Recipe.model_validate(settings)


def test_recipes_of_earlier_builds_are_read_where_what_went_was_as_it_is_now():
    written = (
        "sources: {videos: .}\n"
        "policy: {preset: permissive, strict_answers: false, require_well_formed: true}\n"
        "duplicates: {trace_run_words: 3}\n"
        "checks: {luck: {strict: true}}\n"
    )
    read = recipe_of_build(written.encode(), (), "recipe.yaml")
    assert read.policy.answer_forms == tuple(AnswerForm)
    other = written.replace("require_well_formed: true", "require_well_formed: false")
    with pytest.raises(UsageError, match=r"policy\.require_well_formed"):
        recipe_of_build(other.encode(), (), "recipe.yaml")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("policy.min_judged_shar", r"no such field \(did you mean min_judged_share\?\) \(of --set"),
        ("policy.xyz", "no such field; it may be one of: preset, name, "),
        ("sources.lisense", r"did you mean license\?\); it may be one of: videos, "),
    ],
)
def test_of_many_fields_the_one_that_was_meant_is_named_alone(name, told):
    with pytest.raises(UsageError, match=told):
        recipe_for_sources("videos", [f"{name}=1"])


@pytest.mark.parametrize(("value", "share"), [("true", 1.0), ("false", 0.0)])
def test_recipes_of_earlier_builds_are_read_where_a_setting_is_another_now(value, share):
    written = f"sources: {{videos: .}}\npolicy: {{preset: balanced, require_every_claim: {value}}}\n"
    assert recipe_of_build(written.encode(), (), "recipe.yaml").policy.min_judged_share == share
    named = recipe_of_build(written.encode(), ("policy.min_judged_share=0.7",), "recipe.yaml")
    assert named.policy.min_judged_share == 0.7


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\npolicy: {preset: strict}\npolicy: {max_repetition: 0.2}\n", "`policy` stands there twice"),
        ("name: a\nclips:\n  scales: []\n  scales: []\n", "`scales` stands there twice"),
        ("name: [a\n", "in line 2, column 1"),
    ],
)
def test_yaml_of_which_a_part_would_be_lost_is_refused_with_its_line(text, told):
    with pytest.raises(UsageError, match=f"^mine.yaml is not YAML: (?s:.*){told}"):
        parse_yaml(text.encode(), "mine.yaml")


def test_yaml_may_name_what_it_takes_from_an_anchor_anew():
    text = b"a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, x: 4}\n"
    assert parse_yaml(text, "mine.yaml")["c"] == {"x": 4, "y": 2}


def test_a_list_is_called_one():
    with pytest.raises(UsageError, match="teachers: got 'signals'; Input should be a valid list"):
        parse_settings(Recipe, {"sources": {"videos": "films"}, "teachers": "signals"}, (), "mine.yaml")
