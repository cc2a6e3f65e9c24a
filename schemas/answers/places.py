"""The text of an answer -> spans of time, or boxes in a frame.

Strictly: the form that prompts ask for. Leniently: what a person would accept. A reading is None where the
text does not say one thing. Texts longer than `LONGEST_VALUE` characters are not read, and every pattern
takes linear time.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from reelproof.schemas.answers.amounts import CLOCK, PLAIN_NUMBER, SECONDS_OF, clock_seconds, spelt_as_digits
from reelproof.schemas.answers.wording import DENIAL, LONGEST_VALUE, as_json, in_plain_signs, tidy

_MOST_ITEMS = 64
"""Spans or boxes in one answer; nobody means more."""


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


_NUM = r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e[+-]?\d{1,2})?"
_BRACKETED_SPAN = re.compile(rf"[\[(]\s?[\"']?({_NUM})[\"']?\s?,\s?[\"']?({_NUM})[\"']?\s?[\])]")
_SPAN_LABEL = re.compile(r"\d{1,3}[\"']?\s?[:.)]\s?(?=\[)")
_STRICT_SPANS = re.compile(
    rf"(?:\[\s?{PLAIN_NUMBER}\s?,\s?{PLAIN_NUMBER}\s?\](?:\s?[,;]\s?(?=\[)|\s(?=\[)|$))+"
)
_UNIT = r"(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|秒|초|分|분)"
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_MINUTES_SECONDS = rf"\d{{1,9}}\s?(?:min|mins|minutes?|m)\s(?:and\s)?{_NUMBER}\s?(?:s|secs?|seconds?)\b"
_MOMENT = rf"(?:{CLOCK}|{_MINUTES_SECONDS}|{_NUMBER}(?:\s?{_UNIT}(?![a-z]))?)"
_TO = r"(?:-{0,2}>|-|~|,|;|to|until|till|through|bis|and|→|到|至|부터|から)"
_LENIENT_SPAN = re.compile(
    rf"({_MOMENT})[\])]?\s?{_TO}\s?(?:(?:ends?|ending)\s?(?:time)?\s?[:=]?\s?)?(?:at\s)?[\[(]?({_MOMENT})"
)
_TWO_NUMBERS = re.compile(rf"({_NUMBER})\s({_NUMBER})")
_FIRST = re.compile(rf"(?:in )?the first ({_MOMENT})[.!]?")
_MORE = re.compile(
    rf"[,(]?\s?(?:i\.e\.,?|so|which is|lasting|for)\s(?:about\s|around\s)?{_NUMBER}\s?{_UNIT}"
    r"(?:\s(?:long|in total))?\)?"
    rf"|\b(?:in|of) (?:the|this|a) {_NUMBER}[\s-]?{_UNIT} (?:video|clip|film)\b"
)
_ENDS = re.compile(
    rf"start(?:s|ing)?(?: time)?\s?[:=]\s?({_MOMENT})[\s,;]{{0,3}}(?:and )?"
    rf"end(?:s|ing)?(?: time)?\s?[:=]\s?({_MOMENT})"
)
_SRT = re.compile(r"(\d{1,3}:\d{2}:\d{2}),(\d{3})(?!\d)")
_ANGLED = re.compile(rf"<\s?({_MOMENT})\s?>\s?,?\s?<\s?({_MOMENT})\s?>")
_CJK_DIGITS = {"两": "2", **dict(zip("一二三四五六七八九", "123456789", strict=True))}
_CJK_SECONDS = re.compile("([" + "".join(_CJK_DIGITS) + "])(?=秒)")
_HEDGED = re.compile(r"[\d\])s]\s?,?\sor\s[\[(\d]|\b(?:outside|except|everything but)\b")
_SECOND_FIRST = re.compile(r"\bseconds?\s(?=\d)")
_COUNTED = re.compile(r"\bframes?\b")


def strict_spans(text: str) -> tuple[Interval, ...] | None:
    """`[2.5, 4.0]`, several of them after one another."""
    plain = " ".join(text.split())
    if len(text) > LONGEST_VALUE or not _STRICT_SPANS.fullmatch(plain):
        return None
    return _intervals([(float(first), float(last)) for first, last in _BRACKETED_SPAN.findall(plain)])


@lru_cache(maxsize=4096)  # an answer is held against many
def lenient_spans(text: str) -> tuple[Interval, ...] | None:
    """`2.5-4`, `from 2.5 s to 4 s`, `00:02 - 00:04`, `two to four seconds`, `{"start": 2, "end": 4}`, SRT.

    None where a number stands in no span, or not in brackets as the spans do, and where one is denied. The
    number of a scene or of an item before its brackets (`Scene 3: [2, 4]`) is neither.
    """
    if len(text) > LONGEST_VALUE:
        return None
    named = _named_ends(as_json(in_plain_signs(text)))
    plain = named or tidy(_ANGLED.sub(r"\1 to \2", _SRT.sub(r"\1.\2", text))).casefold()
    if DENIAL.search(plain) or _COUNTED.search(plain) or _HEDGED.search(plain):
        return None
    plain = spelt_as_digits(plain)
    plain = _SECOND_FIRST.sub("", plain)
    plain = _MORE.sub(" ", _CJK_SECONDS.sub(lambda found: _CJK_DIGITS[found[1]], plain))
    plain = _ENDS.sub(r"\1 to \2", plain)
    if first := _FIRST.fullmatch(plain):
        return _intervals([(0.0, _moment_s(first[1]))])
    bare = _TWO_NUMBERS.fullmatch(plain)
    ends = [bare.groups()] if bare else _BRACKETED_SPAN.findall(plain)
    if ends:
        rest = "" if bare else _BRACKETED_SPAN.sub(" ", _SPAN_LABEL.sub(" ", plain))
        spans = [(float(first), float(last)) for first, last in ends]
    else:
        rest = _LENIENT_SPAN.sub(" ", plain)
        spans = [_moments(first, last) for first, last in _LENIENT_SPAN.findall(plain)]
    return None if re.search(r"\d", rest) else _intervals(spans)


def _named_ends(value: Any) -> str | None:
    """`{"start": 2, "end": 4}` is `2 to 4`; None for anything else."""
    if not isinstance(value, dict):
        return None
    ends: dict[str, Any] = {
        str(name).casefold().partition("_")[0]: each for name, each in value.items() if each is not None
    }
    if not {"start", "end"} <= ends.keys() or len(ends) > 3:
        return None
    return f"{ends['start']} to {ends['end']}"


def _moments(first: str, last: str) -> tuple[float, float]:
    """Seconds of both ends; a unit after the second alone holds for both (`1 - 2 min`)."""
    unit = re.search(r"[^\d\s.:]+$", last)
    return _moment_s(
        first if re.search(r"[^\d\s.]", first) or unit is None else f"{first} {unit[0]}"
    ), _moment_s(last)


def _moment_s(text: str) -> float:
    if ":" in text:
        return clock_seconds(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s?([^\d\s.]*)", text.replace("and", " "))
    return sum(float(number) * (60.0 if unit == "m" else SECONDS_OF.get(unit, 1.0)) for number, unit in parts)


def _intervals(ends: list[tuple[float, float]]) -> tuple[Interval, ...] | None:
    return tuple(Interval(*each) for each in ends) if 0 < len(ends) <= _MOST_ITEMS else None


_BETWEEN = r"(?:\s?,\s?|\s)"
_BOX = rf"[\[(]\s?({_NUM}){_BETWEEN}({_NUM}){_BETWEEN}({_NUM}){_BETWEEN}({_NUM})\s?[\])]"
_STRICT_BOXES = re.compile(
    rf"(?:(?:\[{PLAIN_NUMBER} s\] )?"
    rf"\[{PLAIN_NUMBER}, ?{PLAIN_NUMBER}, ?{PLAIN_NUMBER}, ?{PLAIN_NUMBER}\](?:[,;] (?=\[)| (?=\[)|$))+"
)
_LENIENT_BOX = re.compile(_BOX)
_BARE_BOX = re.compile(rf"{_NUM}(?:\s?,\s?{_NUM}){{3}}")
_CORNERS = re.compile(
    rf"[\[(]\s?({_NUM})\s?,\s?({_NUM})\s?[\])]\s?(?:,|-|to|and)?\s?[\[(]\s?({_NUM})\s?,\s?({_NUM})\s?[\])]"
)
_NAMED_CORNERS = re.compile(
    rf"x_?1\s?[:=]\s?({_NUM})[\s,;]+y_?1\s?[:=]\s?({_NUM})[\s,;]+x_?2\s?[:=]\s?({_NUM})[\s,;]+y_?2\s?[:=]\s?({_NUM})"
)
_OTHER_BOX = re.compile(r"\bor\b(?=\s?(?:at\s|in\s)?[\[(])")
_TAGS = re.compile(r"<obj>.{0,200}?</obj>|</?(?:box|t|obj)>")
_BOX_TIME = re.compile(rf"({CLOCK})|({PLAIN_NUMBER})\s?(?:s|sec|secs|seconds?)\b")


def strict_boxes(text: str) -> tuple[Box, ...] | None:
    """`[10, 20, 110, 220]` or `[12.4 s] [10, 20, 110, 220]`, several of them after one another."""
    plain = " ".join(text.split())
    return lenient_boxes(plain) if _STRICT_BOXES.fullmatch(plain) else None


def lenient_boxes(text: str) -> tuple[Box, ...] | None:
    """Boxes in either kind of bracket, as two corners, as x1 … y2, or as Open-o3 writes them, each on the
    frame whose time (`12.4 s`, `0:12`) was last said before.

    A time said only after the only box counts as well. Left must not exceed right, nor top bottom.
    """
    if len(text) > LONGEST_VALUE:
        return None
    plain = " ".join(_TAGS.sub(" ", in_plain_signs(text)).casefold().split())
    if DENIAL.search(plain) or _OTHER_BOX.search(plain):
        return None
    plain = re.sub(r"([\[(]) | (?=[\])])", lambda found: found[1] or "", plain)
    plain = _NAMED_CORNERS.sub(r"[\1, \2, \3, \4]", _CORNERS.sub(r"[\1, \2, \3, \4]", plain))
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
