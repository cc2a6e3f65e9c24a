"""A thought -> its sentences that cite a time, what they box, and the frames that stand for the times."""

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from reelproof.schemas.answers.citing import cited_spans, unbracketed_times, without_citations
from reelproof.schemas.answers.evidence import placed_things
from reelproof.schemas.answers.placed import Boxed, in_tags
from reelproof.schemas.answers.quotes import QUOTED
from reelproof.schemas.answers.taking_back import takes_back
from reelproof.schemas.answers.wording import words
from reelproof.schemas.footage import Span
from reelproof.schemas.question import Shown
from reelproof.schemas.thinning import thinned_to_ends

_SHORT = (r"e\.g", r"i\.e", "approx", "ca", "cf", "vs", "Mr", "Mrs", "Ms", "Dr", "Prof")
_NO_END = "".join(rf"(?<!{each}\.)" for each in (r"\n\d", r"\n\d\d", *(rf"\b{each}" for each in _SHORT)))
"""What is short for something, and the number of an item."""
_SENTENCE_END = re.compile(
    rf"(?<=[.!?;。！？；]){_NO_END}\s+(?![^\[\]]{{0,60}}\])|(?<=[。！？；])|\n+", re.IGNORECASE
)
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,2}[.)])\s")
SAYS_NOTHING = frozenset(
    words(
        "at from to in on by the a an this these and then now next so let me us s we i you can look looking "
        "see watch check examine consider note notice observe following frame frames time timestamp "
        "timestamps moment second seconds clip video around about approximately approx roughly near between "
        "until here ok okay well closely closer bei von bis à de vers los 在第秒从到时"
    )
)
"""Words that say of a time no more than that it is spoken of."""
_NAME = re.compile(r"<obj>[^<>]{0,200}</obj>")
LONGEST_CLAIM = 1000
"""Characters; what a run-on sentence says after them is in no claim."""
_LONGEST_HEADING = 200

S = TypeVar("S", bound=Shown)


class Statement(NamedTuple):
    """A sentence of a thought, and the times that it cites."""

    text: str
    """Boxes that stood in JSON are in tags."""
    cited: tuple[Span, ...]
    things: tuple[Boxed, ...] = ()
    """What it puts into boxes of frames whose times are known."""
    is_whole: bool = True
    """Whether `text` is all of the sentence; a run-on one is cut off after 1,000 characters."""
    is_taken_back: bool = False
    """Whether the sentence after it says that it is wrong."""


def cited_statements(thought: str, whole_quotes: bool = False) -> tuple[Statement, ...]:
    """The sentences of a thought that cite a time, in order; a box without one takes that cited before.

    What names a time and says nothing is none by itself: it is one with the sentence or the list that it
    heads, or that it stands behind, or with both. With `whole_quotes`, what stands in quotation marks is of
    one sentence with what is around it.
    """
    return tuple(_statements(in_tags(thought), whole_quotes))


def _statements(text: str, whole_quotes: bool) -> Iterator[Statement]:
    before_s: float | None = None
    for start, end, cited, is_empty in _sayings(text, whole_quotes):
        sentence = text[start:end]
        said = sentence[:LONGEST_CLAIM]
        things = tuple(each for each in placed_things(said, before_s) if each.time_s is not None)
        if cited:
            before_s = cited[-1].start_s
        elif things and before_s is not None:
            cited = (Span(start_s=before_s, end_s=before_s),)
        if cited and (things or not is_empty):
            is_taken_back = takes_back(text[end : end + _LONGEST_HEADING].lstrip(), said)
            yield Statement(said, cited, things, said == sentence, is_taken_back)


class _Saying(NamedTuple):
    """What is said at one go, half-open in the text; it begins and ends with something."""

    start: int
    end: int
    cited: tuple[Span, ...]
    is_empty: bool
    """Whether it says nothing but its times."""


def _sayings(text: str, whole_quotes: bool) -> Iterator[_Saying]:
    """Sentences, each with what belongs to it: the half after a semicolon that cites no time of its own; the
    list after a colon; of a mere time the sentence, or the list, that it heads or stands behind. A time in
    brackets between two sentences may be that of either, and is that of both.
    """
    held: _Saying | None = None
    is_list = False
    for start, end in _sentences(text, whole_quotes):
        new = _saying(text, start, end)
        if held is None:
            held = new
            continue
        is_item = _ITEM.match(text, start) is not None
        goes_on = "\n" not in text[held.end : start]
        if new.cited:
            belongs = goes_on and not held.cited and (new.is_empty or text[start] in "[【")
        else:
            is_list = is_item and (held.is_empty or is_list or text[held.end - 1] in ":：")
            belongs = held.is_empty or is_list or (goes_on and text[held.end - 1] in ";；")
        if belongs:
            held = _Saying(held.start, end, held.cited or new.cited, held.is_empty and new.is_empty)
        else:
            yield held
            held, is_list = new, False
    if held is not None:
        yield held


def _saying(text: str, start: int, end: int) -> _Saying:
    said = text[start:end]
    cited = cited_spans(said)
    return _Saying(start, end, cited, _is_empty(said) if cited else not words(said))


def _is_empty(said: str) -> bool:
    if len(said) > _LONGEST_HEADING:
        return False
    if item := _ITEM.match(said):
        said = said[item.end() :]
    left = list(said)
    for each in unbracketed_times(said):
        left[each.start : each.end] = " " * (each.end - each.start)
    return SAYS_NOTHING.issuperset(words(without_citations("".join(left))))


def _sentences(text: str, whole_quotes: bool) -> Iterator[tuple[int, int]]:
    """Where they are, without blanks. No name in tags, and no quote, is torn apart by a full stop in it."""
    wholes = [each.span() for each in _NAME.finditer(text)] if "<obj>" in text else []
    if whole_quotes:
        wholes += [each.span() for each in QUOTED.finditer(text)]
    wholes.sort()
    firsts = [first for first, _ in wholes]
    reaches = list(itertools.accumulate((last for _, last in wholes), max))  # of all that begin before
    start = 0
    for first, last in (*(end.span() for end in _SENTENCE_END.finditer(text)), (len(text), len(text))):
        before = bisect_left(firsts, first)
        if first < len(text) and before and reaches[before - 1] > first:
            continue
        said = text[start:first]
        if blanks := len(said) - len(said.lstrip()):
            start += blanks
        if said := said.strip():
            yield start, start + len(said)
        start = last


def timed(frames: Iterable[S]) -> list[S]:
    """Those that carry their times, in order of time."""
    return sorted((each for each in frames if each.shown_s is not None), key=lambda each: each.shown_s or 0.0)


def cited_frames(
    cited: Sequence[Span], shown: Sequence[Shown], tolerance_s: float, most: int
) -> list[int] | None:
    """Places in `shown` (in order of time) that stand for the cited times; None where one has no frame."""
    places: set[int] = set()
    for span in cited:
        away_s = [_distance_s(each, span) for each in shown]
        nearest_s = min(away_s, default=math.inf)
        if nearest_s > tolerance_s:
            return None
        if span.end_s == span.start_s:
            places.add(away_s.index(nearest_s))
        else:
            places.update(place for place, each_s in enumerate(away_s) if each_s <= nearest_s)
    return thinned_to_ends(sorted(places), most)


def _distance_s(shown: Shown, span: Span) -> float:
    """Seconds from a frame to a span; 0 inside."""
    time_s = shown.shown_s or 0.0
    return max(span.start_s - time_s, time_s - span.end_s, 0.0)
