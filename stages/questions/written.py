"""Clips -> questions that a teacher writes, each with its evidence, and answered again without the key."""

import json
import random
import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from reelproof.schemas.answers.evidence import unsound_boxes
from reelproof.schemas.answers.normalise import normalise
from reelproof.schemas.answers.scores import FRAME_TOLERANCE_S, lenient_score, read_completion
from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import Clip, Span
from reelproof.schemas.question import (
    Question,
    QuestionSource,
    Task,
    WrittenQuestion,
    timed_frames,
)
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import SpeechLine, shown_lines
from reelproof.stages.questions.reply_json import find_items
from reelproof.stages.teachers.messages import rollout_messages, writer_messages
from reelproof.stages.teachers.protocol import Teacher, complete_all

VERSION = 10


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The only form of an object that every server takes: all properties required, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_SPANS = {"type": "array", "items": _closed({"start_s": {"type": "number"}, "end_s": {"type": "number"}})}
_QUESTION = _closed(
    {
        "question": {"type": "string"},
        "options": {"type": "array", "items": {"type": "string"}},
        "answer": {"type": "string"},
        "evidence": _SPANS,
    }
)
WRITTEN_SCHEMA = json.dumps(_closed({"questions": {"type": "array", "items": _QUESTION}}))
"""What the writer's reply must follow, where its server can hold it to a schema."""


class AskedConfig(Settings):
    """Which questions a teacher writes, and how they are tried."""

    tasks: tuple[Task, ...] = (Task.MULTIPLE_CHOICE, Task.OPEN_ENDED, Task.TEMPORAL_GROUNDING)
    """Questions of each of these tasks are asked for once per clip."""
    per_task: int = Field(default=2, ge=1, le=16)
    """One request asks for so many questions."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """The writer draws at this temperature; at 0 it takes the likeliest token."""
    max_tokens: int = Field(default=2048, ge=64, le=131_072)
    """One reply of the writer, and one answer, may have so many tokens."""
    use_schema: bool = True
    """Hold the writer to a JSON schema; its server must know how."""
    answers: int = Field(default=3, ge=0, le=64)
    """How often each question is answered again without its key; 0 leaves them untried."""
    right_from: float = Field(default=0.5, gt=0, le=1)
    """An answer agrees with the key from this lenient score on."""
    seed: int = Field(default=0, ge=0)
    """The draws and the options' order follow from it."""


Lines = Mapping[str, tuple[SpeechLine, ...]]
_NOTHING_SAID: Lines = {}


def ask_questions(
    clips: Iterable[Clip],
    writer: Teacher,
    answerer: Teacher,
    cfg: AskedConfig,
    frames: Mapping[str, bytes],
    lines: Lines = _NOTHING_SAID,
) -> Iterator[WrittenQuestion]:
    """Have questions written about each clip, and answered without the key by `answerer`.

    One record for each question and for each failure: a reply that cannot be read, a question whose answer
    does not fit its task, evidence outside the clip. `frames`: sha256 -> JPEG bytes of the clips' keyframes;
    `lines`: clip_id -> what is said there.
    """
    by_id = {clip.clip_id: clip for clip in clips}
    written = list(write_questions(by_id, writer, cfg, frames, lines))
    questions = [each.question for each in written if each.question]
    agreement = _key_agreements(by_id, questions, answerer, cfg, frames, lines) if cfg.answers else {}
    for each in written:
        found = agreement.get(each.question.question_id) if each.question else None
        yield each.model_copy(update={"agreement": found})


def usable(written: Iterable[WrittenQuestion]) -> Iterator[Question]:
    """The questions that were written and can be asked; none comes twice."""
    seen: set[str] = set()
    for each in written:
        if each.question and each.question.question_id not in seen:
            seen.add(each.question.question_id)
            yield each.question


class _Order(NamedTuple):
    """What one request to the writer is for."""

    clip: Clip
    task: Task
    request: ChatRequest


def write_questions(
    clips: Mapping[str, Clip],
    writer: Teacher,
    cfg: AskedConfig,
    frames: Mapping[str, bytes],
    lines: Lines = _NOTHING_SAID,
) -> Iterator[WrittenQuestion]:
    """The written questions, untried, in the order of the clips and of the tasks."""
    orders = [
        _order(clip, task, writer.model, cfg, lines.get(clip.clip_id, ()))
        for clip in clips.values()
        for task in cfg.tasks
    ]
    replies = complete_all(writer, [order.request for order in orders], frames)
    for order in orders:
        yield from read_reply(order.clip, order.task, replies[order.request.request_id], cfg.seed)


def read_reply(clip: Clip, task: Task, reply: Completion, seed: int = 0) -> Iterator[WrittenQuestion]:
    """The questions in a writer's reply; one failure for each that cannot be used, or for the whole."""
    blank = WrittenQuestion(
        clip_id=clip.clip_id,
        request_id=reply.request_id,
        writer=reply.model,
        task=task,
        question=None,
        failure=None,
        agreement=None,
    )
    items = find_items(reply.text)
    if not items:
        cause = (
            reply.error or f"no question in a reply of {len(reply.text)} characters ({reply.finish_reason})"
        )
        yield blank.model_copy(update={"failure": cause})
    for item in items:
        try:
            question = _question(item, clip, task, seed)
        except ValueError as error:
            yield blank.model_copy(update={"failure": str(error)})
        else:
            yield blank.model_copy(update={"question": question})


