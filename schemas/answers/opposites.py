"""Two texts -> whether they exclude each other: by a number, a colour, or a word and its opposite.

Words in common do not tell: `a red car` and `a blue car`, or `he opens the door` and `he closes the door`,
share most of theirs.
"""

import re
from collections import Counter
from collections.abc import Collection, Set

from reelproof.schemas.answers.amounts import spelt_as_digits
from reelproof.schemas.answers.overlap import stem
from reelproof.schemas.answers.wording import words


def _stems(listed: str) -> frozenset[str]:
    return frozenset(map(stem, listed.split()))


OPPOSED = tuple(
    (_stems(one), _stems(other))
    for one, other in (
        ("first start begin beginning initial initially", "last end ending final finally"),
        ("before prior earlier", "after afterwards once following later"),
        ("left", "right"),
        ("up upper upwards above over top", "down lower downwards below under beneath bottom"),
        ("more most", "less least fewer fewest"),
        ("on onto", "off"),
        ("in into inside enter", "out outside leave exit"),
        ("open opened", "close closed shut"),
        ("front", "back behind"),
        ("start starts", "stop stops"),
        ("give gives gave", "take takes took get gets got"),
        ("buy buys bought", "sell sells sold"),
        ("win wins won", "lose loses lost"),
        ("push", "pull"),
        ("throw throws thrown", "catch catches caught"),
        ("big bigger biggest large larger largest", "small smaller smallest little"),
        ("long longer longest tall taller tallest", "short shorter shortest"),
        ("fast faster fastest", "slow slower slowest"),
        ("old older oldest", "new newer newest young younger youngest"),
        ("full", "empty"),
        ("heavy heavier heaviest", "light lighter lightest"),
        ("high higher highest", "low lower lowest"),
        ("near nearest close closest", "far farther farthest"),
        ("hot warm", "cold"),
        ("same", "different other"),
        ("man men boy boys he his", "woman women girl girls she her"),
        ("左", "右"),
        ("开", "关"),
        ("男", "女"),
    )
)
"""Stems of words, and of those that say the opposite."""
_KINDS = (
    _stems("red orange yellow green blue purple pink brown black white gray"),
    _stems("红 橙 黄 绿 蓝 紫 粉 棕 黑 白 灰"),
    _stems("north south east west"),
)
"""Of each of these, what is one is no other."""
_SPELLINGS = {"grey": "gray", "violet": "purple"}
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[.,:]\d+)*|\d+(?:[.,:]\d+)*")
_GROUP_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_AS_POINTS = str.maketrans(",:", "..")
_NO_COUNT = re.compile(r"\b(?:the|this|that|which|another|each|every|no|any|some)\s(?:\w{1,12}\s)?one\b")
_LEFT_OPEN = frozenset(("or", "either"))


def cannot_mean(said: str, gold: str) -> bool:
    """Whether free text means something else than another, whatever words they share: a number, a colour or a
    side that the other has otherwise, the opposite word; or where it leaves open which of two it is.
    """
    one, other = _told(said), _told(gold)
    return (
        bool(_LEFT_OPEN & one and not _LEFT_OPEN & other)
        or any(_are_apart(one & kind, other & kind) for kind in _KINDS)
        or any(_are_opposed(one, other, *sides) or _are_opposed(other, one, *sides) for sides in OPPOSED)
        or are_other_numbers(_counted(said), _counted(gold))
    )


def are_other_numbers(said: str, gold: str) -> bool:
    """Whether each of two texts has a number that the other lacks: `2.5` and `25`, `-5` and `5`.

    `10:30` and `10.30` are one, and so are `1,000` and `1000`.
    """
    return _are_apart(_numbers(said), _numbers(gold))


def _numbers(text: str) -> Counter[str]:
    return Counter(each.translate(_AS_POINTS) for each in _NUMBER.findall(_GROUP_COMMA.sub("", text)))


def _counted(text: str) -> str:
    return spelt_as_digits(_NO_COUNT.sub(" ", text.casefold()))


def _told(text: str) -> frozenset[str]:
    return frozenset(_SPELLINGS.get(word, stem(word)) for word in {*words(text)})


def _are_apart(one: Collection[str], other: Collection[str]) -> bool:
    mine, theirs = Counter(one), Counter(other)
    return bool(mine - theirs and theirs - mine)


def _are_opposed(one: Set[str], other: Set[str], side: Set[str], opposite: Set[str]) -> bool:
    return bool(one & side and other & opposite) and not (one & opposite or other & side)
