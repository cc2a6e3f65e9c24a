"""Options as sets hold them (lists, lettered objects, lists as text) -> their texts, in order."""

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

_QUOTED = r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\""
_QUOTED_LIST = re.compile(rf"\s*\[\s*(?:(?:{_QUOTED})\s*,?\s*)*+\]\s*", re.DOTALL)


def option_list(value: Any) -> tuple[str, ...]:
    """A list, `{"A": …, "B": …}`, a list as text, or text with one option a line or between bars.

    Raises ValueError for what is none of these.
    """
    if value is None or value == "":
        return ()
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _listed(value)
    if isinstance(value, Mapping):
        value = _lettered(value)
    if isinstance(value, str):
        value = [option for option in re.split(r"[|\n]", value) if option.strip()]
    if not isinstance(value, list) or not all(isinstance(each, (str, int, float)) for each in value):
        raise ValueError(f"`options` is a list of texts, got {value!r}")
    return tuple(str(each) for each in value)


def _listed(text: str) -> Any:
    """A list in JSON, as Python writes it (`['red', 'blue']`) or as NumPy prints it (`['red' 'blue']`).

    Python would join the last's items to one text, so quoted ones are read one by one.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        if not _QUOTED_LIST.fullmatch(text):
            raise ValueError(f"`options` begins like a list but is none ({error})") from error
    return [ast.literal_eval(quoted) for quoted in re.findall(_QUOTED, text, re.DOTALL)]


def _lettered(options: Mapping[str, Any]) -> list[Any]:
    """`{"A": "red", "B": "blue"}` or `{"a": …}`, with nothing under letters that it does not need."""
    filled = {letter.upper(): text for letter, text in options.items() if text not in (None, "")}
    if sorted(filled) != [chr(ord("A") + place) for place in range(len(filled))]:
        raise ValueError(f"`options` are lettered from A on, got {dict(options)!r}")
    return [filled[letter] for letter in sorted(filled)]
