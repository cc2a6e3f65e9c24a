"""The text of an answer -> an order of items, by number or letter."""

import re

from reelproof.schemas.answers.amounts import spelt_as_digits
from reelproof.schemas.answers.wording import LONGEST_VALUE, in_plain_signs, tidy

_STRICT_ORDER = re.compile(r"[0-9]{1,4}(?:\s?,\s?[0-9]{1,4})*|[A-Z](?:\s?,\s?[A-Z])*")
_ORDER_NOISE = re.compile(
    r"\b(?:frames?|images?|pictures?|shots?|numbers?|scenes?|no\.)(?![a-z])"
    r"|\b(?:then|and|next|first|second|third|last|lastly|finally|before|comes?|goes)\b:?"
    r"|\b(?:followed by|is|are|by)\b|#"
)
_ORDER_SEPARATORS = re.compile(r"[\s,;|/→⇒<>=\-()\[\]{}.]+")
_ORDER_ITEM = re.compile(r"\d{1,4}|[a-z]")
_NUMBERED = re.compile(r"\s*(\d{1,2})\s?[.)]\s+(?=\S)(.*)")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\s?[:=]\s?")
_BACKWARDS = re.compile(
    r"\b(?:from\s(?:the\s)?last|backwards?|revers\w+|descending|preceded)\b|^before\b|倒序|逆序",
    re.IGNORECASE,
)
_OTHER_ARROWS = re.compile(r"<[-=<]|=(?!>)")
_POSITIONS = {"first": 1, "second": 2, "third": 3, "last": 99, "lastly": 99, "finally": 99}
_POSITION = re.compile(rf"\b(?:{'|'.join(_POSITIONS)})\b")
_PREFACE = re.compile(r"^[a-z\s]{0,80}:\s?")


def strict_order(text: str) -> tuple[str, ...] | None:
    """`2, 1, 3`"""
    if len(text) > LONGEST_VALUE or not _STRICT_ORDER.fullmatch(text.strip()):
        return None
    return tuple(_item(each) for each in re.findall(r"\d+|[A-Z]", text))


def lenient_order(text: str, expected_items: int) -> tuple[str, ...] | None:
    """`[2, 1, 3]`, `2 1 3`, `Frame 2, 1, then 3`, `2 → 1 → 3`, a numbered list; `213` of three."""
    if len(text) > LONGEST_VALUE:
        return None
    said = _without_ordinals(tidy(_without_numbering(in_plain_signs(text))).casefold())
    positions = [_POSITIONS[each] for each in _POSITION.findall(said)]
    if is_backwards(said) or _OTHER_ARROWS.search(said) or positions != sorted(positions):
        return None
    plain = spelt_as_digits(_PREFACE.sub("", said, count=1))
    plain = _ORDER_NOISE.sub(" ", plain).strip(" .:")
    items = [item for item in _ORDER_SEPARATORS.split(plain) if item]
    if len(items) == 1 and len(items[0]) == expected_items <= 9:
        items = list(items[0])
    if not items or not all(_ORDER_ITEM.fullmatch(item) for item in items):
        return None
    return tuple(_item(each) for each in items)


def is_backwards(text: str) -> bool:
    """Whether words say that what is named first need not come first: `from last to first`, `reversed`."""
    return _BACKWARDS.search(text) is not None


def _without_numbering(text: str) -> str:
    """Lines that are numbered 1, 2, 3 … without their numbers."""
    lines = [line for line in text.splitlines() if line.strip()]
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    counts = [int(found[1]) for found in numbered if found]
    if len(lines) < 2 or counts != list(range(1, len(lines) + 1)):
        return text
    return ", ".join(found[2] for found in numbered if found)


def _without_ordinals(plain: str) -> str:
    """`1st: 2, 2nd: 1` is `2, 1`."""
    counts = [int(each) for each in _ORDINAL.findall(plain)]
    return _ORDINAL.sub(" ", plain) if counts == list(range(1, len(counts) + 1)) else plain


def _item(said: str) -> str:
    """`01` is `1`, `A` is `a`."""
    return str(int(said)) if said.isdigit() else said.casefold()
