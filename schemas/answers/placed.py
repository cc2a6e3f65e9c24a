"""A thought -> what it puts into boxes of frames, as Open-o3-Video and Qwen-VL write them, and when.

Open-o3-Video (arXiv 2510.20579) writes `<obj>car</obj><box>[10,20,110,220]</box>at<t>12.4</t>s`, Qwen-VL a
JSON object with `bbox_2d` and `label`, and with `time` where it is of a film; Time-R1 (arXiv 2503.13377) says
`<timestep>12.54 to 17.83</timestep>`. Every pattern takes linear time.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from reelproof.schemas.answers.amounts import CLOCK, clock_seconds
from reelproof.schemas.place import Place

BoxUnit = Literal["pixels", "thousandths"]
"""What corners above 1 count: pixels of the frame as it is shown, or (Qwen3-VL) thousandths of its sides."""

_TIME = rf"{CLOCK}|\d{{1,9}}(?:\.\d{{1,9}})?"
_TAG_NAME = r"t(?:ime(?:st(?:amp|ep))?)?"
_TO = r"\s{0,2}(?:to|-|–|—)\s{0,2}"
_POINT = rf"({_TIME})\s{{0,2}}(?:s(?:ec(?:ond)?s?)?)?"
_TAGGED = rf"<{_TAG_NAME}>\s{{0,2}}{_POINT}(?:{_TO}{_POINT})?\s{{0,2}}</{_TAG_NAME}>(?:\s?s\b)?"
_TAGGED_TIME = re.compile(rf"{_TAGGED}(?:{_TO}{_TAGGED})?")
_NUMBER = r"\s{0,4}(-?\d{1,9}(?:\.\d{1,9})?)\s{0,4}"
_CORNERS = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_OBJECT = re.compile(
    r"<obj>([^<>]{1,200})</obj>\s{0,2}((?:<box>[^<>]{1,400}</box>\s{0,2}){1,16})"
    rf"(?:(?:at\s{{0,2}})?<t>\s{{0,2}}({_TIME})\s{{0,2}}s?\s{{0,2}}</t>(?:\s?s\b)?)?"
)
_JSON = re.compile(r"\{[^{}]{0,1000}\}")
_LABELS = ("label", "object", "name", "text_content")
_TIMES = ("time", "timestamp", "time_s")
_SAID_TIME = re.compile(rf"\s*({_TIME})\s*(?:s|sec|seconds)?\s*", re.IGNORECASE)


class Boxed(NamedTuple):
    """Something that a text puts into boxes of one frame."""

    label: str
    boxes: tuple[tuple[float, float, float, float], ...]
    """Left, top, right and bottom of each, as they are written."""
    time_s: float | None
    place: int
    """Where in the text it begins."""


class TimeSaid(NamedTuple):
    """A time or a span in tags, and where in the text it begins."""

    place: int
    first: str
    last: str | None


def boxed_things(text: str) -> tuple[Boxed, ...]:
    """What stands in Open-o3's tags, in order; JSON is read after `in_tags`."""
    found = (_boxed(each) for each in _OBJECT.finditer(text)) if "<obj>" in text else ()
    return tuple(each for each in found if each.boxes)


def tagged_times(text: str) -> Iterator[TimeSaid]:
    """The times that stand in tags: `<t>12.4</t>s`, `<t>3</t>s to <t>5.5</t>s`, `<t>3-5.5 s</t>`."""
    for found in _TAGGED_TIME.finditer(text) if "<t" in text else ():
        yield TimeSaid(found.start(), *_ends(found))


def without_tagged_times(text: str, in_place: bool = False) -> str:
    """The text with a space for each of them; `in_place`, with as many NULs as it has characters."""
    if "<t" not in text:
        return text
    return _TAGGED_TIME.sub(lambda found: "\x00" * len(found[0]) if in_place else " ", text)


def in_tags(text: str) -> str:
    """The text with each JSON object of a box in Open-o3's tags."""
    return _JSON.sub(_tagged, text) if "bbox_2d" in text else text


def in_plain_words(text: str, decimals: int = 1) -> str:
    """The text with what is boxed by its name and its time alone, as a verifier is asked about it.

    `decimals`: how many the times of its frames have.
    """
    if "<" not in text:
        return text
    named = _OBJECT.sub(lambda found: _named(found, decimals), text)
    return _TAGGED_TIME.sub(lambda found: _cited(*_ends(found), decimals), named)


def places_of(thing: Boxed, width: int, height: int, unit: BoxUnit) -> tuple[Place, ...]:
    """A boxed thing's places on a frame of that size in pixels.

    A box with no corner above 2 is written in shares of the frame already: so few pixels nobody boxes.
    """
    return tuple(_place(thing, box, width, height, unit) for box in thing.boxes)


def _place(
    thing: Boxed, box: tuple[float, float, float, float], width: int, height: int, unit: BoxUnit
) -> Place:
    across, down = (width, height) if unit == "pixels" else (1000, 1000)
    if max(map(abs, box)) <= 2:
        across = down = 1
    left, top, right, bottom = box
    return Place(
        label=thing.label,
        time_s=thing.time_s,
        left=round(left / across, 6),
        top=round(top / down, 6),
        right=round(right / across, 6),
        bottom=round(bottom / down, 6),
    )


def _boxed(found: re.Match[str]) -> Boxed:
    boxes = [tuple(map(float, corners)) for corners in _CORNERS.findall(found[2])]
    time_s = clock_seconds(found[3]) if found[3] else None
    return Boxed(" ".join(found[1].split()), tuple(boxes), time_s, found.start())  # type: ignore[arg-type]


def _tagged(found: re.Match[str]) -> str:
    """A JSON object of a box in tags; any other as it is."""
    try:
        value = json.loads(found[0])
        boxes = value["bbox_2d"]
        boxes = boxes if isinstance(boxes[0], list) else [boxes]
        written = "".join(f"<box>[{','.join(_written(each) for each in box)}]</box>" for box in boxes)
    except (ValueError, TypeError, LookupError, RecursionError):
        return found[0]
    label = next((str(value[name]) for name in _LABELS if value.get(name)), "object")
    plain = re.sub(r"[<>\s]+", " ", label).strip()[:200]
    time = next((_seconds(value[name]) for name in _TIMES if name in value), None)
    return f"<obj>{plain}</obj>{written}" + (f"at<t>{time}</t>s" if time else "")


def _written(number: Any) -> str:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ValueError(f"a corner is a number, got {number!r}")
    return f"{number:.12g}"


def _seconds(value: Any) -> str | None:
    found = _SAID_TIME.fullmatch(str(value))
    return found[1] if found else None


def _named(found: re.Match[str], decimals: int) -> str:
    return found[1].strip() + (f" at {_cited(found[3], None, decimals)}" if found[3] else "")


def _ends(found: re.Match[str]) -> tuple[str, str | None]:
    first, *others = (each for each in found.groups() if each is not None)
    return first, others[-1] if others else None


def _cited(first: str, last: str | None, decimals: int) -> str:
    ends = [f"{clock_seconds(each):.{decimals}f}" for each in (first, last) if each]
    return f"[{'-'.join(ends)} s]"
