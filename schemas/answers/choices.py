"""The text of an answer -> what was chosen: option letters, an order, yes or no.

Two ways to read each: strictly (the form that prompts ask for, and nothing around it) and leniently (what a
person would accept). A reading is None where the text does not say one thing: hedges ("A or B") are not
answers. Texts longer than `LONGEST_VALUE` characters are not read, and every pattern takes linear time.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from reelproof.schemas.answers.wording import DENIAL, LONGEST_VALUE, tidy, words

_STRICT_LETTERS = re.compile(r"[A-Z](?:\s*,\s*[A-Z])*")
_SOLE_LETTERS = re.compile(
    r"[\[(]?([A-Za-z])[\])]?[.:]?(?:\s?(?:,|;|/|&|\+|\band\b|,\s?and\b|\s)\s?[\[(]?[A-Za-z][\])]?[.:]?)*"
)
_LETTER_THEN_TEXT = re.compile(r"[\[(]?\s?([A-Za-z])\s?(?:[\])]\s?[.:,]?|[.:,]|\s[-–—])\s?(\S.*)", re.DOTALL)
_LETTER_SPACE_TEXT = re.compile(r"([A-Za-z])\s(\S.*)", re.DOTALL)
_HEDGED = re.compile(
    r"(?:(?:or|and|no|not|maybe|perhaps|actually|wait|then|also|possibly|rather)\b\W*)+", re.IGNORECASE
)
_STANDING_LETTER = re.compile(r"(?<![\w'])([A-Z])(?![\w'])")
_REASON = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:A|I)\s(?!(?:or|and|nor|but|is|was|as|because|since)\b)[a-z]")


def strict_letters(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """`B`, or `A, C` where several are right."""
    if len(text) > LONGEST_VALUE or not _STRICT_LETTERS.fullmatch(text.strip()):
        return None
    return _in_range(frozenset(re.findall("[A-Z]", text)), options)


def lenient_letters(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """`B`, `b`, `(B)`, `B.`, `B. red`, `red`, `The answer is (B).`, `A and C`, `AC`; None for two of them."""
    if len(text) > LONGEST_VALUE:
        return None
    plain = tidy(text)
    if _SOLE_LETTERS.fullmatch(plain):
        return _in_range(frozenset(re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", plain.upper())), options)
    by_text = _option_called(plain, options)
    if by_text is not None:
        return frozenset(by_text)
    labelled = _LETTER_THEN_TEXT.fullmatch(plain)
    if labelled:
        return _labelled_letter(labelled[1].upper(), labelled[2], options)
    spaced = _LETTER_SPACE_TEXT.fullmatch(plain)
    if spaced and _option_called(spaced[2], options) == spaced[1].upper():
        return frozenset(spaced[1].upper())
    if (
        plain.isalpha()
        and plain.isascii()
        and plain.isupper()
        and len(set(plain)) == len(plain) <= max(len(options), 4)
    ):
        return _in_range(frozenset(plain), options)
    return _standing_letter(plain, options)


def _option_called(text: str, options: Sequence[str]) -> str | None:
    said = words(text)
    same = [place for place, option in enumerate(options) if said and words(option) == said]
    return chr(ord("A") + same[0]) if len(same) == 1 and same[0] < 26 else None


def _labelled_letter(letter: str, rest: str, options: Sequence[str]) -> frozenset[str] | None:
    called = _option_called(rest, options)
    if called is not None and called != letter:
        return None
    second = _HEDGED.sub("", rest, count=1) if called is None else ""
    if second and _SOLE_LETTERS.fullmatch(second):
        return None
    return _in_range(frozenset(letter), options)


def _standing_letter(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """The only capital that stands alone in a sentence, where nothing but a reason for it denies anything."""
    found = [each for each in _STANDING_LETTER.finditer(plain) if not _ARTICLE.match(plain, each.start())]
    standing = {each[1] for each in found}
    if len(standing) != 1:
        return None
    last = found[-1].end()
    if DENIAL.search(plain[:last] + _REASON.split(plain[last:], maxsplit=1)[0]):
        return None
    return _in_range(frozenset(standing), options)


def _in_range(letters: frozenset[str], options: Sequence[str]) -> frozenset[str] | None:
    known = {chr(ord("A") + place) for place in range(len(options) or 26)}
    return letters if letters and letters <= known else None


_STRICT_ORDER = re.compile(r"[0-9]{1,4}(?:\s?,\s?[0-9]{1,4})*|[A-Z](?:\s?,\s?[A-Z])*")
_ORDER_NOISE = re.compile(
    r"\b(?:frames?|images?|pictures?|shots?|numbers?|scenes?|no\.)(?![a-z])"
    r"|\b(?:then|and|next|first|finally|before)\b|#"
)
_ORDER_SEPARATORS = re.compile(r"[\s,;|/→<>=–\-()\[\]{}]+")
_ORDER_ITEM = re.compile(r"\d{1,4}|[a-z]")


def strict_order(text: str) -> tuple[str, ...] | None:
    """`2, 1, 3`"""
    if len(text) > LONGEST_VALUE or not _STRICT_ORDER.fullmatch(text.strip()):
        return None
    return tuple(_item(each) for each in re.findall(r"\d+|[A-Z]", text))


def lenient_order(text: str, expected_items: int) -> tuple[str, ...] | None:
    """`[2, 1, 3]`, `2 1 3`, `Frame 2, Frame 1, then Frame 3`, `2 → 1 → 3`, `B, A, C`; `213` for three."""
    if len(text) > LONGEST_VALUE:
        return None
    plain = _ORDER_NOISE.sub(" ", tidy(text).casefold()).strip(" .:")
    items = [item for item in _ORDER_SEPARATORS.split(plain) if item]
    if len(items) == 1 and len(items[0]) == expected_items <= 9:
        items = list(items[0])
    if not items or not all(_ORDER_ITEM.fullmatch(item) for item in items):
        return None
    return tuple(_item(each) for each in items)


def _item(said: str) -> str:
    """`01` is `1`, `A` is `a`."""
    return str(int(said)) if said.isdigit() else said.casefold()


_NOT = re.compile(r"\s?n't\b", re.IGNORECASE)
_TRUE = frozenset(("yes", "true", "y", "yeah", "yep", "correct", "right"))
_FALSE = frozenset(("no", "false", "n", "nope", "incorrect", "wrong", "untrue"))


def strict_truth(text: str) -> bool | None:
    """`yes`, `no`, `true` or `false`, in lower case."""
    return {"yes": True, "true": True, "no": False, "false": False}.get(text.strip())


def lenient_truth(text: str) -> bool | None:
    """`Yes.`, `YES`, `True`, `yes, it is`, `No, it is not`; None where a text says both."""
    if len(text) > LONGEST_VALUE:
        return None
    said = words(_NOT.sub(" not", tidy(text)))
    plain = [
        "no" if first == "not" and second in _TRUE else second for first, second in pairwise(["", *said])
    ]
    found = {word in _TRUE for word in plain if word in ("yes", "no", "true", "false")} or {
        word in _TRUE for word in plain[:1] if word in _TRUE | _FALSE
    }
    return found.pop() if len(found) == 1 else None
