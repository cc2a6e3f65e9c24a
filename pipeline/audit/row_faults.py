"""Rows as they are written -> what is wrong with them: options, forms of answers, repeats, stretches."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.pipeline.audit.source import SourceRow
from reelproof.schemas.answers.normalise import plain_option
from reelproof.schemas.answers.places import strict_spans
from reelproof.schemas.answers.scores import GRADED_TASKS, lenient_score, strict_score
from reelproof.schemas.question import Task
from reelproof.schemas.trace import Trace
from reelproof.stages.questions.given import task_of

ROUNDING_S = 1.0
"""A film's length is often told in whole seconds."""


class Finding(NamedTuple):
    """One thing that is wrong with a row."""

    kind: str
    number: int
    """The row's line, item or number in the source."""
    why: str


class AskedRow(NamedTuple):
    """A row, and what became of it."""

    row: SourceRow
    question_id: str
    traces: tuple[Trace, ...]
    """Its own, where it brought one."""


def equal_options(rows: Iterable[SourceRow]) -> Iterator[Finding]:
    """Rows two of whose options are the same to a reader: one of them may be the answer, or one too few."""
    for row in rows:
        counts = Counter(map(plain_option, row.given.options))
        twice = [option for option in row.given.options if counts[plain_option(option)] > 1]
        if twice:
            yield Finding("equal_options", row.number, f"{twice[0]!r} is an option {len(twice)} times")


def misread_answers(rows: Sequence[AskedRow], min_graded_score: float) -> Iterator[Finding]:
    """Rows whose answer, in their trace or as the file has it, only a lenient reader takes for right.

    A file's own form is no fault: an answer counts as odd where most of its task's have the strict form.
    """
    strict = {id(each): _is_strict(each.row) for each in rows}
    forms = defaultdict[Task, list[bool]](list)
    for each in rows:
        forms[task_of(each.row.given)].append(strict[id(each)])
    usual = {task: sum(said) * 2 > len(said) for task, said in forms.items()}
    for each in rows:
        given, task = each.row.given, task_of(each.row.given)
        enough = min_graded_score if task in GRADED_TASKS else 1.0
        if usual[task] and not strict[id(each)]:
            yield Finding("misread_answer", each.row.number, f"{each.row.gold!r} stands for {given.answer!r}")
            continue
        for trace in each.traces:
            strictly, leniently = (
                score(task, trace.answer, given.answer, given.options)
                for score in (strict_score, lenient_score)
            )
            if strictly < enough <= leniently:
                why = f"its trace answers {trace.answer!r}, right is {given.answer!r}"
                yield Finding("misread_answer", each.row.number, why)


def _is_strict(row: SourceRow) -> bool:
    given = row.given
    return strict_score(task_of(given), row.gold, given.answer, given.options) >= 1


def repeated_rows(rows: Sequence[AskedRow]) -> Iterator[Finding]:
    """Rows that ask, and whose traces say, just what an earlier one does."""
    first: dict[tuple[str, str | None], int] = {}
    for each in rows:
        key = (each.question_id, each.row.given.completion)
        earlier = first.setdefault(key, each.row.number)
        if earlier != each.row.number:
            yield Finding("duplicate_row", each.row.number, f"as row {earlier}")


def stretches_outside(rows: Iterable[SourceRow], lengths_s: Mapping[str, float]) -> Iterator[Finding]:
    """Rows whose stretch, or whose answer's, ends later than the film, by more than its length is rounded.

    `lengths_s`: video_id -> seconds, of films that were decoded; of others the rows tell.
    """
    for row in rows:
        length_s = lengths_s.get(row.given.video_id, _told_end_s(row))
        if length_s is None:
            continue
        ends = [end_s for end_s in (row.given.start_s, row.given.end_s) if end_s is not None]
        if task_of(row.given) is Task.TEMPORAL_GROUNDING:
            ends += [span.end_s for span in strict_spans(row.given.answer) or ()]
        if ends and max(ends) > length_s + ROUNDING_S:
            why = f"{max(ends):g} s, and the film lasts {length_s:g} s"
            yield Finding("span_outside_film", row.number, why)


def _told_end_s(row: SourceRow) -> float | None:
    """Where the film ends, or the part that is asked about: some sets tell that part's length."""
    start_s, end_s = row.given.start_s or 0.0, row.given.end_s
    if row.duration_s is not None and end_s is not None:
        return end_s if abs(end_s - start_s - row.duration_s) <= ROUNDING_S else row.duration_s
    return row.duration_s
