"""A model of settings -> its reference: every field's path, what it may be, its default and its caption."""

import json
import textwrap
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from importlib import resources
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.settings import Settings, captions, is_kind, sections_in

_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", NoneType: "null"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Setting(NamedTuple):
    """One field, or one section."""

    path: str
    """As `--set` takes it; `[]` stands for a place in a list, `(server)` for a kind of section."""
    kind: str
    """What it may be."""
    default: str
    """As YAML takes it; empty where it must be given."""
    caption: str


def settings_of(model: type[Settings]) -> Iterator[Setting]:
    """Every setting, in order. Where a section may be of several kinds, each kind stands once, at the end."""
    kinds: dict[str, type[Settings]] = {}
    yield from _fields(model, None, "", kinds)
    for name, kind in kinds.items():
        yield Setting(f"({name})", "section", "", " ".join((kind.__doc__ or "").split()))
        yield from _fields(kind, None, f"({name}).", kinds)


def explain_settings(model: type[Settings], sections: Sequence[str] = ()) -> str:
    """The reference as text: of all settings, or of those that are a named section or field, or lie in it.

    Raises UsageError for a name that is no setting's.
    """
    every = list(settings_of(model))
    for section in sections:
        if not any(_lies_in(each, section) for each in every):
            names = sorted({each.path.partition(".")[0].removesuffix("[]") for each in every})
            raise UsageError(f"there is no setting {section}; the sections are: {', '.join(names)}")
    wanted = [each for each in every if not sections or any(_lies_in(each, name) for name in sections)]
    return "\n".join(_told(each) for each in wanted)


def _lies_in(setting: Setting, section: str) -> bool:
    return f"{setting.path.replace('[]', '')}.".startswith(f"{section.replace('[]', '')}.")


def _told(setting: Setting) -> str:
    default = f"; default {setting.default}" if setting.default else ""
    lines = textwrap.wrap(setting.caption, 96, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([f"{setting.path}: {setting.kind}{default}", *lines])


def _fields(
    model: type[Settings], default: Settings | None, at: str, kinds: dict[str, type[Settings]]
) -> Iterator[Setting]:
    """Those of a section, with the defaults of `default` where it has one of its own."""
    told = captions(model)
    for name, field in model.model_fields.items():
        value = getattr(default, name) if default else field.get_default(call_default_factory=True)
        sections = sections_in(field.annotation)
        if is_kind(field):
            continue
        inside = [each for each in sections if len(sections) == 1]
        for each in sections if len(sections) > 1 else ():
            kinds.setdefault(str(each.model_fields["kind"].default), each)
        path = at + name + ("[]" if typing.get_origin(field.annotation) is tuple and sections else "")
        yield Setting(path, _kind(field), _shown(value, sections), told.get(name, ""))
        for section in inside:
            yield from _fields(section, value if isinstance(value, section) else None, f"{path}.", kinds)


def _kind(field: FieldInfo) -> str:
    bounds = [_bound(each) for each in field.metadata]
    return ", ".join([_name(field.annotation), *(each for each in bounds if each)])


def _bound(bound: object) -> str:
    if isinstance(bound, MaxLen):
        return f"at most {bound.max_length} of them"
    if isinstance(bound, MinLen):
        return f"at least {bound.min_length}"
    return next(
        (f"{word} {getattr(bound, name):g}" for name, word in _BOUNDS.items() if hasattr(bound, name)), ""
    )


def _name(annotation: Any) -> str:
    """A type in words."""
    if annotation in _NAMES:
        return _NAMES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get("kind")
        return str(field.default) if field and is_kind(field) else "section"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " | ".join(str(each.value) for each in annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return " | ".join(str(each) for each in inner)
    if origin is Annotated:
        return _name(inner[0])
    if origin is tuple:
        return f"list of {_name(inner[0])}"
    if origin is Mapping:
        return f"mapping of {_name(inner[0])} to {_name(inner[1])}"
    return " or ".join(dict.fromkeys(_name(each) for each in inner)) or str(annotation)


def _shown(value: Any, sections: tuple[type[Settings], ...]) -> str:
    if value is PydanticUndefined or (sections and value is not None):
        return ""
    plain = list(value) if isinstance(value, tuple) else value
    return json.dumps(plain, ensure_ascii=False, default=str)


def example_recipe(name: str) -> str:
    """The text of a recipe of the package's own. Raises UsageError, which lists them, for another name."""
    folder = resources.files("reelproof.pipeline") / "recipes"
    names = sorted(
        each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml")
    )
    if name.removesuffix(".yaml") not in names:
        raise UsageError(f"there is no example {name}; it may be one of: {', '.join(names)}")
    return (folder / f"{name.removesuffix('.yaml')}.yaml").read_text(encoding="utf-8")
