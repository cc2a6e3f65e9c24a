"""Questions and claims -> chat messages, by the prompts of `prompts.py`.

The frames come first and the question after them, so that all requests about one clip share their prefix.
"""

import functools
import string
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.chat import ImagePart, Message, SoundPart, TextPart
from reelproof.schemas.footage import Clip, Span
from reelproof.schemas.frame_names import decimals_apart, frame_names
from reelproof.schemas.question import Question, Shown, ShownFrame, Task
from reelproof.schemas.speech import SpeechLine, frames_before
from reelproof.stages.teachers.prompts import (
    ANSWER_FORMS,
    CLAIM,
    MOTION_PLACE,
    PLACE,
    ROLLOUT,
    SOUND,
    SPOKEN,
    SUFFICIENCY,
    WRITER,
    WRITER_HINTS,
    Prompt,
)


def writer_messages(
    clip: Clip,
    task: Task,
    count: int,
    frames: Sequence[ShownFrame],
    lines: Sequence[SpeechLine] = (),
) -> tuple[Message, ...]:
    """Ask for questions of one task about a clip, with answers and evidence, as JSON."""
    questions = "one question" if count == 1 else f"{count} questions that differ from each other"
    request = WRITER.request.format(count=questions, hint=WRITER_HINTS[task])
    return _one_turn(_intro(WRITER, frames, clip.start_s, clip.end_s), frames, request, lines)


def rollout_messages(
    clip: Clip,
    question: Question,
    frames: Sequence[ShownFrame],
    lines: Sequence[SpeechLine] = (),
    prompt: Prompt = ROLLOUT,
) -> tuple[Message, ...]:
    """Ask for a chain of thought and an answer, by `ROLLOUT` or with boxes besides.

    `frames` and `lines` are the question's own, or what a probe shows instead: fewer, in another order, none.
    Each frame has the name that it has among the question's own.
    """
    posed = Posed(question.task, question.text, question.options)
    span = Span(start_s=clip.start_s, end_s=clip.end_s)
    decimals = decimals_apart(each.shown_s for each in question.frames)
    return question_messages(prompt, posed, span, frames, lines, decimals)


def with_sound(messages: tuple[Message, ...], sha256: str) -> tuple[Message, ...]:
    """The same request with the clip's sound before all else."""
    first, *rest = messages
    heard = first.model_copy(update={"content": (SOUND, SoundPart(sha256=sha256), *first.content)})
    return (heard, *rest)


def question_messages(
    prompt: Prompt,
    posed: Posed,
    span: Span,
    frames: Sequence[Shown],
    lines: Sequence[SpeechLine] = (),
    decimals: int | None = None,
) -> tuple[Message, ...]:
    """Put a question about a stretch of a video as `ROLLOUT` or `DIRECT` has it, with what is said in it.

    `decimals`: how many the frames' times have, by default as many as tell these apart.
    """
    intro = _intro(prompt, frames, span.start_s, span.end_s)
    return _one_turn(intro, frames, request_text(prompt, posed), lines, decimals)


def request_text(prompt: Prompt, posed: Posed) -> str:
    """What stands after the frames."""
    return prompt.request.format(
        question=posed.text, options=_options(posed.options), form=ANSWER_FORMS[posed.task]
    )


def claim_messages(
    claim_text: str, frames: Sequence[Shown], decimals: int | None = None
) -> tuple[Message, ...]:
    """Ask a verifier whether frames bear out one sentence: yes, no or unknown.

    `decimals`: how many times had where the sentence was thought.
    """
    request = CLAIM.request.format(claim=claim_text)
    return _one_turn(_intro(CLAIM, frames, 0.0, 0.0), frames, request, decimals=decimals)


def place_messages(label: str, cutouts: Sequence[str]) -> tuple[Message, ...]:
    """Ask a verifier whether a part of a frame shows something, or one of two frames motion: yes, no or
    unknown. `cutouts`: sha256 of each part.
    """
    prompt = PLACE if len(cutouts) == 1 else MOTION_PLACE
    intro, request = TextPart(text=prompt.with_places), TextPart(text=prompt.request.format(label=label))
    content = (intro, *(ImagePart(sha256=each) for each in cutouts), request)
    return (Message(role="user", content=content),)


def sufficiency_messages(question: Question, observations: str) -> tuple[Message, ...]:
    """Ask a judge who sees nothing for the answer that follows from observations alone."""
    request = SUFFICIENCY.request.format(
        observations=observations,
        question=question.text,
        options=_options(question.options),
        form=ANSWER_FORMS[question.task],
    )
    return _one_turn(SUFFICIENCY.without_frames, (), request)


def _options(options: Sequence[str]) -> str:
    lettered = zip(string.ascii_uppercase, options, strict=False)
    return "".join(f"{letter}. {option}\n" for letter, option in lettered)


def _intro(prompt: Prompt, frames: Sequence[Shown], start_s: float, end_s: float) -> str:
    if not frames:
        return prompt.without_frames
    timed = all(shown.shown_s is not None for shown in frames)
    template = prompt.with_times if timed else prompt.with_places
    return template.format(start_s=start_s, end_s=end_s)


def _one_turn(
    intro: str,
    frames: Sequence[Shown],
    request: str,
    lines: Sequence[SpeechLine] = (),
    decimals: int | None = None,
) -> tuple[Message, ...]:
    asked = SPOKEN.request + request if lines else request
    content = (_text(intro), *_frame_parts(frames, lines, decimals), _text(asked))
    return (Message(role="user", content=content),)


def _frame_parts(
    frames: Sequence[Shown], lines: Sequence[SpeechLine], decimals: int | None
) -> Iterator[TextPart | ImagePart]:
    """Each frame after its name, each line after the frames up to its start."""
    times_s = [each.shown_s for each in frames]
    said = list(zip(frames_before(lines, times_s), lines, strict=True))
    for place, (name, shown) in enumerate(zip(frame_names(times_s, decimals), frames, strict=True), 1):
        while said and said[0][0] < place:
            yield TextPart(text=said.pop(0)[1].told)
        yield from _frame(name, shown.sha256)
    yield from (TextPart(text=line.told) for _, line in said)


@functools.lru_cache(256)
def _text(text: str) -> TextPart:
    """What several requests on end say."""
    return TextPart(text=text)


@functools.lru_cache(8192)
def _frame(name: str, sha256: str) -> tuple[TextPart, ImagePart]:
    """A frame after its name. All rollouts of a question show the same, and most questions of a clip do."""
    return TextPart(text=name), ImagePart(sha256=sha256)
