"""Questions about the same frames -> which ask the same, and have answers that exclude each other.

Nobody says which of the two is right, so that neither can be defended: the later one is no repeat.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl

from reelproof.schemas.answers.content import exclude_each_other
from reelproof.schemas.answers.normalise import plain_option
from reelproof.schemas.answers.scores import lenient_score
from reelproof.schemas.answers.wording import words
from reelproof.schemas.question import Task
from reelproof.stages.duplicates.paraphrases import Posed

VERSION = 4

_COLUMNS = ("video_id", "first_s", "last_s", "asked", "task", "options", "answer")
_SAID = (
    pl.col("asked")
    .str.to_lowercase()
    .str.replace_all(r"[‘’ʼ`´]", "'")
    .str.replace_all(r"[“”„«»]", '"')
    .str.replace_all(r"\s+", " ")
    .str.strip_chars("?？.。! ")
)
"""What is the same to a reader of a question."""


class _Held(NamedTuple):
    """What a question shows, and what is held to be right."""

    video_id: str
    span_s: tuple[float | None, float | None]
    posed: Posed


def contradictions(questions: pl.DataFrame) -> pl.DataFrame:
    """Of each question the first other one that asks the same, and whose answer excludes its own.

    Args:
        questions: Columns `question_id`, `group` and `proof` (see `by_what_is_shown`; only questions of one
            group are compared, and none whose answer follows from what is shown), `video_id`, `first_s` and
            `last_s` (times of its first and last frame: what looks alike may be another moment of one film),
            `asked` (the text without options), `task`, `options` and `answer`.

    Returns:
        Columns `question_id`, `contradicted_by` (null where there is none), in the order of `questions`.
    """
    unproven = questions.with_row_index("row").filter(pl.col("proof") == "")
    company = unproven.filter(pl.len().over("group", _SAID, "task") > 1)
    alike = defaultdict[tuple[str, ...], dict[int, _Held]](dict)
    for row in company.select("row", "group", _SAID.alias("said"), *_COLUMNS).iter_rows(named=True):
        posed = Posed(row["asked"], Task(row["task"]), row["options"], row["answer"])
        held = _Held(row["video_id"], (row["first_s"], row["last_s"]), posed)
        alike[row["group"], row["said"], row["task"], *_options(posed)][row["row"]] = held
    others = {row: other for same in alike.values() for row, other in _contradicted(same)}
    found = pl.Series([others.get(row) for row in range(len(questions))], dtype=pl.UInt32)
    return questions.select("question_id", pl.col("question_id").gather(found).alias("contradicted_by"))


def _options(posed: Posed) -> list[str]:
    """As a reader sees them; letters that are put in order mean options where they stand."""
    options = list(map(plain_option, posed.options))
    return sorted(options) if posed.task is Task.MULTIPLE_CHOICE else options


def _contradicted(same: Mapping[int, _Held]) -> Iterator[tuple[int, int]]:
    """Of questions that ask the same, (which, by which other one)."""
    distinct: dict[object, int] = {}
    for row, held in same.items():
        distinct.setdefault((held.video_id, held.span_s, _right(held.posed)), row)
    for row, held in same.items() if len(distinct) > 1 else ():
        for other in distinct.values():
            if _show_the_same(held, same[other]) and _exclude_each_other(held.posed, same[other].posed):
                yield row, other
                break


def _show_the_same(one: _Held, other: _Held) -> bool:
    return one.video_id != other.video_id or one.span_s == other.span_s


def _exclude_each_other(one: Posed, other: Posed) -> bool:
    """Whether of two that ask the same with the same options only one can be right.

    Boxes may say the same otherwise, and what is read where it has a word in common; free texts exclude each
    other where one word stands in place of another, stretches where they have nothing in common, numbers of a
    degree where neither is near the other.
    """
    if one.task is Task.MULTIPLE_CHOICE:
        return _right(one) != _right(other)
    if one.task is Task.SPATIAL_GROUNDING:
        return False
    if one.task is Task.OPEN_ENDED:
        return exclude_each_other(one.answer, other.answer)
    if one.task is Task.OCR:
        return {*words(one.answer)}.isdisjoint(words(other.answer))
    return lenient_score(one.task, one.answer, other.answer) == 0


def _right(posed: Posed) -> tuple[str, ...]:
    """What is right to a reader: options may come in another order."""
    return tuple(sorted(map(plain_option, posed.right_texts())))
