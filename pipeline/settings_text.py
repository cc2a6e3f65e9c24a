"""YAML and `--set a.b=c` -> a pydantic model, or one message that names every wrong field."""

import copy
import difflib
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from reelproof.pipeline.disk.sealed import text_is_whole
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.settings import Settings, captions, is_kind, sections_in

M = TypeVar("M", bound=Settings)

_USER = re.compile(r"//[^/\s]*@")
"""Of an address, with its password."""
_MEANT = 3
_MOST_LISTED = 20
_WANTS_A_SECTION = frozenset(("model_type", "model_attributes_type", "dict_type"))


class _EachNameOnce(yaml.SafeLoader):
    """YAML's safe loader, for which a name stands once in a section: of two, the last would win unsaid."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """As the safe loader does. Raises ConstructorError for a second `policy:`, say."""
        node = super().compose_mapping_node(anchor)
        names = [name for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        seen: set[str] = set()
        for name in names:
            if name.value in seen:
                problem = f"`{name.value}` stands there twice; make one of both"
                raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
            seen.add(name.value)
        return node


_OURS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of what reelproof wrote: six times as fast. Its errors would not show the line."""


def parse_settings(model: type[M], settings: Mapping[str, Any], overrides: Sequence[str], where: str) -> M:
    """Settings as YAML gives them, with `section.field=value` overrides applied -> a model.

    A section that names some of its fields keeps the others as the model's default for that section has them,
    which need not be the section's own class's. Raises UsageError naming every wrong field, what it got and
    what it may be.
    """
    merged = copy.deepcopy(dict(settings))
    for override in overrides:
        _apply(merged, override, model)
    try:
        return model.model_validate(_over_defaults(merged, model))
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in _explained(error, model, overrides))
        raise UsageError(f"{where} cannot be used:\n{lines}") from None


def read_settings(
    model: type[M], file: Path | None, overrides: Sequence[str], **given: Mapping[str, Any]
) -> M:
    """The settings in a file, if one is named, then the sections that are `given`, then overrides.

    Raises UsageError.
    """
    held = read_yaml(file) if file else {}
    for name, section in given.items():
        held[name] = {**(held.get(name) or {}), **section}
    return parse_settings(model, held, overrides, where=str(file or "the settings"))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UsageError where it is none."""
    try:
        return parse_yaml(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def parse_yaml(content: bytes, where: str) -> dict[str, Any]:
    """The same of its bytes, which its last line may hold a checksum of."""
    try:
        text = content.decode()
        is_whole = text_is_whole(text)
        if is_whole is False:
            raise UsageError(
                f"{where} is not as reelproof wrote it; if you changed it, take out its last line; "
                "if you did not, it is damaged: build again with the recipe that you built from"
            )
        settings = yaml.load(text, _OURS if is_whole else _EachNameOnce)  # noqa: S506  # both are safe
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = str(error).replace('in "<unicode string>", line', "in line")
        raise UsageError(f"{where} is not YAML: {told}") from None
    if not isinstance(settings, dict):
        got = "nothing" if settings is None else f"a {type(settings).__name__}"
        raise UsageError(f"{where}: expected sections or fields, `name: value` a line, got {got}")
    return settings


def _apply(settings: dict[str, Any], override: str, model: type[Settings]) -> None:
    """Set `a.b.c=value` in nested dicts, the value read as YAML; `teachers.0.model=…` reaches into a list."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {override}: expected section.field=value, such as policy.preset=strict")
    *folders, last = key.split(".")
    place: Any = settings
    default: Any = model
    for folder in folders:
        default = _default(default, folder)
        place = _step_into(place, folder, key, default)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(
            f"--set {override}: {text!r} is not YAML; put quotes around a text that holds signs"
        ) from None
    if isinstance(place, list):
        place[_index(place, last, key)] = value
    else:
        place[last] = value


def _step_into(place: Any, folder: str, key: str, default: Any) -> Any:
    """What lies under `folder`; where nothing does, an empty section or the list that is there by default."""
    if isinstance(place, list):
        return place[_index(place, folder, key)]
    below = place.get(folder)
    if below is None:
        below = place[folder] = [_named(each) for each in default] if isinstance(default, tuple) else {}
    if not isinstance(below, (dict, list)):
        raise UsageError(f"--set {key}: {folder} is {_kind(below)}, which has no fields")
    return below


def _over_defaults(given: Mapping[str, Any], place: Any) -> dict[str, Any]:
    """The given fields, and beside them whatever else a default instance names; sections within alike.

    A section of another kind than the default's (another teacher, say) begins empty.
    """
    laid = dict(given)
    for name, value in given.items():
        default = _default(place, name)
        if isinstance(value, dict) and isinstance(default, BaseModel) and _may_be_of(value, default):
            laid[name] = _over_defaults(value, default)
    return (_named(place) | laid) if isinstance(place, BaseModel) else laid


