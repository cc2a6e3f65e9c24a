"""What is told of wrong settings: one line a mistake, and never a secret."""

import pytest

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.settings_text import parse_settings

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


def test_a_section_that_is_wrong_as_a_whole_is_told():
    assert told({"teachers": []}) == [
        "  teachers: got a list; Tuple should have at least 1 item after validation, not 0"
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
