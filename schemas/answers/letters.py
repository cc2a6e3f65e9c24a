"""The text of an answer -> the option letters that it chooses.

Strictly: the form that prompts ask for. Leniently: what a person would accept. A reading is None where the
text does not say one thing: a hedge ("A or B") is no answer, nor is a letter beside another option's text.
"""

import math
import re
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.affirmed import affirmed, outright
from reelproof.schemas.answers.amounts import Amount, lenient_amount
from reelproof.schemas.answers.overlap import stem
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.answers.wording import DENIAL, LONGEST_VALUE, tidy, words

_STRICT_LETTERS = re.compile(r"[A-Z](?:\s*,\s*[A-Z])*")
_LETTER = r"[\[(]?([A-Za-z])[\])]?[.:]?"
_SOLE_LETTERS = re.compile(
    r"(?:both |only |options? )?[\[(]?[A-Za-z][\])]?[.:]?"
    r"(?:\s?(?:,|;|/|&|\+|\band\b|,\s?and\b|\s|和|와|과|と)\s?[\[(]?[A-Za-z][\])]?[.:]?)*(?: only)?[.!]?",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?<![A-Za-z0-9'])(?:[\[(]\s?([A-Za-z])\s?[\])]\s?[.:]?|([A-Z])\s?(?:[.:)(]|\s-)(?=\s?\S))"
)
_LETTER_SPACE_TEXT = re.compile(r"([A-Za-z])\s(\S.*)", re.DOTALL)
_STANDING = re.compile(r"(?<![A-Za-z0-9'])([A-Z])(?![A-Za-z0-9'])")
_DENIED = re.compile(
    r"\b(?i:not|neither|(?:any|every)thing but|all but|rules? out|except"
    r"|rather than|instead of|nor)\s(?i:the\s)?(?i:options?\s|answers?\s)?"
    r"[\[(]?([A-Z])(?![A-Za-z0-9'])[\])]?"
    r"|(?<![A-Za-z0-9'])[\[(]?([A-Z])[\])]?\s(?:is|was|seems|looks)\s"
    r"(?:wrong|incorrect|false|not\s\w+|ruled out)\b"
)
_SEVERAL_DENIED = re.compile(
    r"(?<![A-Za-z0-9'])((?:[A-Z]\s?(?:, and|, or|,|and|or|&)\s?){1,25}[A-Z])\s(?:are|were|can be)\s"
    r"(?:both\s|all\s|clearly\s)?(?:wrong|incorrect|false|not|ruled out|excluded|eliminated)\b"
)
_SHORT_NOT = re.compile(r"n['’]t\b(?:\sbe\b)?")
_HEDGE = re.compile(r"\b(?:or|either|maybe|perhaps|possibly|might be|could be)\b", re.IGNORECASE)
_REASON = re.compile(r"\b(?:because|since|as)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:A|I)\s(?!(?:or|and|nor|but|is|was|as|because|since)\b)[a-z]")
_UNSURE = re.compile(
    r"(?:\b(?:i am|i'm)\s?(?:not|un)\s?|^not\s)(?:sure|certain)\b[,.;]?\s?(?:but)?", re.IGNORECASE
)
_SUPPOSED = re.compile(r"\b(?:if|unless)\b(?!\s(?:i|we)\s(?:had|have)\sto\b)", re.IGNORECASE)
_AT_FIRST = re.compile(
    r"\b(?:first|initial|previous|original)\s(?:guess|thought|answer|choice|idea)\b", re.IGNORECASE
)
_SO = re.compile(
    r"[,;.]\s(?:and\s)?(?:so|therefore|thus|hence)\b,?\s(?:(?:the\s(?:correct\s)?answer|it)\sis\s)?(?:option\s)?"
    r"[\[(]?([A-Z])[\])]?(?:\s\([^()]{1,100}\))?[.!]?$"
)
"""What an answer comes to at its end."""
_CONTRAST = re.compile(r",\s(?:and\s)?not\s([^,.;:]{1,200})[.!]?$", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|never|nobody|none|without)\b")
_IS_WRONG = re.compile(r"\(?(?:no|false|incorrect|wrong|not)\b\)?[.!]?", re.IGNORECASE)
_IN_PARENTHESES = re.compile(r"\(([^()]{2,200})\)")
_PLACE = re.compile(r"(?:option|choice|answer|number)\s#?([1-9])\.?", re.IGNORECASE)
_LOOKALIKES = str.maketrans("АВСЕНΑΒΕΗ", "ABCEHABEH")
"""Cyrillic and Greek capitals that nobody can tell from Latin ones."""


def strict_letters(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """`B`, or `A, C` where several are right."""
    if len(text) > LONGEST_VALUE or not _STRICT_LETTERS.fullmatch(text.strip()):
        return None
    return _in_range(frozenset(re.findall("[A-Z]", text)), options)


def lenient_letters(text: str, options: Sequence[str]) -> frozenset[str] | None:
    """`B`, `b`, `(B)`, `B. red`, `red`, `The answer is (B).`, `A and C`, `AC`; None for `A or B`."""
    if len(text) > LONGEST_VALUE:
        return None
    plain = tidy(text)
    plain = plain.translate(_LOOKALIKES) if len(plain.strip("().: ")) == 1 else plain
    if place := _PLACE.fullmatch(text.strip()):
        return _in_range(frozenset(chr(ord("A") + int(place[1]) - 1)), options)
    plain = _without_contrast(plain, options)
    for reading in _READINGS:
        letters = reading(plain, options)
        if letters is not None:
            return _in_range(letters, options) if letters else None
    return None


def _without_contrast(plain: str, options: Sequence[str]) -> str:
    """`a woman, not a man` is `a woman` where the options have a man."""
    contrast = _CONTRAST.search(plain)
    return plain[: contrast.start()] if contrast and _option_called(contrast[1], options) else plain


_NONE: frozenset[str] = frozenset()
"""What a reading gives where the text names letters and contradicts itself: no further reading is tried."""


def _sole(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """Letters alone, with what joins them."""
    del options
    if not _SOLE_LETTERS.fullmatch(plain):
        return None
    return frozenset(re.findall(r"(?<![A-Z])[A-Z](?![A-Z])", plain.upper()))


def _by_text(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """One option's full text, articles aside; a label is none of it."""
    if _LABEL.search(plain):
        return None
    called = _option_called(plain, options)
    return None if called is None else frozenset(called)


def _option_called(text: str, options: Sequence[str]) -> str | None:
    for plain in (words, _content):
        said = plain(text)
        same = [place for place, option in enumerate(options) if said and plain(option) == said]
        if len(same) == 1 and same[0] < 26:
            return chr(ord("A") + same[0])
    return None


def _content(text: str) -> list[str]:
    return [word for word in words(text) if word not in ("a", "an", "the")]


def _by_labels(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """`B. red`, `A. blue, C. a green car`, `a red car (A)`: letters as labels of what stands beside them."""
    found = [(label, (label[1] or label[2]).upper()) for label in _LABEL.finditer(plain)]
    if not found or (found[0][0].start() and not _ends_with_label(plain, found)):
        return None
    if found[0][0].start():
        before = plain[: found[0][0].start()]
        called = _option_called(before, options)
        return None if called is None else frozenset(called) if called == found[0][1] else _NONE
    letters, rest = set(), []
    ends = [label.start() for label, _ in found[1:]] + [len(plain)]
    for (label, letter), end in zip(found, ends, strict=True):
        text = plain[label.end() : end].strip(" ,;")
        called = _option_called(re.sub(r"\b(?:and|or|not)$", "", text).strip(" ,;"), options)
        if called is not None and called != letter:
            return _NONE
        rest.append(text)
        letters.add(letter)
    told = " ".join(rest)
    if len(letters) == 1 and _IS_WRONG.match(told):
        return _NONE
    if len(letters) == 1 and _option_called(rest[0], options):
        return frozenset(letters)
    letters -= set(_denied(plain))
    others = {each for each in _STANDING.findall(_REASON.split(told)[0]) if each in _known(options)} - letters
    others -= set(_denied(plain)) | {"I"}
    if others and not _ARTICLE.match(told):
        return _NONE
    return frozenset(letters) if len(letters) == 1 or not _HEDGE.search(plain) else _NONE


def _ends_with_label(plain: str, found: list[tuple[re.Match[str], str]]) -> bool:
    return len(found) == 1 and found[0][0].end() == len(plain.rstrip(" ."))


def _run_together(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """`AC`"""
    is_run = plain.isalpha() and plain.isascii() and plain.isupper() and len(set(plain)) == len(plain)
    return frozenset(plain) if is_run and 1 < len(plain) <= max(len(options), 4) else None


def _by_truth(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """Options that say yes and no are chosen by whatever says one of them."""
    truths = [lenient_truth(option) for option in options]
    if len(options) != 2 or {*truths} != {True, False} or any(len(words(each)) > 1 for each in options):
        return None
    said = None if _STANDING.search(plain) and plain[:1] != "I" else lenient_truth(plain)
    return None if said is None else frozenset(chr(ord("A") + truths.index(said)))


def _by_amount(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """Options that are numbers are chosen by value alone: `three` is `3`, `3.5` and `over 3` are none."""
    held = [lenient_amount(option) for option in options[:26]]
    if not held or None in held or any(map(str.isupper, _STANDING.findall(plain))):
        return None
    said = lenient_amount(plain)
    same = [place for place, each in enumerate(held) if said and each and _are_one(said, each)]
    return frozenset(chr(ord("A") + same[0])) if len(same) == 1 else _NONE


def _are_one(one: Amount, other: Amount) -> bool:
    if one.unit and other.unit:
        return one.unit.measures == other.unit.measures and math.isclose(
            one.value * one.unit.size, other.value * other.unit.size
        )
    return one.value == other.value


def _standing(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """The only capital that stands in a sentence as its answer does; a reason for it does not count."""
    sentence = _UNSURE.sub(" ", plain)
    spaced = _LETTER_SPACE_TEXT.fullmatch(sentence)
    if spaced and _option_called(spaced[2], options) == spaced[1].upper():
        return frozenset(spaced[1].upper())
    said = list(_letters_in(sentence, options))
    if not said:
        return None
    if (told := _SO.search(sentence)) and not {told[1]} & set(_denied(sentence)):
        return frozenset(told[1])
    letters, last = {letter for letter, _ in said}, said[-1][1]
    denied = set(_denied(sentence))
    if _SUPPOSED.search(sentence) or _AT_FIRST.search(sentence):
        return _NONE
    if letters & denied:
        left = letters - denied
        return frozenset(left) if len(left) == 1 else _NONE
    claim = sentence[:last] + _REASON.split(sentence[last:], maxsplit=1)[0]
    if len(letters) > 1 and (told_outright := outright(sentence)):
        return frozenset(told_outright)
    if DENIAL.search(claim) or (len(letters) > 1 and not _joined(sentence, letters)):
        return _NONE
    if not letters <= affirmed(sentence):
        return _NONE
    called = {_option_called(each, options) for each in _IN_PARENTHESES.findall(sentence)} - {None}
    return _NONE if called - letters else frozenset(letters)


def _letters_in(sentence: str, options: Sequence[str]) -> Iterator[tuple[str, int]]:
    known = _known(options)
    for found in _STANDING.finditer(sentence):
        if not _ARTICLE.match(sentence, found.start()) and found[1] in known | {"Z"}:
            yield found[1], found.end()


def _joined(sentence: str, letters: set[str]) -> bool:
    """`A and C are correct`: letters that are listed, with nothing but that they are right."""
    listed = re.match(rf"(?:both )?{_LETTER}(?:\s?(?:,|/|&|and|, and)\s?{_LETTER})+", sentence)
    rest = sentence[listed.end() :].strip(" .!") if listed else "no list"
    return (
        bool(re.fullmatch(r"(?:only|(?:are|is) (?:both )?(?:all )?(?:correct|right|true))?", rest))
        and len(letters) > 1
    )


def denied_letters(text: str) -> frozenset[str]:
    """`not B`, `B is wrong`, `it isn't A`: the letters of which a text says that they are not meant."""
    return frozenset(_denied(_SHORT_NOT.sub(" not", text)))


def _denied(sentence: str) -> list[str]:
    several = "".join(_SEVERAL_DENIED.findall(sentence))
    return [one or other for one, other in _DENIED.findall(sentence)] + _STANDING.findall(several)


def _by_mention(plain: str, options: Sequence[str]) -> frozenset[str] | None:
    """A sentence that holds one option's words and no other's, denies nothing and supposes nothing."""
    if DENIAL.search(plain) or _HEDGE.search(plain) or _SUPPOSED.search(plain):
        return None
    said = f" {' '.join(_content(plain))} "
    held = [" ".join(_content(option)) for option in options]
    named = [place for place, option in enumerate(held) if option and f" {option} " in said]
    longest = [
        place for place in named if not any(held[place] in held[other] for other in named if other != place)
    ]
    if len(longest) != 1 or longest[0] >= 26:
        return None
    rest = said.replace(f" {held[longest[0]]} ", " ", 1)
    if _NO.search(rest) or _says_another(rest, held[longest[0]], held):
        return None
    return frozenset(chr(ord("A") + longest[0]))


def _says_another(rest: str, named: str, options: Sequence[str]) -> bool:
    """Whether what is said beside an option's words makes another option of them: `opens the door and then
    leaves` where one opens the door, and one opens it and leaves.
    """
    beside, own = {*map(stem, rest.split())}, {*map(stem, named.split())}
    wants = ({*map(stem, option.split())} - own for option in options if option != named)
    return any(each and each <= beside for each in wants)


def _known(options: Sequence[str]) -> frozenset[str]:
    return frozenset(chr(ord("A") + place) for place in range(min(len(options) or 26, 26)))


def _in_range(letters: frozenset[str], options: Sequence[str]) -> frozenset[str] | None:
    return letters if letters and letters <= _known(options) else None


_READINGS = (_sole, _by_text, _by_labels, _run_together, _by_truth, _by_amount, _standing, _by_mention)
"""Tried in this order."""