def _order(clip: Clip, task: Task, model: str, cfg: AskedConfig, lines: tuple[SpeechLine, ...]) -> _Order:
    sampling = Sampling(
        temperature=cfg.temperature,
        max_tokens=cfg.max_tokens,
        seed=_hash31("write", cfg.seed, clip.clip_id, task),
        json_schema=WRITTEN_SCHEMA if cfg.use_schema else None,
    )
    messages = writer_messages(clip, task, cfg.per_task, timed_frames(clip.keyframes), lines)
    return _Order(clip, task, ChatRequest(model=model, messages=messages, sampling=sampling))


def _question(item: Mapping[str, Any], clip: Clip, task: Task, seed: int) -> Question:
    evidence = _evidence(item, clip)
    text, options = item["question"], item.get("options") or []
    if not isinstance(text, str) or not _are_texts(options):
        raise ValueError(f"question and options must be text, got {text!r} and {options!r}")
    form = normalise(text, options if task is Task.MULTIPLE_CHOICE else (), item.get("answer"), task)
    fault = (
        unsound_boxes(form.answer, clip.keyframes, FRAME_TOLERANCE_S)
        if task is Task.SPATIAL_GROUNDING
        else None
    )
    if fault:
        raise ValueError(fault)
    letters = dict(zip(string.ascii_uppercase, form.options, strict=False))
    order = list(form.options)
    random.Random(_hash31("options", seed, clip.clip_id, text)).shuffle(order)  # noqa: S311
    answer = form.answer
    if task is Task.MULTIPLE_CHOICE:  # writers favour a letter
        right = {order.index(letters[letter]) for letter in re.findall("[A-Z]", form.answer)}
        answer = ", ".join(string.ascii_uppercase[place] for place in sorted(right))
    return Question(
        question_id="",
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        source=QuestionSource.ASKED,
        kind=f"asked_{task}",
        task=task,
        text=" ".join(text.split()),
        options=tuple(order),
        answer=answer,
        frames=timed_frames(clip.keyframes),
        evidence=evidence,
    ).with_id()


def _are_texts(options: object) -> bool:
    return isinstance(options, list) and all(isinstance(option, str) for option in options)


def _evidence(item: Mapping[str, Any], clip: Clip) -> tuple[Span, ...]:
    """The named spans, cut to the clip. Raises ValueError where none lies in it."""
    listed = item.get("evidence")
    spans = [_span(each) for each in listed] if isinstance(listed, list) else []
    inside = [
        Span(start_s=max(span.start_s, clip.start_s), end_s=min(span.end_s, clip.end_s))
        for span in spans
        if span and span.start_s <= span.end_s and span.start_s < clip.end_s and span.end_s >= clip.start_s
    ]
    if not inside:
        raise ValueError(f"no evidence inside [{clip.start_s:.1f}, {clip.end_s:.1f}] s, got {listed!r}"[:300])
    return tuple(inside)


def _span(value: object) -> Span | None:
    """`{"start_s": 3, "end_s": 5}` or `[3, 5]`."""
    ends = [value.get("start_s"), value.get("end_s")] if isinstance(value, dict) else value
    if not isinstance(ends, list) or len(ends) != 2 or any(type(end) not in (int, float) for end in ends):
        return None
    try:
        return Span(start_s=float(ends[0]), end_s=float(ends[1]))
    except OverflowError:  # a whole number of more digits than a float holds
        return None


def _key_agreements(
    clips: Mapping[str, Clip],
    questions: Sequence[Question],
    answerer: Teacher,
    cfg: AskedConfig,
    frames: Mapping[str, bytes],
    lines: Lines,
) -> dict[str, float]:
    """Question id -> share of the answers that agree with its key; a failed one does not."""
    requests = {
        each.question_id: list(
            _answer_requests(
                clips[each.clip_id], each, answerer.model, cfg, shown_lines(each, lines.get(each.clip_id, ()))
            )
        )
        for each in questions
    }
    every = [request for group in requests.values() for request in group]
    completions = complete_all(answerer, every, frames)
    return {
        each.question_id: _key_agreement(
            each, [completions[r.request_id] for r in requests[each.question_id]], cfg
        )
        for each in questions
    }


def _key_agreement(question: Question, completions: Sequence[Completion], cfg: AskedConfig) -> float:
    said = [read_completion(each.text).answer for each in completions]
    scores = [lenient_score(question.task, each, question.answer, question.options) for each in said]
    return sum(score >= cfg.right_from for score in scores) / len(scores)


def _answer_requests(
    clip: Clip, question: Question, model: str, cfg: AskedConfig, lines: tuple[SpeechLine, ...]
) -> Iterator[ChatRequest]:
    messages = rollout_messages(clip, question, question.frames, lines)
    seed = _hash31("answer", cfg.seed, question.question_id)
    sampling = Sampling(temperature=cfg.temperature, max_tokens=cfg.max_tokens, seed=seed)
    for index in range(cfg.answers):
        yield ChatRequest(model=model, messages=messages, sampling=sampling, sample_index=index)


def _hash31(*key: object) -> int:
    """A number in [0, 2**31) that follows from the key alone: what every server takes as a seed."""
    return hash32(*key) >> 1
