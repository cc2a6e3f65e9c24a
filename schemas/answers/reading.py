"""A completion's text -> its thought, its answer and the times it cites; every pattern takes linear time."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.schemas.answers.quantities import CLOCK, clock_seconds
from reelproof.schemas.footage import Span


class Reading(NamedTuple):
    """What a completion says."""

    thought: str
    """What stands in its think blocks; empty where there is none."""
    answer: str | None
    """What stands in the last closed answer block outside the thought, stripped; null where there is none."""
    well_formed: bool
    """One think block, then one answer block, both with content and spelt as asked, and nothing else."""


class _Tag(NamedTuple):
    name: str
    closes: bool
    start: int
    end: int


class _Block(NamedTuple):
    """Half-open: the content's and, around it, the tags' places in the text."""

    outer_start: int
    start: int
    end: int
    outer_end: int


_TAG = re.compile(r"<(/?)(think|answer)\s{0,8}>", re.IGNORECASE)
_AS_ASKED = ("<think>", "</think>", "<answer>", "</answer>")
_CITED_POINT = rf"({CLOCK}|\d{{1,9}}(?:\.\d{{1,9}})?)\s{{0,2}}(?:s|sec|seconds)?"
_CITATION = re.compile(
    rf"\[\s{{0,2}}{_CITED_POINT}(?:\s{{0,2}}(?:-|–|—|to)\s{{0,2}}{_CITED_POINT})?\s{{0,2}}\]", re.IGNORECASE
)
_TIME_MARK = re.compile(r"s|:", re.IGNORECASE)


def read_completion(text: str) -> Reading:
    """Read `<think>…</think><answer>…</answer>` as a person would, and say whether it is exactly that.

    The last closed answer block counts and none inside the thought does. A thought that never closes runs to
    the end, so that a truncated completion has no answer; a thought that only closes began at the start, as
    it does where the chat template opened it. Nested and repeated tags are read, but are not well formed.
    """
    tags = [_Tag(m[2].lower(), bool(m[1]), m.start(), m.end()) for m in _TAG.finditer(text)]
    thoughts = _thought_blocks([tag for tag in tags if tag.name == "think"], len(text))
    answer = _last_answer([tag for tag in tags if tag.name == "answer"], thoughts)
    return Reading(
        thought="\n".join(text[block.start : block.end].strip() for block in thoughts).strip(),
        answer=None if answer is None else text[answer.start : answer.end].strip(),
        well_formed=_is_as_asked(text, tags),
    )


def cited_spans(thought: str) -> tuple[Span, ...]:
    """Times that a text cites, in its order: `[12.4 s]` is a span of length 0, `[3.0-5.5 s]` one of 2.5 s.

    `[0:12]` is read as well; a number in brackets without a unit is not a time. A reversed span is turned
    round: what it points at is the same.
    """
    return tuple(_span_of(found) for found in _CITATION.finditer(thought) if _TIME_MARK.search(found[0]))


def without_citations(thought: str) -> str:
    """The text with a space for each time that it cites; other brackets stay."""
    return _CITATION.sub(lambda found: " " if _TIME_MARK.search(found[0]) else found[0], thought)


def _span_of(found: re.Match[str]) -> Span:
    first = clock_seconds(found[1])
    second = clock_seconds(found[2]) if found[2] else first
    return Span(start_s=min(first, second), end_s=max(first, second))


def _thought_blocks(tags: list[_Tag], text_end: int) -> list[_Block]:
    """Outermost think blocks, in order of the text."""
    return list(_pair_up(tags, text_end))


def _pair_up(tags: list[_Tag], text_end: int) -> Iterator[_Block]:
    opened: _Tag | None = None
    last_close: _Tag | None = None
    depth = 0
    for place, tag in enumerate(tags):
        if not tag.closes:
            opened = opened or tag
            depth += 1
        elif opened is None and place == 0:
            yield _Block(0, 0, tag.start, tag.end)
        elif opened is not None:
            depth -= 1
            last_close = tag
            if depth == 0:
                yield _Block(opened.start, opened.end, tag.start, tag.end)
                opened = last_close = None
    if opened is None:
        return
    if last_close is not None:  # opened more often than closed: the last close ends it
        yield _Block(opened.start, opened.end, last_close.start, last_close.end)
    else:
        yield _Block(opened.start, opened.end, text_end, text_end)


def _last_answer(tags: list[_Tag], thoughts: list[_Block]) -> _Block | None:
    found: _Block | None = None
    opened: _Tag | None = None
    place = 0
    for tag in tags:
        while place < len(thoughts) and thoughts[place].outer_end <= tag.start:
            place += 1
            opened = None  # no answer block reaches across a thought
        if place < len(thoughts) and thoughts[place].outer_start <= tag.start:
            continue
        if not tag.closes:
            opened = tag
        elif opened is not None:
            found = _Block(opened.start, opened.end, tag.start, tag.end)
            opened = None
    return found


def _is_as_asked(text: str, tags: list[_Tag]) -> bool:
    if tuple(text[tag.start : tag.end] for tag in tags) != _AS_ASKED:
        return False
    think, think_end, answer, answer_end = tags
    outside = text[: think.start] + text[think_end.end : answer.start] + text[answer_end.end :]
    inside = text[think.end : think_end.start].strip() and text[answer.end : answer_end.start].strip()
    return bool(inside) and not outside.strip()
