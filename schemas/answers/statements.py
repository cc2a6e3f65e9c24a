"""A thought -> its sentences that cite a time, what they box, and the frames that stand for the times."""

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.evidence import placed_things
from reelproof.schemas.answers.placed import Boxed, in_tags
from reelproof.schemas.answers.quotes import QUOTED
from reelproof.schemas.footage import Span
from reelproof.schemas.question import Shown
from reelproof.schemas.thinning import thinned_to_ends

_SENTENCE_END = re.compile(r"(?<=[.!?;。！？])\s+(?![^\[\]]{0,60}\])|(?<=[。！？])|\n+")
_NAME = re.compile(r"<obj>[^<>]{0,200}</obj>")
_LONGEST_CLAIM = 1000

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


def cited_statements(thought: str, whole_quotes: bool = False) -> tuple[Statement, ...]:
    """The sentences of a thought that cite a time, in order; a box without one takes that cited before.

    With `whole_quotes`, what stands in quotation marks is of one sentence with what is around it.
    """
    return tuple(_statements(in_tags(thought), whole_quotes))


def _statements(text: str, whole_quotes: bool) -> Iterator[Statement]:
    before_s: float | None = None
    for sentence in _sentences(text, whole_quotes):
        said = sentence[:_LONGEST_CLAIM]
        things = tuple(each for each in placed_things(said, before_s) if each.time_s is not None)
        cited = cited_spans(sentence)
        if cited:
            before_s = cited[-1].start_s
        elif things and before_s is not None:
            cited = (Span(start_s=before_s, end_s=before_s),)
        if cited:
            yield Statement(said, cited, things, is_whole=said == sentence)


def _sentences(text: str, whole_quotes: bool) -> Iterator[str]:
    """No name in tags, and no quote, is torn apart by a full stop in it."""
    wholes = [each.span() for each in _NAME.finditer(text)] if "<obj>" in text else []
    if whole_quotes:
        wholes += [each.span() for each in QUOTED.finditer(text)]
    wholes.sort()
    firsts = [first for first, _ in wholes]
    reaches = list(itertools.accumulate((last for _, last in wholes), max))  # of all that begin before
    start = 0
    for end in _SENTENCE_END.finditer(text):
        before = bisect_left(firsts, end.start())
        if not before or reaches[before - 1] <= end.start():
            yield text[start : end.start()].strip()
            start = end.end()
    yield text[start:].strip()


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
