"""Text that came from elsewhere -> text that files, pages and terminals can hold."""

import re
from typing import Any

_URL = re.compile(
    r"""(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)  # one that can hold a secret, wherever it stands in a text
    (?:[^\s/?#'"<>]*@)?  # user and password
    (?P<place>[^\s?#'"<>]*)
    (?:[?#][^\s'"<>]*)?""",  # a query, in which signed addresses carry their signature
    re.VERBOSE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean_text(text: Any) -> str:
    """As text that can be written as UTF-8: halves of characters (lone surrogates) become U+FFFD."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_json(value: Any) -> Any:
    """A JSON value whose texts, keys included, are `clean_text`."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_json(each) for each in value]
    if isinstance(value, dict):
        return {clean_json(name): clean_json(each) for name, each in value.items()}
    return value


def without_secrets(text: str) -> str:
    """Without what must not leave the machine: users, passwords and queries (signatures, tokens) of URLs."""
    return _URL.sub(lambda found: f"{found['scheme']}{found['place']}", text)


def shown_text(text: str) -> str:
    """As a terminal may show it, line by line: without secrets, and with control characters, which could
    move the cursor or hide words, spelt out.
    """
    told = without_secrets(clean_text(text))
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), told)
