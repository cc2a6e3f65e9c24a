"""What a watched stream came to: ticks as they were seen, what was answered about them, events, verdicts.

Times ending in `_s` are seconds of the stream, whose first frame is at 0; `*_at` are seconds since 1970.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from pydantic import Field

from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Task
from reelproof.schemas.record import Record
from reelproof.schemas.trace import JudgedClaim

UNUSUAL = "unusual"
"""In place of a question: unlike what this camera showed before, and nothing more."""
MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "motion": "how much moves",
        "jolt": "the largest change from one frame to the next",
        "unrest": "how unsteadily things move",
        "luminance": "how bright it is",
        "contrast": "how far light and dark lie apart",
        "sharpness": "how much fine detail there is",
        "picture": "how unlike every earlier picture it is",
        "direction": "which way the picture as a whole moves",
        "reversal": "which way things move, as if played backwards",
    }
)
"""By which of these an `unusual` event stands out most, in words."""


class TickMeasures(Record):
    """What a tick's frames measure, each the way that its usual spread is taken."""

    motion: float
    """Mean motion from frame to frame, ln(grey levels + 0.05)."""
    jolt: float
    """The largest motion from one frame to the next, alike."""
    unrest: float
    """Mean change of the flow from frame to frame, ln(pixels of the scan + 0.02)."""
    luminance: float
    """Mean luma, 0 … 255."""
    contrast: float
    """Mean standard deviation of luma."""
    sharpness: float
    """Mean variance of the Laplacian, ln(x + 1)."""
    flow: tuple[float, ...]
    """Where the picture moves: right and down, in pixels of the scan a frame, for each cell of a grid."""
    moves: str = ""
    """Which way what moves goes, and how much stands out, for each cell of a finer grid: base64 of int8, in
    quarters of the root of (grey levels a pixel x grey levels a frame). Empty where the version of reelproof
    that saw it did not measure this."""
    picture: str
    """A 16x9 luma thumbnail of its middle frame, base64."""


class Tick(Record):
    """A short stretch of the stream, as the gate saw it."""

    number: int = Field(ge=0)
    """`start_s` in lengths of a tick."""
    start_s: float
    end_s: float
    film: int
    """Which film of the source it is of: the number of its line in films.jsonl."""
    frame_count: int
    measures: TickMeasures
    stands_out: float
    """How far beyond what is usual here, in widths of that: 1 is at its edge; 0 while nothing is known."""
    because: str
    """Which measure stands out the most."""
    outs: tuple[float, ...] = ()
    """By measure, how far beyond what is usual it lies, below it where negative, whatever people said of
    events. Empty while nothing is known, and where an older version of reelproof saw it."""
    is_usual: bool
    """Whether the gate counts it among what it compares with."""
    is_asked: bool
    """Whether the questions are put to the window that ends with it."""
    frames: tuple[FrameRef, ...]
    """Frames that may be shown, with their times in the film."""
    arrived_at: float
    """When its last frame was decoded."""
    seen_at: float
    """When the gate had decided."""


class WatchedFilm(Record):
    """A file of the source, or one connection to it."""

    number: int
    video_id: str
    """sha256 of a file's bytes; of a connection, a hash of where to and when."""
    name: str
    path: str | None
    """Null for a connection: then clips are cut from what was recorded of it."""
    offset_s: float
    """Of its first frame in the stream."""
    began_at: float


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
