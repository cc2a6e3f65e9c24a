"""Two free texts -> does the one name more things than the other, in one list with what is right?

`a dog and a cat` is not right for `a cat`: who lists everything names what is right, too. Words that say more
of the same thing (`a black and white cat`, `a cat with a ball and a hat`) are no list with it, nor is little
beside much (`he adds salt and pepper to the soup`).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.schemas.answers.content import content_stems, content_words
from reelproof.schemas.answers.wording import LONGEST_VALUE, words

_BLANKS = re.compile(r"[^\S\n]+")
_JOINER = re.compile(
    r" ?(?:(?:,(?!\d)|[;，；]) ?(?:(?:and|then|also|&) )*|[/&+、|\n]|以及|[和与及]"
    r"|\b(?:and|plus|as well as|along with|und|et|y) (?:then |also )*) ?",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|\s)(?:\d{1,2}[.)]|[*•-])\s")
_GOES_ON = frozenset(
    ("it", "this", "that", "there", "which", "who", "where", "when", "while", "because", "as", "since", "so")
) | frozenset(
    ("is", "are", "was", "were", "not", "but", "its", "has", "have", "being", "making", "including")
)
"""What begins with one of these says more of what stands before it."""
_WITHIN = frozenset(
    ("in", "on", "at", "with", "by", "of", "from", "for", "near", "under", "over", "to", "like")
)
"""So does what begins with one of these after a comma."""
_MUCH = 0.4
"""New words for each word of what is right."""
_DETERMINERS = frozenset(("a", "an", "the", "some", "his", "her", "their", "one", "two", "another"))


class _Item(NamedTuple):
    text: str
    stems: tuple[str, ...]
    """Of its content words, in their order."""
    joiner: str
    """What joins it to the item before; empty for the first."""

    @property
    def begins(self) -> str:
        return words(self.text)[0]


def lists_more(said: str, gold: str) -> bool:
    """Whether a text lists something else beside what is right, in one rank with it."""
    items = list(_items(said))
    if len(items) <= len(list(_items(gold))):
        return False
    right = content_words(gold)
    named = [place for place, each in enumerate(items) if each.stems[-1] in right]
    others = [place for place, each in enumerate(items) if place not in named[:1] and _is_other(each, right)]
    if not named or not others or _is_apposition(items):
        return False
    more = {stem for place in others for stem in items[place].stems} - right
    return len(more) >= _MUCH * len(right) and not _say_which(items, named, others, right)


def _items(text: str) -> Iterator[_Item]:
    text = _NUMBERED.sub("\n", _BLANKS.sub(" ", text[:LONGEST_VALUE]).strip())
    joiner, start = "", 0
    for found in (*_JOINER.finditer(text), None):
        part = text[start : found.start() if found else len(text)].strip()
        if words(part):
            yield _Item(part, tuple(content_stems(part)), joiner)
            joiner = ""
        if found:
            joiner, start = joiner + found[0].strip(), found.end()


def _is_other(item: _Item, right: frozenset[str]) -> bool:
    says_more = item.begins in _GOES_ON or (item.joiner in (",", "，") and item.begins in _WITHIN)
    return not says_more and item.stems[0] not in right


def _is_apposition(items: list[_Item]) -> bool:
    """`Paris, France`, `a cat, a small animal`: of two things with a comma alone between them, the second
    says what the first is, unless both are one plain word.
    """
    if len(items) != 2 or items[1].joiner not in (",", "，"):
        return False
    plain = all(len(each.stems) == 1 for each in items) and items[1].text[:1].islower()
    return not plain


def _say_which(items: list[_Item], named: list[int], others: list[int], right: frozenset[str]) -> bool:
    """`black and white cat`: words before the noun, which has no article of its own."""
    first = items[named[0]]
    return (
        max(others) < named[0]
        and all(len(items[place].stems) == 1 for place in others)
        and len(first.stems) > 1
        and first.stems[0] not in right
        and first.begins not in _DETERMINERS
    )
