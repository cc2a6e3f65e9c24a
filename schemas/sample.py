"""The published rows. Scores are not listed here: every field of every check's record follows as a column."""

from reelproof.schemas.footage import Span
from reelproof.schemas.place import Place
from reelproof.schemas.question import QuestionSource, Task
from reelproof.schemas.record import Record
from reelproof.schemas.trace import JudgedClaim


class Image(Record):
    """A frame as `datasets.Image` stores it."""

    bytes: bytes
    path: str | None = None


class ChatPart(Record):
    """A piece of a published message; `text` is null where `type` is `image`."""

    type: str
    text: str | None = None


class ChatMessage(Record):
    """A published message, as TRL's trainers take it; its images stand in `images`, in order."""

    role: str
    content: tuple[ChatPart, ...]


class Row(Record):
    """What the rows of every config share."""

    sample_id: str
    video_id: str
    video: str
    """The video's file name."""
    license: str
    clip_id: str
    clip_start_s: float
    clip_end_s: float
    frame_times_s: tuple[float | None, ...]
    """Each frame's time as it was shown, which thoughts cite; null where frames go by their places."""
    frame_source_times_s: tuple[float, ...]
    """Each frame's time in the video that it comes from: another one's, where a question brings that in."""
    frame_sha256: tuple[str, ...]
    """Of each shown frame's JPEG bytes: what the teacher saw."""
    question_id: str
    question_kind: str
    question_source: QuestionSource
    task: Task
    question: str
    options: tuple[str, ...]
    answer: str
    """Gold."""
    tolerance: float | None
    evidence: tuple[Span, ...]
    """Where the answer is proven, as far as whoever wrote the question says so."""
    key_places: tuple[Place, ...] = ()
    """What proves it and where in which frame, as far as it came with the question."""
    policy: str
    """The policy's name; its full text is in the manifest."""


class TraceRow(Row):
    """What `sft` and `rejected` add: one trace."""

    prediction: str | None
    """The trace's own answer."""
    teacher: str
    prompt_id: str
    request_id: str
    claims: tuple[JudgedClaim, ...]
    """What the thought says of times that it cites, and whether the frames bear it out."""


class SftSample(TraceRow):
    """Config `sft`: one kept trace with its frames, as a chat."""

    text: str | None = None
    """The completion as it came; null where that is `completion`, already in the form that was asked for."""
    thought: str
    images: tuple[Image, ...]
    prompt: tuple[ChatMessage, ...]
    completion: tuple[ChatMessage, ...]
    """The trace in the form that was asked for."""


class RlSample(Row):
    """Config `rl`: one verifiable question with its frames, and how often the teacher got it right.

    Its score columns are those that are the same on all of a question's rollouts.
    """

    images: tuple[Image, ...]
    prompt: tuple[ChatMessage, ...]


class DpoSample(Row):
    """Config `dpo`: two traces of one question about the same frames, as TRL's preference trainers take them.

    Its score columns are those that are the same on all of a question's rollouts.
    """

    pair_reason: str
    """Why the rejected one is the worse: the first of its `reasons` that a pair may rest on."""
    reasons: tuple[str, ...]
    """All reasons why it is not in `sft`, where the chosen one is."""
    chosen_request_id: str
    """Its `sample_id` in `sft` …"""
    rejected_request_id: str
    """… and in `rejected`."""
    chosen_teacher: str
    rejected_teacher: str
    chosen_prediction: str | None
    rejected_prediction: str | None
    images: tuple[Image, ...]
    prompt: tuple[ChatMessage, ...]
    chosen: tuple[ChatMessage, ...]
    rejected: tuple[ChatMessage, ...]
    """Both in the form that was asked for."""


class RejectedSample(TraceRow):
    """Config `rejected`: one trace that was not kept, and every reason. Its frames are named by hash only."""

    text: str
    """The completion, as it came: the thought and the answer in their tags, where it has any."""
    reasons: tuple[str, ...]
