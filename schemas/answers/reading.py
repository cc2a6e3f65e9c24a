"""A completion's text -> its thought, its answer and the times it cites; every pattern takes linear time."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.schemas.answers.amounts import CLOCK, clock_seconds
from reelproof.schemas.footage import Span


class Reading(NamedTuple):
    """What a completion says."""

    thought: str
    """What stands in its think blocks; empty where there is none."""
    answer: str | None
    """What stands in the last closed answer block outside the thought, stripped; null where there is none."""
    well_formed: bool
    """One think block, then one answer block, both with content and spelt as asked, and nothing else."""
    stated: str | None
    """What a person takes for the answer: that block; without one, the last box or what follows the last
    "final answer:" outside the thought, or else all that stands there. A thought that never closes states an
    answer only where the text ends with a block of it."""

    def said(self, strictly: bool) -> str | None:
        """The answer that is scored: strictly that of its block, else what a person takes for it."""
        return self.answer if strictly else self.stated


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


_ENDS_WITH_ANSWER = re.compile(r"<answer\s{0,8}>([^<>]{1,2000})</answer\s{0,8}>\s*\Z", re.IGNORECASE)
_BOX = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]{0,200}\}){1,500})\}")
_ANNOUNCED = re.compile(
    r"\b(?:final|correct|right|best)?\s?(?:answer|option|choice)\s?"
    r"(?:(?:is|would be|should be|must be)\b(?!\s?(?:not\b|n['’]t))\s?:?|:|：|=)\s{0,4}"
    r"|(?:答案|정답|答え)\s?[是为은는は]?\s?[:：]?\s{0,4}",
    re.IGNORECASE,
)
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
    block = _last_answer([tag for tag in tags if tag.name == "answer"], thoughts)
    answer = None if block is None else text[block.start : block.end].strip()
    return Reading(
        thought="\n".join(text[block.start : block.end].strip() for block in thoughts).strip(),
        answer=answer,
        stated=_stated(text, thoughts) if answer is None else answer,
        well_formed=_is_as_asked(text, tags),
    )


def _stated(text: str, thoughts: list[_Block]) -> str | None:
    if any(block.end == block.outer_end for block in thoughts):  # the thought never closes
        ending = _ENDS_WITH_ANSWER.search(text)
        return ending[1].strip() or None if ending else None
    outside = _TAG.sub(" ", _without(text, thoughts)).strip()
    if boxes := _BOX.findall(outside):
        return boxes[-1].strip() or None
    announced = list(_ANNOUNCED.finditer(outside))
    told = outside[announced[-1].end() :].strip() if announced else ""
    return told or outside or None


def _without(text: str, blocks: list[_Block]) -> str:
    """The text outside the blocks; where an answer opens and never closes, what follows the opening alone."""
    ends = [0, *(block.outer_end for block in blocks)]
    starts = [*(block.outer_start for block in blocks), len(text)]
    outside = " ".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    opened = [tag.end() for tag in _TAG.finditer(outside) if tag[2].lower() == "answer" and not tag[1]]
    return outside[opened[-1] :] if opened else outside


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
