"""A sentence that quotes -> whether its words are said at the times that it cites, by the clip's lines."""

import re
from collections.abc import Iterator, Sequence, Set
from enum import StrEnum
from typing import NamedTuple

from rapidfuzz import fuzz, process

from reelproof.schemas.answers.wording import words
from reelproof.schemas.footage import Span
from reelproof.schemas.record import Record
from reelproof.schemas.speech import SpeechLine

QUOTE_JUDGE = "speech@1"
"""Who judges quotes: the lines themselves."""
NEAR_S = 1.0
"""How far from a cited time a line may be and still count as said then."""
ENOUGH = 0.8
"""Share of a quote's words that must be said, in their order: one word in five may differ."""
_ALIKE = 85
"""From this character ratio on, two words are spellings of one."""
QUOTED = re.compile(
    r"“([^“”]{1,600})”|„([^„“”]{1,600})[“”]|«([^«»]{1,600})»|「([^「」]{1,600})」|『([^『』]{1,600})』"
    r'|(?<![\w"])"([^"\n]{1,600})"(?!\w)'
)
_SAID = re.compile(
    r"\b(?:say|says|said|saying|ask(?:s|ed|ing)?|tell(?:s|ing)?|told|shout(?:s|ed|ing)?|repl(?:y|ies|ied)"
    r"|answer(?:s|ed)?|whisper(?:s|ed)?|mention(?:s|ed)?|explain(?:s|ed)?|announce[sd]?|hear|heard|speak(?:s|ing)?"
    r"|spoken|speech|subtitles?|narrat\w+|voice|dialogue|line)\b",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"\b(?:sign|label|logo|text|caption|title|headline|heading|banner|poster|slide|screen|written|writing|letters"
    r"|read(?:s|ing)?|inscription|display(?:s|ed)?|watermark|button|page)\b",
    re.IGNORECASE,
)
_SIGN_SAYS = re.compile(
    r"\b(?:sign|label|logo|text|caption|title|headline|heading|banner|poster|slide|screen|\w*board|button|page|display)"
    r"(?:</obj>\S{0,200})?(?:\s\[[^\[\]]{1,40}\])?\s(?:says|said|saying)\b",
    re.IGNORECASE,
)
_FEWEST_SPOKEN = 3
_LEFT_OUT = re.compile(r"…|\.{3}|\[[^\[\]]{0,20}\]")
_NEGATIONS = frozenset(
    ("cannot", "nein", "never", "no", "nobody", "none", "nor", "not", "nothing", "without")
)


class QuoteFault(StrEnum):
    """What is wrong with a quote."""

    NOT_SAID = "not_said"
    """Nobody says these words in the clip."""
    OTHER_TIME = "other_time"
    """They are said, but not then."""


class ClaimedQuote(Record):
    """Words that a claim quotes, held against what is said."""

    text: str
    similarity: float
    """Share of its words that are said in one place, in their order, in [0, 1]: at the cited time, or, where
    that is too little, at the best one."""
    said_at: Span | None
    """When they are said; null where they are not."""
    said_elsewhere: bool
    """They are said at another time as well, so that no other time can test the claim."""
    fault: QuoteFault | None


class _Place(NamedTuple):
    similarity: float
    first: int
    """Of the lines that hold the words …"""
    last: int


def quotes_in(sentence: str) -> tuple[str, ...]:
    """What stands in quotation marks and has words, in order."""
    found = ("".join(filter(None, each.groups())).strip() for each in QUOTED.finditer(sentence))
    return tuple(each for each in found if words(each))


def speaks_of_speech(sentence: str) -> bool:
    """Whether what it quotes is said, and not written in the picture: a sign may say something, too."""
    around = QUOTED.sub(" ", sentence)
    if _SIGN_SAYS.search(around):
        return False
    return _SAID.search(around) is not None or _WRITTEN.search(around) is None


def tells_what_is_said(sentence: str) -> bool:
    """Whether it quotes, and says in so many words that somebody says so: a name may be quoted, too."""
    return bool(quotes_in(sentence)) and _is_said(sentence)


def _is_said(sentence: str) -> bool:
    around = QUOTED.sub(" ", sentence)
    return _SAID.search(around) is not None and not _SIGN_SAYS.search(around)


def said_quotes(
    sentence: str, cited: Sequence[Span], lines: Sequence[SpeechLine]
) -> tuple[ClaimedQuote, ...]:
    """A sentence's quotations of speech, each judged; none where no lines are shown.

    A word or two that nobody says then are none where the sentence does not call them said: `the bus "42"`.
    """
    if not lines or not speaks_of_speech(sentence):
        return ()
    judged = tuple(judge_quote(each, cited, lines) for each in quotes_in(sentence))
    if _is_said(sentence):
        return judged
    return tuple(each for each in judged if each.fault is None or len(words(each.text)) >= _FEWEST_SPOKEN)


