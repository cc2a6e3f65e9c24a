"""The text of an answer -> what it measures: a number, spans of time, boxes.

Two ways to read each: strictly (the form that prompts ask for, and nothing around it) and leniently (what a
person would accept). A reading is None where the text does not say one thing: hedges ("3 or 4") are not
answers. Texts longer than `LONGEST_VALUE` characters are not read, and every pattern takes linear time.
"""

import re
from typing import NamedTuple

from reelproof.schemas.answers.wording import DENIAL, LONGEST_VALUE, tidy

CLOCK = r"\d{1,3}:\d{1,2}(?::\d{1,2})?(?:\.\d{1,9})?"
"""`m:s` or `h:m:s`, as a regular expression without groups."""
_PLAIN = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?"
_MOST_ITEMS = 64
"""Spans or boxes in one answer; nobody means more."""


class Amount(NamedTuple):
    """A number as it was said."""

    value: float
    percent: bool
    """It was followed by a percent sign; the value is as written."""
    unit_s: float | None
    """Seconds that its unit has; None without a unit of time."""


class Interval(NamedTuple):
    """[start_s, end_s) in seconds; may be reversed, as said."""

    start_s: float
    end_s: float


class Box(NamedTuple):
    """Corners of a box, and the time of the frame it is claimed on (None where none is named)."""

    left: float
    top: float
    right: float
    bottom: float
    time_s: float | None


def clock_seconds(text: str) -> float:
    """`12.4`, `1:02` or `1:02:03.5` -> seconds."""
    seconds = 0.0
    for field in text.split(":"):
        seconds = seconds * 60 + float(field)
    return seconds