def _default(place: Any, name: str) -> Any:
    """What a model, or an instance of one, has under a name; None where there is nothing."""
    if isinstance(place, BaseModel):
        return getattr(place, name, None)
    is_model = isinstance(place, type) and issubclass(place, BaseModel)
    field = place.model_fields.get(name) if is_model else None
    found = field.get_default(call_default_factory=True) if field else None
    return None if found is PydanticUndefined else found


def _named(section: Any) -> Any:
    """Its kind and whatever is not its class's default, as plain mappings."""
    if not isinstance(section, BaseModel):
        return section
    kinds, fields = _kinds(section), type(section).model_fields.items()
    changed = [
        name
        for name, field in fields
        if getattr(section, name) != field.get_default(call_default_factory=True)
    ]
    return kinds | {name: _named(getattr(section, name)) for name in changed}


def _kinds(section: BaseModel) -> dict[str, Any]:
    """The fields that tell one kind of section from another: they can have one value only."""
    fields = type(section).model_fields.items()
    return {name: getattr(section, name) for name, field in fields if is_kind(field)}


def _may_be_of(given: Mapping[str, Any], section: BaseModel) -> bool:
    return all(given.get(name, value) == value for name, value in _kinds(section).items())


def _index(place: list[Any], text: str, key: str) -> int:
    if not text.isdigit() or int(text) >= len(place):
        raise UsageError(f"--set {key}: {text} is no place in a list of {len(place)}")
    return int(text)


def _explained(error: ValidationError, model: type[Settings], overrides: Sequence[str]) -> Iterator[str]:
    """A line a mistake: a container is not blamed for what is wrong with its parts.

    What an override set, the override is named with: the file does not hold it.
    """
    errors = error.errors(include_url=False)
    blamed = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
    keys = [override.partition("=")[0] for override in overrides]  # never their values: one may be a secret
    for each in errors:
        if each["loc"] not in blamed:
            by = next((key for key in keys if _lies_in(each["loc"], key)), None)
            yield _explain(each, model) + (f" (of --set {by})" if by else "")


def _lies_in(loc: tuple[int | str, ...], key: str) -> bool:
    """Whether a place is that of a key or below it; a place also names the kinds of sections on its way."""
    parts = iter(map(str, loc))
    return all(name in parts for name in key.split("."))


def _explain(error: Any, model: type[Settings]) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "extra_forbidden":
        if moved := getattr(model, "moved", {}).get(field):
            return f"{field}: it is now {moved}"
        return f"{field}: there is no such field{_may_be(error['loc'], model)}"
    if error["type"] == "missing":
        return f"{field}: missing{_meaning(error['loc'], model)}"
    told = _USER.sub("//…@", error["msg"].removeprefix("Value error, ").replace("tuple", "list"))
    if error["type"] == "value_error" and isinstance(error["input"], Mapping):
        return (
            f"{field}: {told}{_meaning(error['loc'], model)}"  # of a section, whose fields the message names
        )
    got = _kind(error["input"]) if error["type"] in _WANTS_A_SECTION else _shown(error["input"])
    return f"{field}: got {got}; {told}{_meaning(error['loc'], model)}"


def _shown(value: Any) -> str:
    """A wrong value; of a container only what it is, since a key may lie in any of its fields."""
    if not isinstance(value, str | int | float | None):
        return _kind(value)
    text = _USER.sub("//…@", repr(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _kind(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else f"a {type(value).__name__}"


def _may_be(loc: tuple[int | str, ...], model: type[Settings]) -> str:
    """The fields that the section of an unknown field does have, the nearest first; of many that alone."""
    section = _section(loc[:-1], model)
    if section is None:
        return ""
    names = list(section.model_fields)
    near = difflib.get_close_matches(str(loc[-1]), names, n=1)
    meant = list(_places(model, str(loc[-1])))[:_MEANT] or near
    guess = f" (did you mean {' or '.join(meant)}?)" if meant else ""
    return guess if meant and len(names) > _MOST_LISTED else f"{guess}; it may be one of: {', '.join(names)}"


def _places(section: type[Settings], name: str, at: str = "") -> Iterator[str]:
    """Where, in the sections of a section, a field of that name stands."""
    for field, info in section.model_fields.items():
        if field == name:
            yield at + field
        below = sections_in(info.annotation)
        if len(below) == 1 and typing.get_origin(info.annotation) is not tuple:
            yield from _places(below[0], name, f"{at}{field}.")


def _meaning(loc: tuple[int | str, ...], model: type[Settings]) -> str:
    """What a field's caption says, in brackets."""
    section = _section(loc[:-1], model) if loc else None
    caption = captions(section).get(str(loc[-1]), "") if section else ""
    return f" ({caption})" if caption else ""


def _section(loc: tuple[int | str, ...], section: type[Settings]) -> type[Settings] | None:
    """The section at a place; where it may be of several kinds, the place names the kind."""
    choices: list[type[Settings]] = [section]
    for part in loc:
        if len(choices) > 1:
            choices = [each for each in choices if each.model_fields["kind"].default == part]
        elif choices and part in choices[0].model_fields:
            choices = list(sections_in(choices[0].model_fields[str(part)].annotation))
    return choices[0] if len(choices) == 1 else None
