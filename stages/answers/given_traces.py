"""Thoughts that came with the questions -> traces to be checked like any others, with no teacher asked."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.question import GivenRow, Question, QuestionSource
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Trace

VERSION = 14
PROMPT_ID = "given"
"""Nobody knows what their teacher was asked."""


class GivenTracesConfig(Settings):
    """How traces that came along are called."""

    teacher: str | None = Field(default=None, min_length=1)
    """Who wrote them, as `name@revision`; where unknown they go by their set, as `Video-R1@given`."""


class _SameQuestion(NamedTuple):
    """What must be equal for a row to be about a question."""

    video_id: str
    kind: str
    text: str
    options: tuple[str, ...]
    answer: str


def given_traces(
    questions: Iterable[Question], rows: Iterable[GivenRow], cfg: GivenTracesConfig
) -> Iterator[Trace]:
    """The traces of each question that came with it, a question's together, in the rows' order.

    Of questions that differ only in their stretch of the video, a trace belongs to the one that shows most
    of its row's stretch. The same completion twice for one question is one trace; a row without a completion,
    or whose video gave no question, gives none.
    """
    asked = list(questions)
    alike: defaultdict[_SameQuestion, list[Question]] = defaultdict(list)
    for question in asked:
        if question.source is QuestionSource.GIVEN:
            alike[_key(question)].append(question)
    completions: defaultdict[str, dict[str, GivenRow]] = defaultdict(dict)
    for row in rows:
        candidates = alike.get(_key_of_row(row))
        if candidates and row.completion is not None:
            completions[_nearest(row, candidates).question_id].setdefault(row.completion, row)
    for question in asked:
        for index, (text, row) in enumerate(completions.pop(question.question_id, {}).items()):
            yield _trace(question, text, cfg.teacher or f"{row.kind}@given", index)


def _key(question: Question) -> _SameQuestion:
    return _SameQuestion(question.video_id, question.kind, question.text, question.options, question.answer)


def _key_of_row(row: GivenRow) -> _SameQuestion:
    return _SameQuestion(row.video_id, row.kind, row.question, row.options, row.answer)


def _nearest(row: GivenRow, questions: Sequence[Question]) -> Question:
    """The question that shows the most of the row's stretch and the least beside it, the first of several."""
    start_s, end_s = row.start_s or 0.0, float("inf") if row.end_s is None else row.end_s

    def fit(question: Question) -> tuple[int, int]:
        inside = sum(start_s <= shown.frame.time_s < end_s for shown in question.frames)
        return inside, inside - len(question.frames)

    return max(questions, key=fit)


def _trace(question: Question, text: str, model: str, index: int) -> Trace:
    reading = read_completion(text)
    content = "\n".join((PROMPT_ID, question.question_id, model, text))
    return Trace(
        trace_id=hashlib.sha256(content.encode()).hexdigest()[:32],
        question_id=question.question_id,
        clip_id=question.clip_id,
        video_id=question.video_id,
        prompt_id=PROMPT_ID,
        model=model,
        sample_index=index,
        text=text,
        thought=reading.thought,
        answer=reading.stated,
        cited=cited_spans(reading.thought),
        finish_reason="stop",
    )
