"""A text -> the times that it says without brackets, where they point at a moment or a stretch of the film.

`At 3.0 s`, `from 3 to 5 seconds`, `by the 7-second mark`, `0:12: …` do, in bold as well, and `第3秒`.
How long something lasts, what a clock or a question says, when a shop opens, and what is quoted do not. What
may be either is left: a length that is put to a verifier as a moment could cost a sound thought its place.
Every pattern takes linear time.
"""

import functools
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.schemas.answers.amounts import SECONDS_OF, clock_seconds
from reelproof.schemas.answers.quotes import QUOTED
from reelproof.schemas.footage import Span

_FILM = r"the\s(?:clip|video|film|footage)\b"
_LENGTH_AFTER = (
    r"[\s-]{0,2}(?:(?:later|after|before|earlier|ago|longer|long|apart|apiece|per|behind|ahead|faster|slower|away"
    r"|intervals?|spacing|steps?|duration|delay|pause|gap|total|to\sgo|left\s(?:on|in|to)"
    r"|in\s(?:length|duration|total)|(?:this|in\sthe)\s(?:morning|afternoon|evening)|tonight|local\stime"
    r"|(?:(?:have|has|are)\s)?(?:pass|passed|elapsed?|over|up)|remain\w*|[ap]\.?m|o['’]clock)\b"
    rf"|(?:of|into)\s(?!{_FILM})|之?[后後]|[钟鐘]|[之以]?[内內]|[间間长長]|的时间|후|동안|간)"
)
_CLOCK = r"\d{1,3}:[0-5]\d(?::[0-5]\d)?(?:\.\d{1,9})?(?!\d|:\d)"
_NUMBER = r"(?!(?:1[5-9]|20)\d0s\b)\d{1,5}(?:\.\d{1,9})?"
"""Not `1980s`."""
_MINUTES = r"\d{1,3}[\s-]?(?:mins?|minutes?)\b"
"""`25 m` are metres."""
_SECONDS = (
    rf"{_NUMBER}(?:[\s-]?(?:m?s|secs?|(?:milli)?seconds?|sek|sekunden?|secondes?|segundos?)(?![A-Za-z0-9_])"
    r"|\s?[秒초])"
)
_AMOUNT = rf"(?>{_CLOCK}|(?:\d{{1,3}}\s?(?:m|mins?|minutes?|分|분)\s?(?:and\s)?)?{_SECONDS}|{_MINUTES})"
_TIME = rf"{_AMOUNT}(?!['’/]|{_LENGTH_AFTER})"
_ABOUT = r"(?:(?:about|around|approximately|roughly|exactly|timestamp|~|≈)\s?){0,2}"
_TO = r"(?:[-–—~～]|to|until|till|through|bis|à|至|到)"
_JOINED = rf"\s?(?:,(?=\s)(?:\sand)?|[，、&和]|and|und|et|y|{_TO})\s?(?:again\s)?(?:at\s)?第?{_ABOUT}"
_TIMES = rf"(?P<times>(?:(?:{_TIME}|{_NUMBER}){_JOINED}){{0,7}}{_TIME})"
_TIMES += rf"(?!\s?{_TO}\s?{_AMOUNT}{_LENGTH_AFTER})"
"""Of several the last has a unit: `3 to 5 seconds`, `3.0, 5.0 and 7.0 s`."""
_SPAN = rf"(?:{_TIME}|{_NUMBER})\s?{_TO}\s?{_TIME}"
_POINT_AT = (
    r"(?<![\w-])(?:at|until|till|from|since|as\sof|before|near|timestamps?|(?:after|past|by)(?=\s\d{1,3}:))"
    rf"\s{_ABOUT}{_TIMES}",
    rf"(?<![\w-])(?:bei|ab|gegen|à|vers|(?:a|desde|hasta)\slos|aos)\s{_TIMES}",
    rf"(?:^|[.,;:]\s|\n|\b(?:and|but|so|that)\s)by\s{_ABOUT}{_TIMES}",
    rf"(?:^|[.,;:]\s|\n|\b(?:und|dann|y|luego|et|puis)\s)(?:um|zwischen|alrededor\sde|entre|autour\sde)"
    rf"\s{_TIMES}(?!\s(?:länger|kürzer|später|früher|lang|ver\w+|más|de\sdurac|plus|de\sdur))",
    rf"@\s?{_TIMES}",
    rf"\bframes?\s{_TIMES}",
    rf"(?<![\w.:])(?P<times>{_TIME})\sinto\s{_FILM}",
    rf"(?:^|\n|[.;]\s{{1,2}})(?P<times>{_SPAN}),\s",
    rf"\b(?:during|throughout)\s{_ABOUT}(?P<times>{_SPAN})",
    rf"\bt\s?[=≈]\s?(?P<times>{_NUMBER})(?:\s?s\b)?",
    rf"(?<![\w.:])(?P<times>{_TIME})[\s-](?:mark|point|frames?|timestamp)\b",
    r"\b(?:(?:at|from|in|by|until|around|during)\sseconds?|(?:bei|in|ab)\ssekunde|en\sel\ssegundo"
    r"|à\sla\sseconde)\s"
    rf"(?P<times>{_NUMBER}(?:\s?{_TO}\s?(?:second\s)?{_NUMBER})?)(?![\w:]|\.\d|\s(?:s|secs?|seconds?)\b)",
    rf"(?:^|\n)[\s*•–-]{{0,8}}(?:\d{{1,2}}[.)]\s)?\*{{0,2}}(?:time(?:stamp)?:?\s)?"
    rf"(?P<times>{_TIME}(?:\s?{_TO}\s?{_TIME})?)\*{{0,2}}\s?[:|–—-]\s",
    rf"(?:^|\n)\s{{0,3}}\|\s{{0,8}}(?P<times>{_TIME}(?:\s?{_TO}\s?{_TIME})?)\s{{0,8}}\|",
    rf"(?<![\w.:])(?P<times>{_TIME})\sin(?=[,.;])",
    rf"(?:[\"'](?:t|time(?:_?s|stamp)?)[\"']\s?:\s?[\"']?|\b(?:t|time(?:stamp)?)=[\"'])"
    rf"(?P<times>{_TIME}|{_NUMBER})(?=[\"',}}])",
    rf"[在第从從自到至于於]\s?{_TIMES}",
    rf"(?<![续續每了共长長待时時分분\d.])(?P<times>{_TIME})\s?(?:[时時处處](?![间間])|左右|的画面|に|の時点|頃|ごろ|에|쯤|경|지점)",
)
_MAY_POINT_AT = (
    rf"(?<![\w-])(?:around|about|between)\s(?:the\s(?=\d{{1,3}}:))?{_ABOUT}{_TIMES}",
    rf"[~≈]\s?{_TIMES}",
    rf"\(\s?(?:(?:see|cf\.?|e\.g\.,?)\s)?{_ABOUT}(?P<times>(?:{_TIME}(?:\s?(?:,|and)\s?{_TIME})?|{_SPAN}))\s?\)",
    rf"(?<![\w.:-])(?P<times>{_TIME}\s?{_TO}\s?{_TIME})",
)
"""A length may stand there as well."""
_NEXT = re.compile(
    rf"(?P<joined>{_JOINED}(?:second\s)?)?(?P<time>{_TIME}|{_NUMBER})",
    re.IGNORECASE,
)
_IS_SPAN = re.compile(rf"\s?{_TO}\s?(?:at\s)?第?{_ABOUT}(?:second\s)?", re.IGNORECASE)
_FIELD = re.compile(r"(\d+(?:\.\d+)?)[\s-]?([^\W\d_]*)")
_LENGTH_BEFORE = re.compile(
    r"\b(?:last(?:s|ed|ing)?|takes?|took|taking|taken|for|in|within|of|than|every|after|spen[dt]\w*|need(?:s|ed)?"
    r"|requir\w+|over|under|another|wait\w*|paus\w+|aged|only|long|brief|short|longer|shorter"
    r"|(?:is|was|are|were)\s(?=about|around|~|≈))\s?(?:around|about|between|~|≈|\(|\s)*$",
    re.IGNORECASE,
)
_COMPARES_LENGTHS = re.compile(
    r"\b(?:long(?:er|est)?|short(?:er|est)?|lasts?|lasted|takes?|took|paus\w+|waits?|fast(?:er|est)|slow(?:er|est))\b",
    re.IGNORECASE,
)
"""In brackets stands then how long it is: `The first scene is longer (4 s) than the second (2 s).`"""
_NOTHING_SEEN = re.compile(
    r"\b(?:questions?|options?|choices?|ask(?:s|ed|ing)\s(?:what|when|where|who|which|how|about|for)"
    r"|the\sanswer(?!\s(?:is|can\sbe|becomes)\s(?:visible|shown|seen|found|given|clear)\b)"
    r"|if(?!\s(?:we|you|one|i)\slook\b)|whether|need\sto|clock|wristwatch|timer|scoreboard|stopwatch|countdown"
    r"|schedul\w+|timetable|alarm\s(?:is\s)?(?:set|for)|duration|length|delay|gap"
    r"|records?\s(?:stands?|is|was|of|time))\b",
    re.IGNORECASE,
)
"""The words of a question, what a clock shows, a length: a time in the same clause is no moment seen."""
_GOES_TO_LOOK = re.compile(r"\blet(?:\s(?:me|us)|['’]s)\b", re.IGNORECASE)
_TELLS_NEXT = re.compile(r"\s?[:,]\s\w")
_SHOWS_TIMES = r"(?:clock|watch|sign|board|display|timetable|schedule)"
_READ_OFF = re.compile(
    rf"\b{_SHOWS_TIMES}\s(?:on\s\w+\s\w+\s)?(?:says?|shows?|reads?|tells?)\b"
    rf"|\b(?:according\sto|says?|on|by)\s(?:the|his|her|a|an)\s(?:[\w-]+\s){{0,2}}{_SHOWS_TIMES}\b",
    re.IGNORECASE,
)
_IN_PICTURE = re.compile(rf"\b{_SHOWS_TIMES}\b", re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"(?:0?[1-9]|1\d|2[0-3]):[0-5][05]")
_HAS_HOURS = re.compile(
    r"\b(?:trains?|bus(?:es)?|tram|flights?|planes?|ferry|meetings?|class(?:es)?|lessons?|school|shops?|stores?"
    r"|museum|library|bank|office|restaurant|appointments?|breakfast|lunch|dinner|news|games?|match|concert"
    r"|party|ceremony|exam|shift|work|bed|wakes?|gets?\sup|score)\b[^,]{0,80}$",
    re.IGNORECASE,
)
"""What goes by the time of day, and the score of a game: `The train leaves at 10:30.`"""
_BETWEEN = re.compile(r"\b(?:between|zwischen|entre)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.!?](?=\s)|[;\n。！？；]|\b(?:because|since|but|therefore)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[\n。！？]")
_NEAR = 300
"""Characters around a time that are looked at."""
_BLANKS = str.maketrans("\u00a0\u202f\u2009\u3000\t０１２３４５６７８９（）", "     0123456789()")
_MARKUP = re.compile(
    r"(?<=[ ]) +|\*{1,3}(?=[\w~≈])|(?<=[\w.])\*{1,3}|`|(?<!\w)_{1,2}(?=\w)|(?<=[^\W_])_{1,2}(?!\w)"
)
_DECIMAL_COMMA = re.compile(
    r"(?P<word>\b(?:bei|ab|gegen|von|bis|und|à|et|y|vers|(?:a|desde|hasta)\slos|aos|segundo|sekunde|seconde)\s)?"
    r"(?<![\d.,])(?P<first>\d{1,4}),(?P<second>\d{1,2})"
    r"(?=[\s-]?(?:s|secs?|seconds?|(?P<other>sek|sekunden?|secondes?|segundos?))(?![A-Za-z0-9_]))",
    re.IGNORECASE,
)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], bool], ...]:
    """Each with whether it is sure. To compile them takes long, and most processes read no text."""
    return tuple(
        (re.compile(pattern, re.IGNORECASE), is_sure)
        for patterns, is_sure in ((_POINT_AT, True), (_MAY_POINT_AT, False))
        for pattern in patterns
    )


