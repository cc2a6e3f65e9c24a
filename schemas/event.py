"""What a watched stream came to: what was answered about its ticks, events, verdicts.

Times ending in `_s` are seconds of the stream, whose first frame is at 0; `*_at` are seconds since 1970.
"""

from collections.abc import Sequence
from enum import StrEnum

from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Task
from reelproof.schemas.record import Record
from reelproof.schemas.tick import Tick
from reelproof.schemas.trace import JudgedClaim

UNUSUAL = "unusual"
"""In place of a question: unlike what this camera showed before, and nothing more."""


class TickAnswer(Record):
    """What came of one question about the window that ends with a tick."""

    tick: int
    question: str
    """The question's text."""
    answer: str | None
    """What the votes came to; null where nothing was said."""
    votes: tuple[str | None, ...]
    """Every answer, in order."""
    belief: float
    """Share of the votes for an answer that alerts."""
    margin: float
    """Share of the votes for `answer`, less that of the next."""
    is_borne_out: bool
    """Whether the frames that its thoughts cite bear out what they claim, more than control frames do."""
    thought: str
    claims: tuple[JudgedClaim, ...]
    shown: tuple[FrameRef, ...]
    model: str
    """`name@revision`"""
    answered_at: float


class Evidence(Record):
    """A frame that an event rests on."""

    sha256: str
    time_s: float
    film_time_s: float


class CutClip(Record):
    """A clip as it was really cut."""

    file: str
    """From the events' folder."""
    start_s: float
    end_s: float
    is_copied: bool
    """The stream's own packets, from a key frame on; else coded again, and cut to the frame."""


class Measured(Record):
    """How often the model was right on questions of this kind, as an evaluation measured it."""

    accuracy: float
    low: float
    """Of the 95 % interval."""
    high: float
    questions: int
    of: str
    """Which questions: the task, in the style that is asked here."""


class Event(Record):
    """A stretch of the stream that somebody asked to be told of."""

    event_id: str
    question: str
    """Its text, or `unusual`."""
    task: Task
    options: tuple[str, ...]
    answer: str
    """What was answered; for `unusual` the measure that stood out the most."""
    start_s: float
    end_s: float
    began_at: str
    """Wall time of its start, ISO 8601 in UTC: for a file, when it was decoded."""
    video: str
    """The film's name."""
    film_start_s: float
    """Of its start in that film."""
    votes: tuple[str | None, ...]
    """Of its clearest window."""
    belief: float
    """The votes' share for it, at its clearest; for `unusual` 1."""
    margin: float
    """Of the votes; for `unusual`, how many widths of the usual spread it stands out beyond its edge."""
    thought: str
    claims: tuple[JudgedClaim, ...]
    frames: tuple[Evidence, ...]
    """Of its clearest window."""
    model: str
    """`name@revision`"""
    measured: Measured | None
    """Null is untested."""
    lag_s: float
    """From the arrival of the last frame of the window that opened it to the alert."""
    is_late: bool
    """Judged more than a window's length after it was seen, as when the model was gone."""
    clip: CutClip | None
    clip_fault: str | None
    """Why there is no clip, where there is none."""


class Choice(StrEnum):
    """What a person says of an event."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"


class EventTicks(Record):
    """What stood out in an unusual event; what is alike does not any more, once a person calls it wrong."""

    event_id: str
    start_s: float
    end_s: float
    ticks: tuple[Tick, ...]


class EventVerdict(Record):
    """A person's word on an event; the last one counts."""

    event_id: str
    verdict: Choice
    said_at: float


def last_verdicts(verdicts: Sequence[EventVerdict]) -> dict[str, Choice]:
    """event_id -> what was said of it last."""
    return {each.event_id: each.verdict for each in verdicts}
