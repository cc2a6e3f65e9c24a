"""A clip and what is written in its frames -> questions about which text comes first, and in which order."""

from collections.abc import Sequence
from typing import NamedTuple

from reelproof.schemas.answers.writing import likeness
from reelproof.schemas.question import Task, timed_frames
from reelproof.schemas.trace import ClaimKind
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.questions.maker import Draft, Maker, Table, choice

_ASKED_FOR = 4
_FEWEST = 3
_LEAST_SURE = 0.9
"""The reader's confidence in a text that is asked for."""
_LETTERS = range(5, 41)
"""So many letters and digits it has: fewer may be read anywhere, and nobody compares more."""
_THERE, _NOT_THERE = 85.0, 65.0
"""Ratios of characters from which a frame surely shows a text, and below which it surely does not."""


class _Appears(NamedTuple):
    text: str
    place: int
    """Of the first frame of the timeline that shows it."""


def _text_first(table: Table) -> Draft | None:
    """Of texts that surely appear in different frames."""
    texts = _appearing(table)
    if texts is None:
        return None
    right = min(range(len(texts)), key=lambda each: texts[each].place)
    text = "Which of these texts can be read first?"
    return choice(table, text, [each.text for each in texts], right, timed_frames(table.clip.timeline))


def _text_order(table: Table) -> Draft | None:
    texts = _appearing(table)
    if texts is None:
        return None
    table.rng.shuffle(texts)
    ranks = sorted(range(len(texts)), key=lambda each: texts[each].place)
    listed = "\n".join(f"{number}. {each.text}" for number, each in enumerate(texts, 1))
    text = f"In which order do these texts appear? Give their numbers, the earliest first.\n{listed}"
    answer = ", ".join(str(each + 1) for each in ranks)
    return Draft(Task.ORDERING, text, answer, timed_frames(table.clip.timeline))


def _appearing(table: Table) -> list[_Appears] | None:
    """Some texts, none of them like another, each of another frame on; None where too few are certain."""
    read = [table.texts[each.sha256] for each in table.clip.timeline if each.sha256 in table.texts]
    if len(read) < len(table.clip.timeline):
        return None
    by_place = [sorted({line.label for line in each.lines if _is_sure(line)}) for each in read]
    firsts: list[_Appears] = []
    for place, labels in enumerate(by_place):
        table.rng.shuffle(labels)
        new = (label for label in labels if _begins(label, place, read))
        found = next((label for label in new if all(_differ(label, each.text) for each in firsts)), None)
        if found is not None:
            firsts.append(_Appears(found, place))
    if len(firsts) < _FEWEST:
        return None
    return table.rng.sample(firsts, min(_ASKED_FOR, len(firsts)))


def _is_sure(line: TextLine) -> bool:
    return line.confidence >= _LEAST_SURE and sum(map(str.isalnum, line.label)) in _LETTERS


def _begins(label: str, place: int, read: Sequence[FrameText]) -> bool:
    """Whether that frame surely shows it, and none before it does."""
    return likeness(label, read[place].lines) >= _THERE and all(
        likeness(label, each.lines) < _NOT_THERE for each in read[:place]
    )


def _differ(one: str, other: str) -> bool:
    return max(_likeness(one, other), _likeness(other, one)) < _NOT_THERE


def _likeness(label: str, other: str) -> float:
    line = TextLine(label=other, time_s=None, left=0, top=0, right=1, bottom=1, confidence=1)
    return likeness(label, [line])


TEXT_FIRST = Maker(
    _text_first, "which of some texts can be read first", (ClaimKind.MOMENT,), drawn=True, usual=False
)
TEXT_ORDER = Maker(
    _text_order, "in which order some texts appear", (ClaimKind.CHANGE,), drawn=True, usual=False
)
