"""Scored answers -> accuracy by style, task and label, with intervals and a baseline, and a table of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from reelproof.schemas.answers.scores import strict_score
from reelproof.schemas.evaluation import EvaluatedAnswer
from reelproof.schemas.intervals import Interval, wilson
from reelproof.training.shards import Example
from reelproof.training.tables import text_table

ALL, TASK = "all", "task"
A = TypeVar("A")


class GroupReport(NamedTuple):
    """One style on the questions of one group."""

    style: str
    by: str
    """What the group shares: `all`, `task`, or the name of a label."""
    group: str
    """`all`, a task, or the label's value."""
    questions: int
    strict: Interval
    lenient: Interval
    constant: float
    """Strict score of always giving the commonest gold answer."""
    agreement: float
    """Share of thoughts that conclude the answer."""
    evidence: float | None
    """Share of claims that the verifier bears out; null without one."""
    key_time: float | None
    """Mean nearness of cited times to those of the boxes that came with questions; null where none did."""
    key_place: float | None
    """Mean IoU of named boxes with those."""
    thought_words: float
    completion_tokens: float
    frames: float
    finished: float
    refused: int
    """Questions that the server would not take; they count as wrong."""
    lost: int
    """Questions whose video is missing or damaged; they count as wrong."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return self._asdict() | {"strict": self.strict._asdict(), "lenient": self.lenient._asdict()}


def group_reports(answers: Sequence[EvaluatedAnswer]) -> Iterator[GroupReport]:
    """Style by style: each task, all where there are several, and each value of a label that differs."""
    for style in dict.fromkeys(each.style for each in answers):
        mine = [each for each in answers if each.style == style]
        for task, group in by_task(mine, lambda each: str(each.task)):
            yield _report(style, ALL if task == ALL else TASK, task, group)
        for label in sorted({name for each in mine for name in each.labels}):
            groups = list(_grouped(mine, lambda each, name=label: each.labels.get(name, "none")))  # type: ignore[misc]
            if len(groups) > 1:
                yield from (_report(style, label, value, group) for value, group in groups)


def by_task(items: Sequence[A], task: Callable[[A], str]) -> Iterator[tuple[str, Sequence[A]]]:
    """Those of each task, and `all` where there are several tasks."""
    groups = list(_grouped(items, task))
    yield from groups
    if len(groups) > 1:
        yield ALL, items


def _grouped(items: Sequence[A], key: Callable[[A], str]) -> Iterator[tuple[str, Sequence[A]]]:
    for value in sorted(set(map(key, items))):
        yield value, [each for each in items if key(each) == value]


def _report(style: str, by: str, group: str, answers: Sequence[EvaluatedAnswer]) -> GroupReport:
    count = len(answers)
    return GroupReport(
        style=style,
        by=by,
        group=group,
        questions=count,
        strict=wilson(sum(each.strict for each in answers), count),
        lenient=wilson(sum(each.lenient for each in answers), count),
        constant=constant_baseline(answers),
        agreement=sum(each.agreement for each in answers) / count,
        evidence=_mean([each.evidence for each in answers]),
        key_time=_mean([each.key_time for each in answers]),
        key_place=_mean([each.key_place for each in answers]),
        thought_words=sum(len(each.thought.split()) for each in answers) / count,
        completion_tokens=sum(each.tokens for each in answers) / count,
        frames=sum(len(each.frame_times_s) for each in answers) / count,
        finished=sum(each.finished for each in answers) / count,
        refused=sum(bool(each.refused) for each in answers),
        lost=sum(bool(each.lost) for each in answers),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) / len(known) if known else None


def constant_baseline(asked: Sequence[EvaluatedAnswer] | Sequence[Example]) -> float:
    """Mean strict score of the one gold answer that does best on all."""
    golds = Counter(each.answer for each in asked).most_common(20)
    return max(
        sum(strict_score(e.task, gold, e.answer, e.options, e.tolerance) for e in asked) / len(asked)
        for gold, _ in golds
    )


def table_of(reports: Sequence[GroupReport]) -> str:
    """A Markdown table, a line a group."""
    head = ["style", "by", "group", "n", "strict", "95 %", "lenient", "95 %", "constant", "agrees"]
    head += ["words", "tokens", "frames", "refused", "lost"]
    rows = [
        [
            each.style,
            each.by,
            each.group,
            str(each.questions),
            *_figures(each.strict),
            *_figures(each.lenient),
            f"{each.constant:.3f}",
            f"{each.agreement:.3f}",
            f"{each.thought_words:.1f}",
            f"{each.completion_tokens:.1f}",
            f"{each.frames:.1f}",
            str(each.refused),
            str(each.lost),
        ]
        for each in reports
    ]
    return text_table(head, rows)


def _figures(share: Interval) -> tuple[str, str]:
    return f"{share.value:.3f}", f"{share.low:.3f}–{share.high:.3f}"
