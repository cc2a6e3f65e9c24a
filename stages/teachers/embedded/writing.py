"""What is written in frames -> on which of them some words stand, and which of several texts comes first."""

import re
import string
from collections.abc import Sequence
from typing import NamedTuple

from reelproof.schemas.answers.writing import is_written
from reelproof.schemas.written import TextLine
from reelproof.stages.teachers.embedded.measure import Region
from reelproof.stages.teachers.embedded.named import place_named
from reelproof.stages.teachers.embedded.view import Said, View, boxed, said

_SAYS = re.compile(r'does it say "([^"]+)"')


class _Found(NamedTuple):
    place: int
    """Of the frame, among the shown ones."""
    line: TextLine


def captioned_frame(view: View) -> Said | None:
    """The one option whose frame has these words."""
    asked = _SAYS.search(view.asked.text)
    places = [place_named(option, view.asked.shown) for option in view.asked.options]
    if asked is None:
        return None
    own = [_found(view, asked[1], [] if place is None else [place]) for place in places]
    right = [number for number, found in enumerate(own) if found is not None]
    if len(right) != 1:
        return None
    seen = [_reads(view, found, asked[1]) for found in own if found is not None]
    seen.append("I read it on none of the other frames that are asked about.")
    return said(view, seen, string.ascii_uppercase[right[0]])


def first_text(view: View) -> Said | None:
    """The option that the earliest frame shows; only where each of them is found, on a frame of its own."""
    options = view.asked.options
    every = [_found(view, option, range(len(view.asked.shown))) for option in options]
    found = [each for each in every if each is not None]
    if not found or len({each.place for each in found}) < len(options):
        return None
    order = sorted(range(len(found)), key=lambda number: found[number].place)
    seen = [_reads(view, found[number], options[number]) for number in order]
    return said(view, seen, string.ascii_uppercase[order[0]])


def _found(view: View, words: str, places: Sequence[int]) -> _Found | None:
    """The first of these frames that shows the words, and the line that does."""
    for place in places:
        for line in view.lines_at(place):
            if is_written(words, [line]):
                return _Found(place, line)
    return None


def _reads(view: View, found: _Found, words: str) -> str:
    """A sentence with the box of the line and the time of the frame."""
    part = Region(*found.line.within_frame().box[:4])
    time_s = view.asked.shown[found.place].time_s or 0.0
    quoted = f'"{words}"'
    return f"The text reads {boxed(quoted, part, time_s)}."