class LooseTime(NamedTuple):
    """A time, or several in a row, and where in the text: half-open."""

    start: int
    end: int
    spans: tuple[Span, ...]


def loose_times(text: str) -> Iterator[LooseTime]:
    """Those that point at the film, in order; none in quotation marks, none of a question."""
    plain = _without_markup(text)
    found = [(each, is_sure) for pattern, is_sure in _patterns() for each in pattern.finditer(plain.text)]
    quotes = QUOTED.finditer(plain.text)
    quoted = next(quotes, None)
    end = 0
    for each, is_sure in sorted(found, key=lambda one: (one[0].start("times"), -one[0].end("times"))):
        start, stop = each.span("times")
        while quoted and quoted.end() <= start:
            quoted = next(quotes, None)
        if start < end or (quoted and quoted.start() < each.start()):
            continue
        if _is_seen(plain.text, each, is_sure):
            end = stop
            is_between = _BETWEEN.search(each[0]) is not None
            yield LooseTime(
                plain.place(start), plain.place(stop - 1) + 1, tuple(_spans(each["times"], is_between))
            )


class _Plain(NamedTuple):
    """A text without what was taken out of it, and where that was."""

    text: str
    ends: list[int]
    """Places in `text` before which something was taken out …"""
    taken: list[int]
    """… and how many characters were, up to there."""

    def place(self, plain: int) -> int:
        """Where a character of `text` was before."""
        before = bisect_right(self.ends, plain)
        return plain + (self.taken[before - 1] if before else 0)


