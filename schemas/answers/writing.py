"""A sentence that quotes what is written -> whether it is, in the frames and in the box that it names."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from rapidfuzz import fuzz

from reelproof.schemas.answers.placed import Boxed, in_tags
from reelproof.schemas.answers.quotes import QUOTED, speaks_of_speech
from reelproof.schemas.answers.statements import cited_frames, cited_statements
from reelproof.schemas.place import Place
from reelproof.schemas.question import Shown
from reelproof.schemas.written import FrameText, TextLine

ENOUGH = 80.0
"""From this ratio of characters on, a text is read: OCR takes some for others, and leaves out blanks."""
_SHORTEST = 3
"""A quote of fewer letters and digits may be found in nearly any text."""
_FEW = 6
_SHIFT = 3
"""So many characters around where a quote is found belong to it as well."""
_WORDS_KEPT = 0.8
_AROUND = 0.03
"""How far outside a box the middle of a line may lie, as a share of the frame."""
_QUOTED = re.compile(QUOTED.pattern + r"|(?<!\w)'([^'\n]{2,300})'(?!\w)")
_HELD = re.compile(r"\u27e6(\d{1,6})\u27e7")
_ALIKE = str.maketrans({"l": "i", "1": "i", "|": "i", "0": "o", "5": "s", "8": "b"})
"""Characters that OCR takes for each other."""


class WritingFault(StrEnum):
    """What is wrong with a quote of what is written."""

    ABSENT = "absent"
    """No frame of the question shows it."""
    OTHER_TIME = "other_time"
    """Other frames show it, and those cited do not."""
    OTHER_PLACE = "other_place"
    """The frame shows it outside the box."""


class Quoted(NamedTuple):
    """Words that a thought says are written somewhere."""

    text: str
    is_known: bool
    """Whether a frame at the cited time was read, holds text, and none there that is read unsurely."""
    fault: WritingFault | None
    elsewhere: bool = False
    """Whether frames that are not cited show it as well, so that no other time can test it."""


def quoted_writing(
    thought: str,
    shown: Sequence[Shown],
    texts: Mapping[str, FrameText],
    places: Callable[[Boxed], Sequence[Place]],
    tolerance_s: float,
) -> tuple[Quoted, ...]:
    """What a thought says is written, each held against the text of the frames.

    Args:
        thought: Its sentences that cite a time, speak of writing and quote some are looked at.
        shown: The frames, in order of time.
        texts: sha256 -> what is written there, of those that were read.
        places: A boxed thing -> its boxes in shares of the frame.
        tolerance_s: How far from a cited time a frame may be to stand for it.
    """
    return tuple(_judged(thought, shown, texts, places, tolerance_s))


def is_written(quote: str, lines: Sequence[TextLine]) -> bool:
    """Whether lines hold a text: nearly all of its characters, and four words in five, each of them nearly.

    A text of a few characters must be a whole line or word of one.
    """
    said = _plain(quote)
    if len(said) < _FEW:
        return any(said in _words(line.label) for line in lines)
    there = _plain(" ".join(line.label for line in lines))
    found = fuzz.partial_ratio_alignment(said, there) if len(said) <= len(there) else None
    if found is None:
        return fuzz.ratio(said, there) >= ENOUGH
    around = there[max(0, found.dest_start - _SHIFT) : found.dest_end + _SHIFT]
    words = [word for word in map(_plain, quote.split()) if len(word) > _SHORTEST]
    kept = sum(fuzz.partial_ratio(word, around) >= ENOUGH - 5 for word in words)
    return found.score >= ENOUGH and kept >= len(words) * _WORDS_KEPT


def likeness(quote: str, lines: Sequence[TextLine]) -> float:
    """How much like a stretch of the lines a quote is, 0 … 100; blanks, case and signs aside."""
    said, there = _plain(quote), _plain(" ".join(line.label for line in lines))
    if not said or not there:
        return 0.0
    return fuzz.partial_ratio(said, there) if len(said) <= len(there) else fuzz.ratio(said, there)


def writing_beliefs(quotes: Sequence[Quoted]) -> tuple[float | None, float | None]:
    """How far what was read bears a claim's quotes out: 1 where all are written in the frames and boxes that
    it cites, 0 where one surely is not, None where nobody knows; and how far other frames do: 0, or None
    where they show all of it, too.
    """
    if any(each.is_known and each.fault is not None for each in quotes):
        cited: float | None = 0.0
    else:
        cited = 1.0 if quotes and all(each.is_known for each in quotes) else None
    return cited, None if cited is None or all(each.elsewhere for each in quotes) else 0.0


def _judged(
    thought: str,
    shown: Sequence[Shown],
    texts: Mapping[str, FrameText],
    places: Callable[[Boxed], Sequence[Place]],
    tolerance_s: float,
) -> Iterator[Quoted]:
    quotes: list[str] = []

    def hold(found: re.Match[str]) -> str:
        quotes.append(next(filter(None, found.groups())))
        return f"\u27e6{len(quotes) - 1}\u27e7"

    for statement in cited_statements(_QUOTED.sub(hold, in_tags(thought))):
        numbers = map(int, _HELD.findall(statement.text))
        held = [quotes[each] for each in numbers if each < len(quotes)]
        if not held or speaks_of_speech(statement.text):
            continue
        at = cited_frames(statement.cited, shown, tolerance_s, len(shown))
        here = [texts[shown[place].sha256] for place in at or () if shown[place].sha256 in texts]
        boxes = [place for thing in statement.things for place in places(thing)]
        for quote in held:
            if len(_plain(quote)) >= _SHORTEST:
                yield _one(quote, here, list(texts.values()), boxes)


def _one(quote: str, here: Sequence[FrameText], every: Sequence[FrameText], boxes: Sequence[Place]) -> Quoted:
    elsewhere = any(is_written(quote, each.lines) for each in every if each not in here)
    if any(is_written(quote, _inside(each.lines, boxes)) for each in here):
        return Quoted(quote, True, None, elsewhere)
    if any(is_written(quote, each.lines) for each in here):
        return Quoted(quote, True, WritingFault.OTHER_PLACE, elsewhere)
    seen = [line for each in here for line in _inside(each.lines, boxes)]
    is_known = any(each.lines for each in here) and all(line.is_sure for line in seen)
    if elsewhere:
        return Quoted(quote, bool(here), WritingFault.OTHER_TIME, elsewhere)
    return Quoted(quote, is_known, WritingFault.ABSENT)


def _inside(lines: Sequence[TextLine], boxes: Sequence[Place]) -> list[TextLine]:
    """Lines whose middle lies in one of the boxes; all where none is named."""
    return [line for line in lines if not boxes or any(_holds(box, line) for box in boxes)]


def _holds(box: Place, line: TextLine) -> bool:
    across, down = (line.left + line.right) / 2, (line.top + line.bottom) / 2
    return (
        box.left - _AROUND <= across <= box.right + _AROUND
        and box.top - _AROUND <= down <= box.bottom + _AROUND
    )


def _words(label: str) -> set[str]:
    return {_plain(label), *map(_plain, label.split())}


def _plain(text: str) -> str:
    return "".join(each for each in text.casefold().translate(_ALIKE) if each.isalnum())