_UNIT_SECONDS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
}
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORD_VALUES = {
    **{word: value for value, word in enumerate(_SMALL)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_GROUPED = r"\d{1,3}(?:,\d{3}){1,5}(?!\d)(?:\.\d{1,15})?|\d{1,3}(?: \d{3}){1,5}(?![\d.])"
_NUMERAL = rf"{_GROUPED}|\d{{1,18}}(?:[.,]\d{{1,15}})?|\.\d{{1,15}}"
_DIGITS = re.compile(
    rf"(?<![\w.])(?P<sign>[+-]\s?|minus |negative )?(?P<clock>{CLOCK})(?!\d)"
    rf"|(?<![\w.])(?P<sign2>[+-]\s?|minus |negative )?[$€£]?(?P<number>{_NUMERAL})"
    r"(?:(?:e|\s?[x×*]\s?10\^?)(?P<exponent>\(?[+-]?\d{1,3}\)?))?(?:\s?/\s?(?P<divisor>\d{1,9})(?![\d/]))?"
    r"\s?(?P<unit>%|[^\W\d_]{0,20})"
)
_NUMBER_WORD = "|".join((*_SMALL, *_TENS, *_SCALES))
_SPELT = re.compile(
    r"(?<!\w)(?<!\d )(?P<sign>minus |negative )?"
    rf"(?P<words>(?:{_NUMBER_WORD})(?:(?:\s|-| and |-and-)(?:{_NUMBER_WORD}))*)(?!\w)"
    r"\s?(?P<unit>%|[^\W\d_]{0,20})"
)
_BOUND = re.compile(
    r"[<>≤≥]|n't\b|\b(?:not|less|more|fewer|least|most|over|under|between|or|nor|unless|below|above)\b"
)
_STRICT_NUMBER = re.compile(_PLAIN)


def strict_amount(text: str) -> Amount | None:
    """`3`, `-2.5`: a plain numeral and nothing else."""
    if not _STRICT_NUMBER.fullmatch(text.strip()) or len(text) > LONGEST_VALUE:
        return None
    return Amount(float(text), percent=False, unit_s=None)


def lenient_amount(text: str) -> Amount | None:
    """`3.0`, `three`, `1,000`, `3 s`, `00:03`, `50 %`, `3 apples`, `2 + 1 = 3`; None for two values."""
    if len(text) > LONGEST_VALUE:
        return None
    plain = tidy(text).casefold().rpartition("=")[2].strip()
    plain = re.sub(r"\\d?frac\{(\d{1,9})\}\{(\d{1,9})\}", r"\1/\2", plain).replace("\\%", "%").strip("$ ")
    if plain.rstrip(".!") in ("none", "no", "nil"):
        return Amount(0.0, percent=False, unit_s=None)
    if _BOUND.search(plain):
        return None
    found = {_digits_amount(m) for m in _DIGITS.finditer(plain)} | {
        _spelt_amount(m) for m in _SPELT.finditer(plain)
    }
    by_value = {each.value: each for each in sorted(found - {None}, key=repr) if each is not None}
    return next(iter(by_value.values())) if len(by_value) == 1 and None not in found else None


def _digits_amount(found: re.Match[str]) -> Amount | None:
    sign = -1.0 if (found["sign"] or found["sign2"] or "+").strip() not in ("+", "") else 1.0
    if found["clock"]:
        return Amount(sign * clock_seconds(found["clock"]), percent=False, unit_s=1.0)
    value = _numeral(found["number"])
    if found["exponent"]:
        value *= 10.0 ** min(int(found["exponent"].strip("()")), 100)
    if found["divisor"]:
        if int(found["divisor"]) == 0:
            return None
        value /= int(found["divisor"])
    unit = found["unit"] or ""
    return _with_unit(sign * value * _SCALES.get(unit, 1.0), unit)


def _numeral(text: str) -> float:
    """`1,000` is a thousand, `3,5` three and a half: a comma groups only three digits."""
    whole = text.replace(" ", "")
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", whole):
        return float(whole.replace(",", ""))
    return float(whole.replace(",", "."))


def _spelt_amount(found: re.Match[str]) -> Amount | None:
    total = group = 0.0
    for word in re.findall(r"[a-z]+", found["words"]):
        if word == "hundred":
            group = (group or 1.0) * 100
        elif word in _SCALES:
            total, group = total + (group or 1.0) * _SCALES[word], 0.0
        elif word in _WORD_VALUES:
            if group % 100 and not (group % 10 == 0 and _WORD_VALUES[word] < 10):
                return None  # "three four" is two numbers
            group += _WORD_VALUES[word]
    return _with_unit((total + group) * (-1.0 if found["sign"] else 1.0), found["unit"] or "")


def _with_unit(value: float, unit: str) -> Amount:
    return Amount(value, percent=unit in ("%", "percent"), unit_s=_UNIT_SECONDS.get(unit))


_BRACKETED_SPAN = re.compile(rf"\[\s?({_PLAIN})\s?,\s?({_PLAIN})\s?\]")
_SPAN_LABEL = re.compile(r"\d{1,3}[\"']?\s?[:.)]\s?(?=\[)")
_STRICT_SPANS = re.compile(rf"(?:\[\s?{_PLAIN}\s?,\s?{_PLAIN}\s?\](?:\s?[,;]\s?(?=\[)|\s(?=\[)|$))+")
_UNIT = r"(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?)"
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_MINUTES_SECONDS = rf"\d{{1,9}}\s?(?:min|mins|minutes?|m)\s(?:and\s)?{_NUMBER}\s?(?:s|secs?|seconds?)\b"
_MOMENT = rf"(?:{CLOCK}|{_MINUTES_SECONDS}|{_NUMBER}(?:\s?{_UNIT}\b)?)"
_TO = r"(?:-{0,2}>|-|–|—|~|,|;|to|until|till|through|and|→)"
_LENIENT_SPAN = re.compile(
    rf"({_MOMENT})[\])]?\s?{_TO}\s?(?:(?:ends?|ending)\s?[:=]?\s?)?(?:at\s)?[\[(]?({_MOMENT})"
)
_TWO_NUMBERS = re.compile(rf"({_NUMBER})\s({_NUMBER})")


def strict_spans(text: str) -> tuple[Interval, ...] | None:
    """`[2.5, 4.0]`, several of them after one another."""
    plain = " ".join(text.split())
    if len(text) > LONGEST_VALUE or not _STRICT_SPANS.fullmatch(plain):
        return None
    return _intervals([(float(first), float(last)) for first, last in _BRACKETED_SPAN.findall(plain)])


def lenient_spans(text: str) -> tuple[Interval, ...] | None:
    """`2.5-4`, `from 2.5 s to 4 s`, `00:02 - 00:04`, `between 1 min 2 s and 70 s`.

    None where a number stands in no span, or not in brackets as the spans do, and where one is denied. The
    number of a scene or of an item before its brackets (`Scene 3: [2, 4]`) is neither.
    """
    if len(text) > LONGEST_VALUE:
        return None
    plain = tidy(text).casefold()
    if DENIAL.search(plain):
        return None
    bare = _TWO_NUMBERS.fullmatch(plain)
    ends = [bare.groups()] if bare else _BRACKETED_SPAN.findall(plain)
    if ends:
        rest = "" if bare else _BRACKETED_SPAN.sub(" ", _SPAN_LABEL.sub(" ", plain))
        spans = [(float(first), float(last)) for first, last in ends]
    else:
        rest = _LENIENT_SPAN.sub(" ", plain)
        spans = [_moments(first, last) for first, last in _LENIENT_SPAN.findall(plain)]
    return None if re.search(r"\d", rest) else _intervals(spans)


def _moments(first: str, last: str) -> tuple[float, float]:
    """Seconds of both ends; a unit after the second alone holds for both (`1 - 2 min`)."""
    unit = re.search(r"[a-z]+$", last)
    return _moment_s(
        first if re.search(r"[a-z:]", first) or unit is None else f"{first} {unit[0]}"
    ), _moment_s(last)


def _moment_s(text: str) -> float:
    if ":" in text:
        return clock_seconds(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s?([a-z]*)", text.replace("and", " "))
    return sum(
        float(number) * (60.0 if unit == "m" else _UNIT_SECONDS.get(unit, 1.0)) for number, unit in parts
    )


def _intervals(ends: list[tuple[float, float]]) -> tuple[Interval, ...] | None:
    return tuple(Interval(*each) for each in ends) if 0 < len(ends) <= _MOST_ITEMS else None


_BOX = rf"[\[(]\s?({_PLAIN})\s?,\s?({_PLAIN})\s?,\s?({_PLAIN})\s?,\s?({_PLAIN})\s?[\])]"
_STRICT_BOXES = re.compile(
    rf"(?:(?:\[{_PLAIN} s\] )?\[{_PLAIN}, ?{_PLAIN}, ?{_PLAIN}, ?{_PLAIN}\](?:[,;] (?=\[)| (?=\[)|$))+"
)
_LENIENT_BOX = re.compile(_BOX)
_BARE_BOX = re.compile(rf"{_PLAIN}(?:\s?,\s?{_PLAIN}){{3}}")
_BOX_TIME = re.compile(rf"({CLOCK})|({_PLAIN})\s?(?:s|sec|secs|seconds?)\b")


def strict_boxes(text: str) -> tuple[Box, ...] | None:
    """`[10, 20, 110, 220]` or `[12.4 s] [10, 20, 110, 220]`, several of them after one another."""
    plain = " ".join(text.split())
    return lenient_boxes(plain) if _STRICT_BOXES.fullmatch(plain) else None


def lenient_boxes(text: str) -> tuple[Box, ...] | None:
    """Boxes in either kind of bracket, each on the frame whose time (`12.4 s`, `0:12`) was last said before.

    A time said only after the only box counts as well. Left must not exceed right, nor top bottom.
    """
    if len(text) > LONGEST_VALUE:
        return None
    plain = " ".join(text.casefold().split())
    plain = f"[{plain}]" if _BARE_BOX.fullmatch(plain) else plain
    boxes: list[Box] = []
    before = 0
    time_s: float | None = None
    for found in _LENIENT_BOX.finditer(plain):
        time_s = _last_time(plain[before : found.start()], time_s)
        before = found.end()
        left, top, right, bottom = (float(corner) for corner in found.groups())
        boxes.append(Box(left, top, right, bottom, time_s))
    if len(boxes) == 1 and boxes[0].time_s is None:
        boxes = [boxes[0]._replace(time_s=_last_time(plain[before:], None))]
    sound = all(box.left <= box.right and box.top <= box.bottom for box in boxes)
    return tuple(boxes) if sound and 0 < len(boxes) <= _MOST_ITEMS else None


def _last_time(text: str, otherwise: float | None) -> float | None:
    said = [clock_seconds(clock) if clock else float(seconds) for clock, seconds in _BOX_TIME.findall(text)]
    return said[-1] if said else otherwise
