"""The published rows. Scores are not listed here: every field of every check's record follows as a column."""

from reelproof.schemas.footage import Span
from reelproof.schemas.place import Place
from reelproof.schemas.question import QuestionSource, Task
from reelproof.schemas.record import Record
from reelproof.schemas.speech import SpeechLine
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
    """Of a trace its request's id, of a question its own, of a pair both: the same in every build of the same
    inputs."""
    video_id: str
    """A hash of the video's bytes, whatever its name."""
    video: str
    """The video's file name."""
    license: str
    """The video's licence, as far as whoever handed it in named one."""
    clip_id: str
    """The video's id with the clip's place in it."""
    clip_start_s: float
    """Where in the video the clip begins, in seconds from its first frame."""
    clip_end_s: float
    """Where it ends, in the same seconds."""
    frame_times_s: tuple[float | None, ...]
    """Each frame's time as it was shown, which thoughts cite; null where frames go by their places."""
    frame_source_times_s: tuple[float | None, ...]
    """Each frame's time in the video that it comes from: another one's, where a question brings that in; null
    where a question shows no frames of the video as they are, but edited ones."""
    frame_sha256: tuple[str, ...]
    """SHA-256 of each shown frame's JPEG bytes: what the teacher saw."""
    speech: tuple[SpeechLine, ...] = ()
    """What is said, as the teacher read it among the frames. No such column where nobody listened."""
    question_id: str
    """A hash of the clip and of what is asked about it."""
    question_kind: str
    """Which kind of computed question it is, or which set a given one comes from."""
    question_source: QuestionSource
    """Whether it came with the video (`given`), was computed from the footage, or was asked by a model."""
    task: Task
    """In what form it is answered, which says how an answer is scored."""
    question: str
    """What is asked, without options."""
    options: tuple[str, ...]
    """The options of a multiple choice, in their order and without letters; else empty."""
    answer: str
    """The gold answer."""
    tolerance: float | None
    """The largest absolute difference from a numerical gold answer that counts as right; null where none is
    stated."""
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
    """Who answered: `model@revision`."""
    prompt_id: str
    """A hash of the words that it was asked with."""
    request_id: str
    """A hash of everything that decides the completion: words, frames, sampling and teacher."""
    claims: tuple[JudgedClaim, ...]
    """What the thought says of times that it cites, and whether the frames bear it out."""


class SftSample(TraceRow):
    """Config `sft`: one kept trace with its frames, as a chat."""

    text: str | None = None
    """The completion as it came; null where that is `completion`, already in the form that was asked for."""
    thought: str
    """The chain of thought, citing times."""
    images: tuple[Image, ...]
    """The frames in the order shown, JPEG: the bytes that the teacher saw."""
    prompt: tuple[ChatMessage, ...]
    """What the teacher was asked, as chat messages with a place for each image."""
    completion: tuple[ChatMessage, ...]
    """The trace in the form that was asked for."""


class RlSample(Row):
    """Config `rl`: one verifiable question with its frames, and how often the teacher got it right.

    Its score columns are those that are the same on all of a question's rollouts.
    """

    images: tuple[Image, ...]
    """The frames in the order shown, JPEG: the bytes that the teacher saw."""
    prompt: tuple[ChatMessage, ...]
    """What the teacher was asked, as chat messages with a place for each image."""


class DpoSample(Row):
    """Config `dpo`: two traces of one question about the same frames, as TRL's preference trainers take them.

    Its score columns are those that are the same on all of a question's rollouts.
    """

    pair_reason: str
    """Why the rejected one is the worse: the first of its `reasons` that a pair may rest on."""
    reasons: tuple[str, ...]
    """All reasons why it is not in `sft`, where the chosen one is."""
    chosen_request_id: str
    """The chosen trace's `sample_id` in `sft`."""
    rejected_request_id: str
    """The rejected trace's `sample_id` in `rejected`."""
    chosen_teacher: str
    """Who wrote the chosen trace: `model@revision`."""
    rejected_teacher: str
    """Who wrote the rejected one."""
    chosen_prediction: str | None
    """The chosen trace's own answer."""
    rejected_prediction: str | None
    """The rejected trace's own answer; null where none can be read."""
    images: tuple[Image, ...]
    """The frames in the order shown, JPEG: the bytes that the teacher saw."""
    prompt: tuple[ChatMessage, ...]
    """What the teacher was asked, as chat messages with a place for each image."""
    chosen: tuple[ChatMessage, ...]
    """The trace of the pair that is in `sft`, in the form that was asked for."""
    rejected: tuple[ChatMessage, ...]
    """The trace of the pair that is not, in the same form."""


class RejectedSample(TraceRow):
    """Config `rejected`: one trace that was not kept, and every reason. Its frames are named by hash only."""

    text: str
    """The completion, as it came: the thought and the answer in their tags, where it has any."""
    reasons: tuple[str, ...]
    """Every reason why the trace is not in `sft`, in the policy's order."""
