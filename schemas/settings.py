"""What every section of a recipe and every run's settings are: frozen, with no unknown fields."""

import ast
import functools
import inspect
import itertools
import sys
import threading
import time
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

_ONE_AT_A_TIME = threading.Lock()
"""Threads that parse at once count each other's depth, and Python gives up (python/cpython#106905)."""
_TRIES = 20
"""Libraries parse as well, and know nothing of our lock."""


class Settings(BaseModel):
    """A section of settings. The text below a field is its caption, wherever settings are explained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """As pydantic has it, with each field's caption as its description."""
        schema = handler(core_schema)
        properties: dict[str, Any] = handler.resolve_ref_schema(schema)["properties"]
        for name, caption in captions(cls).items():
            properties[name]["description"] = caption
        return schema


@functools.cache
def captions(section: type[BaseModel]) -> Mapping[str, str]:
    """Field -> the text below it in the source, on one line; of a section without one, what its class says.

    Read when somebody asks: pydantic's `use_attribute_docstrings` reads all sources at import, half a second.
    """
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= _below_fields(base)
    for name, field in section.model_fields.items():
        sections = sections_in(field.annotation)
        if name not in found and len(sections) == 1:
            found[name] = " ".join((inspect.getdoc(sections[0]) or "").partition("\n\n")[0].split())
    return {name: found[name] for name in section.model_fields if name in found}


def sections_in(annotation: object) -> tuple[type[Settings], ...]:
    """The sections that a field may hold, such as those of `A | B | None` and `tuple[A, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return (annotation,)
    return tuple(each for part in typing.get_args(annotation) for each in sections_in(part))


def is_kind(field: FieldInfo) -> bool:
    """Whether it only tells one kind of section from another."""
    return typing.get_origin(field.annotation) is Literal and len(typing.get_args(field.annotation)) == 1


def _below_fields(section: type[BaseModel]) -> Mapping[str, str]:
    return _in_module(section.__module__).get(section.__qualname__, {})


@functools.cache
def _in_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> field -> the text below it; nothing where the module has no source here."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):
        return {}
    return dict(_classes(_parsed(source).body, ""))


def _classes(statements: Sequence[ast.stmt], prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The qualified names of classes, also of those in classes and functions, with what is said there."""
    for each in statements:
        if isinstance(each, ast.ClassDef):
            yield f"{prefix}{each.name}", _texts(each.body)
            yield from _classes(each.body, f"{prefix}{each.name}.")
        elif isinstance(each, ast.FunctionDef):
            yield from _classes(each.body, f"{prefix}{each.name}.<locals>.")


def _texts(statements: Sequence[ast.stmt]) -> dict[str, str]:
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in itertools.pairwise(statements)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


def _parsed(source: str, tries: int = _TRIES) -> ast.Module:
    try:
        with _ONE_AT_A_TIME:
            return ast.parse(source)
    except SystemError:
        if tries == 1:
            raise
        time.sleep(0.01)
        return _parsed(source, tries - 1)
