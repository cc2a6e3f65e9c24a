"""A writer's reply -> the JSON objects in it that hold a question, as far as they can be read."""

import json
import re
from typing import Any

from reelproof.schemas.text import clean_json

_LONGEST_REPLY = 100_000
_MOST_TRIES = 1_000


def find_items(reply: str) -> list[dict[str, Any]]:
    """Every JSON object with a `question` in a reply, as far as it can be read.

    What models do to JSON is mended: fences and prose around it, commas before a closing bracket, a missing
    end (the whole objects before it count).
    """
    text = reply[:_LONGEST_REPLY]
    without_commas = re.sub(r",(\s*[}\]])", r"\1", text)
    return max(_items_in(text), _items_in(without_commas), key=len)


def _items_in(text: str) -> list[dict[str, Any]]:
    decoder = json.JSONDecoder()
    items: list[dict[str, Any]] = []
    place, tries = text.find("{"), 0
    while place >= 0 and tries < _MOST_TRIES:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            items += _questions_in(value)
        place = text.find("{", end)
    return items


def _questions_in(value: dict[str, Any]) -> list[dict[str, Any]]:
    listed = value.get("questions")
    found = clean_json(listed if isinstance(listed, list) else [value])
    return [each for each in found if isinstance(each, dict) and "question" in each]