def quote_beliefs(quotes: Sequence[ClaimedQuote]) -> tuple[float, float | None] | None:
    """How far a claim's quotes bear it out: 1 where all are said at a time that it cites, else 0; and how far
    other times do: 0, or None where all is said at others as well. None for a claim without quotes.
    """
    if not quotes:
        return None
    is_said = all(each.fault is None for each in quotes)
    return float(is_said), None if all(each.said_elsewhere for each in quotes) else 0.0


def judge_quote(quote: str, cited: Sequence[Span], lines: Sequence[SpeechLine]) -> ClaimedQuote:
    """Hold a quote against what is said at the times that its sentence cites, and else in all the clip.

    Spelling, case, punctuation and one word in five may differ, numbers and negations may not. What is more
    like something said at another time is that.
    """
    near = [place for place, line in enumerate(lines) if any(_is_near(line, span) for span in cited)]
    pieces = [piece for piece in map(words, _LEFT_OUT.split(quote)) if piece]
    here = _found(pieces, lines, near, range(len(lines)))
    others = [place for place in range(len(lines)) if place not in near]
    there = _found(pieces, lines, others, others)
    is_there = there.similarity >= ENOUGH
    is_here = here.similarity >= max(ENOUGH, there.similarity)
    place = here if is_here or not is_there else there
    return ClaimedQuote(
        text=quote,
        similarity=round(place.similarity, 3),
        said_at=_span(lines, place) if is_here or is_there else None,
        said_elsewhere=is_here and is_there,
        fault=None if is_here else QuoteFault.OTHER_TIME if is_there else QuoteFault.NOT_SAID,
    )


def _is_near(line: SpeechLine, span: Span) -> bool:
    return line.start_s - NEAR_S <= span.end_s and span.start_s <= line.end_s + NEAR_S


def _span(lines: Sequence[SpeechLine], place: _Place) -> Span:
    return Span(start_s=lines[place.first].start_s, end_s=lines[place.last].end_s)


def _found(
    pieces: Sequence[Sequence[str]],
    lines: Sequence[SpeechLine],
    wanted: Sequence[int],
    allowed: Sequence[int],
) -> _Place:
    """Where the words are said best among the wanted lines; a quote may go on in allowed ones around them."""
    if not wanted or not pieces:
        return _Place(0.0, 0, 0)
    places = [_best(piece, lines, wanted, frozenset(allowed)) for piece in pieces]
    weights = [len(piece) for piece in pieces]
    similarity = sum(each.similarity * weight for each, weight in zip(places, weights, strict=True)) / sum(
        weights
    )
    return _Place(similarity, min(each.first for each in places), max(each.last for each in places))


def _best(
    quote: Sequence[str], lines: Sequence[SpeechLine], wanted: Sequence[int], allowed: Set[int]
) -> _Place:
    best = _Place(0.0, wanted[0], wanted[0])
    for run in _runs(wanted):
        around = [place for place in range(run.start - 1, run.stop + 1) if place in allowed]
        said = [(word, place) for place in around for word in words(lines[place].text)]
        if said and (found := _aligned(quote, said, run)).similarity > best.similarity:
            best = found
    return best


def _runs(places: Sequence[int]) -> Iterator[range]:
    """Consecutive places together."""
    start = places[0]
    for before, after in zip(places, [*places[1:], -1], strict=True):
        if after != before + 1:
            yield range(start, before + 1)
            start = after


def _aligned(quote: Sequence[str], said: Sequence[tuple[str, int]], run: range) -> _Place:
    """The stretch of what is said that is most like the quote; it must touch a line of the run."""
    spoken = [word for word, _ in said]
    own = _as_spelt(quote, spoken)
    best = _Place(0.0, run.start, run.start)
    for start in range(max(1, len(spoken) - len(own) + 1)):
        window = spoken[start : start + len(own)]
        held = said[start : start + len(own)]
        if held[-1][1] < run.start or held[0][1] >= run.stop or not set(own) & set(window):
            continue
        similarity = fuzz.ratio(own, window) / 100
        if similarity > best.similarity and _telling(own) == _telling(window):
            best = _Place(similarity, held[0][1], held[-1][1])
    return best


def _as_spelt(quote: Sequence[str], spoken: Sequence[str]) -> list[str]:
    """The quote's words, each as the lines spell it where they have one that is nearly the same."""
    known = list(set(spoken))
    spelt = []
    for word in quote:
        same = process.extractOne(word, known, scorer=fuzz.ratio, score_cutoff=_ALIKE)
        spelt.append(same[0] if same and word not in known and not word.isdigit() else word)
    return spelt


def _telling(said: Sequence[str]) -> list[str]:
    """Numbers and negations: the words that turn a sentence round."""
    telling = ("not" if word == "t" else word for word in said)  # `don't` is two words
    return sorted(word for word in telling if word in _NEGATIONS or any(sign.isdigit() for sign in word))
