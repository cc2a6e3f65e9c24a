"""A completion's text -> its thought and its answer; every pattern takes linear time."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from reelproof.schemas.answers.spellings import in_our_tags


class AnswerForm(StrEnum):
    """A way in which a completion may differ from the form that is asked for and still be read."""

    UNOPENED_THOUGHT = "unopened_thought"
    """`thought</think><answer>B</answer>`, as where the chat template opened the thought."""
    UNTAGGED_THOUGHT = "untagged_thought"
    """No think tags: the sentences before the answer are the thought."""
    BARE = "bare"
    """`<think>thought</think> B`: all that follows the thought is the answer."""
    BOXED = "boxed"
    r"""`\boxed{B}` after the thought."""
    ANNOUNCED = "announced"
    """`Final answer: B` after the thought."""
    LOOSE_TAGS = "loose_tags"
    """Tags that are repeated, spelt otherwise, in another order, or with other text around them."""
    WORDED = "worded"
    """The answer in other words than asked for: `B. red` for `B`, `three` for `3`."""


class Reading(NamedTuple):
    """What a completion says."""

    thought: str
    """What stands in its think blocks. Without any, the sentences before the answer that a block, a box or a
    "final answer:" gives; empty where nothing does."""
    answer: str | None
    """What stands in the last closed answer block outside the thought, stripped; null where there is none."""
    well_formed: bool
    """One think block, then one answer block, both with content and spelt as asked, and nothing else."""
    stated: str | None
    """What a person takes for the answer: that block, without a box that is all of it; without a block, the
    last box or what follows the last "final answer:" outside the thought, or else all that stands there. A
    thought that never closes states an answer only where the text ends with a block of it."""
    forms: tuple[AnswerForm, ...]
    """How thought and answer are set down, where not as asked; empty where it is well formed."""

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
_SENTENCES = re.compile(r".*(?:[.!?](?=\s)|[。！？\n])", re.DOTALL)
_TAG = re.compile(r"<(/?)(think|answer)(?:(?<=think)ing)?\s{0,8}>", re.IGNORECASE)
_AS_ASKED = ("<think>", "</think>", "<answer>", "</answer>")


def read_completion(text: str) -> Reading:
    """Read `<think>…</think><answer>…</answer>` as a person would, and say whether it is exactly that.

    The last closed answer block counts and none inside the thought does. A thought that never closes runs to
    the end, so that a truncated completion has no answer; a thought that only closes began at the start, as
    it does where the chat template opened it. Nested and repeated tags are read, but are not well formed;
    nor are tags that other models write for the same (`in_our_tags`).
    """
    text, had_end = in_our_tags(text)
    tags = [_Tag(m[2].lower(), bool(m[1]), m.start(), m.end()) for m in _TAG.finditer(text)]
    thoughts = _thought_blocks([tag for tag in tags if tag.name == "think"], len(text))
    block = _last_answer([tag for tag in tags if tag.name == "answer"], thoughts)
    answer = None if block is None else text[block.start : block.end].strip()
    if block is None:
        stated = _stated(text, thoughts)
    else:
        stated = _Stated(_unboxed(answer or ""), text[: block.outer_start], None)
    thought = "\n".join(text[block.start : block.end].strip() for block in thoughts).strip()
    forms = _forms(text, tags, stated.form)
    if had_end and AnswerForm.LOOSE_TAGS not in forms:
        forms = (*forms, AnswerForm.LOOSE_TAGS)
    return Reading(
        thought=_whole_sentences(stated) if AnswerForm.UNTAGGED_THOUGHT in forms else thought,
        answer=answer,
        stated=stated.answer,
        well_formed=not forms and bool(thought and answer),
        forms=forms,
    )


def read_answer(text: str, style: str) -> Reading:
    """As any completion is read; to a question asked at once (`direct`), the strict answer needs no tags."""
    reading = read_completion(text)
    return reading if style != "direct" or reading.thought else reading._replace(answer=reading.stated)


class _Stated(NamedTuple):
    """What a person takes for the answer, the text before it, and how it is set down where not in a block."""

    answer: str | None
    before: str
    form: AnswerForm | None


def _stated(text: str, thoughts: list[_Block]) -> _Stated:
    if any(block.end == block.outer_end for block in thoughts):  # the thought never closes
        ending = _ENDS_WITH_ANSWER.search(text)
        return _Stated((ending[1].strip() or None) if ending else None, "", AnswerForm.LOOSE_TAGS)
    outside = _TAG.sub(" ", _without(text, thoughts)).strip()
    if boxes := list(_BOX.finditer(outside)):
        box = boxes[-1]
        return _Stated(box[1].strip() or None, outside[: box.start()], AnswerForm.BOXED)
    announced = list(_ANNOUNCED.finditer(outside))
    if announced and (told := outside[announced[-1].end() :].strip()):
        return _Stated(told, outside[: announced[-1].start()], AnswerForm.ANNOUNCED)
    return _Stated(outside or None, "", AnswerForm.BARE)


def _unboxed(answer: str) -> str:
    """A block's content without the box that is all of it."""
    box = _BOX.fullmatch(answer.strip(" $*\n"))
    return (box[1].strip() or answer) if box else answer


def _whole_sentences(stated: _Stated) -> str:
    """Those before the answer; the one that announces it is none of the thought."""
    if stated.form is None:
        return _TAG.sub(" ", stated.before).strip()
    found = _SENTENCES.match(stated.before)
    return found[0].strip() if found else ""


def _forms(text: str, tags: list[_Tag], answer_form: AnswerForm | None) -> tuple[AnswerForm, ...]:
    """How a text is set down otherwise than asked, were all else as asked."""
    forms: list[AnswerForm] = [] if answer_form in (None, AnswerForm.LOOSE_TAGS) else [answer_form]
    wanted: tuple[str, ...] = _AS_ASKED if answer_form is None else _AS_ASKED[:2]
    thinks = [tag for tag in tags if tag.name == "think"]
    if not thinks:
        forms.insert(0, AnswerForm.UNTAGGED_THOUGHT)
        wanted = wanted[2:]
    elif [tag.closes for tag in thinks] == [True]:
        forms.insert(0, AnswerForm.UNOPENED_THOUGHT)
        wanted = wanted[1:]
    if tuple(text[tag.start : tag.end] for tag in tags) != wanted or _has_other_text(text, tags, wanted):
        forms.append(AnswerForm.LOOSE_TAGS)
    return tuple(forms)


def _has_other_text(text: str, tags: list[_Tag], wanted: tuple[str, ...]) -> bool:
    """Whether there is text before the thought's opening, or around the answer's tags."""
    starts, ends = [tag.start for tag in tags], [tag.end for tag in tags]
    other = text[: starts[0]] if wanted[:1] == _AS_ASKED[:1] else ""
    if wanted[-2:] == _AS_ASKED[2:]:
        other += text[ends[-1] :] + (text[ends[-3] : starts[-2]] if len(wanted) > 2 else "")
    return bool(other.strip())


def _without(text: str, blocks: list[_Block]) -> str:
    """The text outside the blocks; where an answer opens and never closes, what follows the opening alone."""
    ends = [0, *(block.outer_end for block in blocks)]
    starts = [*(block.outer_start for block in blocks), len(text)]
    outside = " ".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    opened = [tag.end() for tag in _TAG.finditer(outside) if tag[2].lower() == "answer" and not tag[1]]
    return outside[opened[-1] :] if opened else outside


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