def _without_markup(text: str) -> _Plain:
    """Without bold, italics and code, and with one blank for several; `3,0 s` is `3.0 s`."""
    kept, ends, taken, start, length = [], [], [], 0, 0
    plain = text.translate(_BLANKS)
    for found in _MARKUP.finditer(plain):
        kept.append(plain[start : found.start()])
        length += found.start() - start
        start = found.end()
        ends.append(length)
        taken.append(start - length)
    return _Plain(_DECIMAL_COMMA.sub(_with_point, "".join((*kept, plain[start:]))), ends, taken)


def _with_point(found: re.Match[str]) -> str:
    """In English `2,5 s` may be 2 and 5: not where another language says so, nor where 5 would come first."""
    first, second = found["first"], found["second"]
    is_one = found["word"] or found["other"] or second[0] == "0" or int(second) <= int(first)
    return found[0].replace(",", ".") if is_one else found[0]


def _is_seen(text: str, found: re.Match[str], is_sure: bool) -> bool:
    start, stop = found.span("times")
    before = text[max(0, start - _NEAR) : start]
    clause = _CLAUSE.split(before)[-1]
    if _NOTHING_SEEN.search(clause) or (not is_sure and _LENGTH_BEFORE.search(clause)):
        return False
    if found[0].startswith("(") and _COMPARES_LENGTHS.search(clause):
        return False
    after = text[stop : stop + _NEAR]
    if end := _SENTENCE_END.search(after):
        after = after[: end.end()]
    if after.endswith(("?", "？")) or (_GOES_TO_LOOK.search(clause) and not _TELLS_NEXT.match(after)):
        return False
    return ":" not in found["times"] or not _is_read_off(found["times"], clause, after)


