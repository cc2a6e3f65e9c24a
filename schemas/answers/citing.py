"""A text -> the times and spans that it cites; every pattern takes linear time."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reelproof.schemas.answers.amounts import CLOCK, clock_seconds
from reelproof.schemas.answers.loose_times import LooseTime, loose_times
from reelproof.schemas.answers.placed import in_plain_words, in_tags, tagged_times, without_tagged_times
from reelproof.schemas.footage import Span

_POINT = rf"(?P<time>{CLOCK}|\d{{1,9}}(?:\.\d{{1,9}})?)\s{{0,2}}(?:s(?:ec(?:ond)?s?)?\b|秒|초)?"
_BARE_POINT = _POINT.replace("?P<time>", "?:")
_ABOUT = r"(?:(?:at|around|about|from|between|frames?\sat|t\s?=|~|≈)\s{0,2}){0,2}"
_TO = r"[-–—−~～]|to|until|through|至|到"
_COMMA = r"(?:(?<=[s秒초])|(?<=:\d\d)),(?:\s?and)?|,\s(?:and)?"
"""Not that of `3,5 s`."""
_JOINED = rf"\s{{0,2}}(?:{_COMMA}|[，、;/&]|and|{_TO})\s{{0,2}}"
_CITATION = re.compile(
    rf"\\?[\[［【<]\s{{0,2}}{_ABOUT}{_BARE_POINT}(?:{_JOINED}{_ABOUT}{_BARE_POINT}){{0,7}}\s{{0,2}}\\?[\]］】>](?:\s?s(?:ec(?:ond)?s?)?\b)?",
    re.IGNORECASE,
)
"""`[3.0 s]`, `[3.0-5.5 s]`, `[0:03, 0:05]`, `<3.0 seconds>`: a time in brackets, several, or a span."""
_UNIT = r"(?:s(?:ec(?:ond)?s?)?\b|[秒초])"
_NUMBER = r"\d{1,5}(?:\.\d{1,9})?"
_NOTE = re.compile(r"[\[［【]([^\[\]［］【】\n]{2,80})[\]］】]")
_NOTED = re.compile(
    rf"(?<![\d.,:−-])(?:(?P<first>{CLOCK}|{_NUMBER})\s?{_UNIT}?\*{{0,3}}"
    rf"\s?(?:{_TO}|-{{1,2}}>|→|\.{{2,3}}|…|,?\s?end(?:s|ing)?\s?[:=]?)\s?\*{{0,3}})?"
    rf"(?P<time>{CLOCK}|{_NUMBER}\s?{_UNIT})",
    re.IGNORECASE,
)
"""A time or a span among other words in brackets: `[3.0 s, on the left]`, `[start: 3.0 s, end: 5.0 s]`."""
_LASTS = re.compile(
    r"\b(?:later|long|last(?:s|ing)?|for|duration|per|every|within|ago|apart|after|before|total|remaining)\b|\bs(?:ec(?:ond)?s?)?\sleft\b",
    re.IGNORECASE,
)
_NEXT_POINT = re.compile(rf"(?P<joined>{_JOINED})?{_ABOUT}{_POINT}", re.IGNORECASE)
_SPANS = re.compile(rf"\s*(?:{_TO})\s*", re.IGNORECASE)
_TIME_MARK = re.compile(r"\d\s{0,2}(?:s|秒|초)|:\d|\d[\]>]\s?s", re.IGNORECASE)


class Cited(NamedTuple):
    """A time or a span that a text cites, and where in the text it does."""

    place: int
    span: Span


def cited_spans(thought: str) -> tuple[Span, ...]:
    """Times that a text cites, in its order: `[12.4 s]` is a span of length 0, `[3.0-5.5 s]` one of 2.5 s.

    `[0:12]` is read as well, so are several times in one pair of brackets, and what stands in tags
    (`<t>12.4</t>s`) or beside a box in JSON; a number in brackets without a unit is not a time. Times without
    brackets are, where they plainly point at the film (`at 12.4 s`). A reversed span is turned round: what it
    points at is the same.
    """
    return tuple(each.span for each in citations(in_tags(thought)))


def citations(text: str) -> list[Cited]:
    """The same with their places, of a text without JSON."""
    found = [
        Cited(each.start(), span)
        for each in _CITATION.finditer(text)
        if _TIME_MARK.search(each[0])
        for span in _spans_in(each[0])
    ]
    found += [Cited(each.place, _span_of(each.first, each.last)) for each in tagged_times(text)]
    found += [Cited(each.start, span) for each in unbracketed_times(text) for span in each.spans]
    return sorted(found, key=lambda each: each.place)


def unbracketed_times(text: str) -> Iterator[LooseTime]:
    """The times that stand neither in tags nor alone in brackets, with their places."""
    plain = _CITATION.sub(lambda found: "\x00" * len(found[0]), without_tagged_times(text, in_place=True))
    loose = list(loose_times(plain))
    yield from sorted([*loose, *_noted(plain, [each.start for each in loose])])


def _noted(text: str, loose: list[int]) -> Iterator[LooseTime]:
    """Those in brackets with other words, of which none stands at one of these places."""
    for note in _NOTE.finditer(text):
        if bisect_left(loose, note.start()) < bisect_left(loose, note.end()) or _LASTS.search(note[1]):
            continue
        for found in _NOTED.finditer(text, *note.span(1)):
            spans = (_span_of(*(_bare(each) for each in (found["first"] or found["time"], found["time"]))),)
            yield LooseTime(*found.span(), spans)


def _bare(said: str) -> str:
    """`3.0 s` is `3.0`."""
    return re.sub(r"[^\d:.]", "", said)


def without_citations(thought: str) -> str:
    """The text with a space for each time in brackets or tags; other brackets and loose times stay."""
    plain = without_tagged_times(thought)
    return _CITATION.sub(lambda found: " " if _TIME_MARK.search(found[0]) else found[0], plain)


def in_plain_times(text: str) -> str:
    """The text with each time in brackets or tags as an answer says it: `3 s`, and a span as `[3, 5]`."""
    return _CITATION.sub(
        lambda found: _plain(_spans_in(found[0])) if _TIME_MARK.search(found[0]) else found[0],
        in_plain_words(text),
    )


def _plain(spans: Iterable[Span]) -> str:
    said = (
        f"[{each.start_s:g}, {each.end_s:g}]" if each.end_s > each.start_s else f"{each.start_s:g} s"
        for each in spans
    )
    return ", ".join(said)


def _spans_in(bracketed: str) -> Iterator[Span]:
    """Those of one pair of brackets: what stands between two times tells whether they are a span."""
    before: str | None = None
    for point in _NEXT_POINT.finditer(bracketed):
        if before is not None and _SPANS.fullmatch(point["joined"] or ""):
            yield _span_of(before, point["time"])
            before = None
            continue
        if before is not None:
            yield _span_of(before, None)
        before = point["time"]
    if before is not None:
        yield _span_of(before, None)


def _span_of(said: str, until: str | None) -> Span:
    first = clock_seconds(said)
    second = clock_seconds(until) if until else first
    return Span(start_s=min(first, second), end_s=max(first, second))
