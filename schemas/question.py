"""What is asked about a clip, what is shown with it, and the answer that counts as right."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, Self

from reelproof.schemas.footage import FrameRef, SharedFrame, Span
from reelproof.schemas.place import Place
from reelproof.schemas.record import Record

WHEN = "From when to when does the video show this: "
"""How a sentence that a set gives with its stretch is asked; two sentences are compared without it."""


class Task(StrEnum):
    """What kind of answer a question wants; `schemas/answers/scores.py` scores each."""

    MULTIPLE_CHOICE = "multiple_choice"
    NUMERICAL = "numerical"
    REGRESSION = "regression"
    OPEN_ENDED = "open_ended"
    OCR = "ocr"
    TEMPORAL_GROUNDING = "temporal_grounding"
    SPATIAL_GROUNDING = "spatial_grounding"
    ORDERING = "ordering"
    BOOLEAN = "boolean"


class QuestionSource(StrEnum):
    """Who knows the answer."""

    GIVEN = "given"
    """It came with the video."""
    COMPUTED = "computed"
    """The pipeline made it."""
    ASKED = "asked"
    """A teacher wrote it."""


class Shown(Protocol):
    """What whoever looks at a frame gets of it."""

    @property
    def sha256(self) -> str:
        """The sha256 of the frame's JPEG bytes, as hex digits."""
        ...

    @property
    def shown_s(self) -> float | None:
        """The time printed beside it; null where it is called by its place."""
        ...


class ShownPicture(NamedTuple):
    """A frame of which nothing else is known."""

    sha256: str
    shown_s: float | None


class ShownFrame(Record):
    """A frame as a question shows it."""

    frame: SharedFrame
    shown_s: float | None
    """The time printed beside it, seconds of the clip's video; null where a time would give the answer away,
    and the frame is then called by its place (`Frame 1`, `Frame 2`, …)."""

    @property
    def sha256(self) -> str:
        """The sha256 of the frame's JPEG bytes, as hex digits."""
        return self.frame.sha256


def timed_frames(frames: Iterable[FrameRef]) -> tuple[ShownFrame, ...]:
    """The frames, each under its own time."""
    return tuple(ShownFrame(frame=each, shown_s=each.time_s) for each in frames)


def untimed_frames(frames: Iterable[FrameRef]) -> tuple[ShownFrame, ...]:
    """The frames, called by their places."""
    return tuple(ShownFrame(frame=each, shown_s=None) for each in frames)


def frames_in_place_of(own: Sequence[FrameRef], frames: Iterable[FrameRef]) -> tuple[ShownFrame, ...]:
    """The frames, as many as `own`, under the times of those that they replace."""
    return tuple(ShownFrame(frame=each, shown_s=by.time_s) for each, by in zip(frames, own, strict=True))


class Question(Record):
    """One question about one clip, with its gold answer and the frames to show, in order."""

    question_id: str
    """Hash of clip, task, text, options, answer and frames."""
    clip_id: str
    video_id: str
    source: QuestionSource
    kind: str
    """Computed: the kind's name, as `scene_count`; the reference has a table of them. Others: the name of
    their set or of their writer's request."""
    task: Task
    text: str
    options: tuple[str, ...] = ()
    """Their texts without letters; option i is called by the i-th letter."""
    answer: str
    """Gold, in the strict form of its task: `B`, `3`, `2, 1, 3`, `[2.5, 4.0]`, `yes`, …"""
    tolerance: float | None = None
    """Numerical questions that state one: the largest absolute difference that still counts as right."""
    frames: tuple[ShownFrame, ...]
    split: str | None = None
    """`train` or `test` where the source says so."""
    evidence: tuple[Span, ...] = ()
    """Where in the clip the answer is proven, as far as whoever asked says so."""
    key_places: tuple[Place, ...] = ()
    """What proves it and where in which frame, as far as it came with the question."""

    def with_id(self) -> Self:
        """The same question, its `question_id` following from what it asks, shows and holds to be right."""
        said = (self.clip_id, self.task, self.text, self.options, self.answer, self.tolerance)
        shown = [(each.frame.sha256, each.shown_s) for each in self.frames]
        digest = hashlib.sha256(json.dumps([said, shown]).encode()).hexdigest()
        return self.model_copy(update={"question_id": digest[:32]})


class WrittenQuestion(Record):
    """What came of one question that a teacher was asked to write."""

    clip_id: str
    request_id: str
    """Of the request to the writer."""
    writer: str
    """`name@revision`"""
    task: Task
    """That was asked for."""
    question: Question | None
    """Null where there is none to use, and `failure` says why."""
    failure: str | None
    agreement: float | None
    """Share of the answers given without the key that agree with it; null where none was asked for."""


class GivenQuestion(Record):
    """A question that came with a video, its answer already in strict form."""

    kind: str
    """The name of its set."""
    question: str
    options: tuple[str, ...] = ()
    """Their texts without letters."""
    answer: str
    """Gold, in the strict form of its task."""
    task: Task | None
    """Null where neither the source nor the answer's form tells."""
    start_s: float | None = None
    """It asks about the part of the video from here …"""
    end_s: float | None = None
    """… to here; null is the video's start or end."""
    split: str | None = None
    """`train` or `test` where the source says so."""
    key_places: tuple[Place, ...] = ()
    """What proves the answer, and where in which frame."""
    completion: str | None = None
    """A trace that came along, in whatever form it came."""


class GivenRow(GivenQuestion):
    """A given question with the video that it came with."""

    video_id: str