def _is_read_off(times: str, clause: str, after: str) -> bool:
    """Whether times with a colon are those of a clock, a sign or a day rather than the film's."""
    if _IN_PICTURE.search(clause) or _READ_OFF.search(clause + after):
        return True
    return _TIME_OF_DAY.match(times) is not None and _HAS_HOURS.search(clause) is not None


def _spans(times: str, is_between: bool) -> Iterator[Span]:
    before: float | None = None
    points = [*_NEXT.finditer(times)]
    units = [unit for _, unit in _FIELD.findall(points[-1]["time"])]
    for point in points:
        time_s = _seconds(point["time"], units[0] if len(units) == 1 else "")
        joined = point["joined"] or ""
        if before is not None and (
            _IS_SPAN.fullmatch(joined) or (is_between and joined.strip() in ("and", "und", "y", "et"))
        ):
            yield Span(start_s=min(before, time_s), end_s=max(before, time_s))
            before = None
            continue
        if before is not None:
            yield Span(start_s=before, end_s=before)
        before = time_s
    if before is not None:
        yield Span(start_s=before, end_s=before)


def _seconds(said: str, unit_of_all: str) -> float:
    """`0:12`, `1 min 30 s`; `1` has the unit of the last, as in `1 to 2 minutes`."""
    if ":" in said:
        return clock_seconds(said)
    fields = _FIELD.findall(said)
    return sum(float(number) * _SIZES.get((unit or unit_of_all).lower(), 1.0) for number, unit in fields)


_SIZES = SECONDS_OF | {"m": 60.0}
