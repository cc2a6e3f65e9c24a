"""What a film's scenes are worth to somebody with little time, which of them are in its reel, and why.

Times are seconds from the film's first frame, or of the reel where their name says so; intervals are
half-open.
"""

from pydantic import Field

from reelproof.schemas.record import Record
from reelproof.schemas.trace import JudgedClaim


class Opinion(Record):
    """What a model says of a moment, and whether the frames bear it out."""

    belief: float = Field(ge=0, le=1)
    """Share of its votes for showing it."""
    votes: tuple[str | None, ...]
    is_borne_out: bool
    """Whether the frames that its thought cites bear out what it claims, more than others do."""
    thought: str
    claims: tuple[JudgedClaim, ...]
    model: str
    """`name@revision`"""


class Moment(Record):
    """A scene, or a part of a long or damaged one: in the reel it is whole, or not at all."""

    scene: int = Field(ge=0)
    """Which scene of the film it is of."""
    start_s: float = Field(ge=0)
    end_s: float
    is_from_cut: bool
    """It begins where its scene does."""
    is_to_cut: bool
    """It ends where its scene does."""
    motion: float = Field(ge=0, le=1)
    """Mean motion from frame to frame: 0 is the film's calmest moment, 1 its liveliest."""
    novelty: float = Field(ge=0, le=1)
    """How unlike it looks even those moments that are most like it, alike."""
    sharpness: float = Field(ge=0, le=1)
    """Alike."""
    visible: float = Field(ge=0, le=1)
    """Share of its frames that show something: neither black nor white nor of one colour."""
    look: int = Field(ge=0)
    """Moments of one number look alike."""
    score: float = Field(ge=0, le=1)
    """What a second of it is worth, as far as nothing like it is in the reel."""
    opinion: Opinion | None = None
    """Null where no model was asked about it."""

    @property
    def length_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


class Pick(Record):
    """A stretch of the film that the reel shows without a cut of its own: one moment, or some that touch."""

    start_s: float = Field(ge=0)
    end_s: float
    reel_start_s: float = Field(ge=0)
    """Where it begins in the reel."""
    title: str
    why: str
    """For a person."""
    moments: tuple[int, ...]
    """Their places among all."""


class Highlights(Record):
    """A film's reel: what it was asked for, every moment as it was scored, and what is in."""

    video: str
    video_id: str
    duration_s: float
    asked_s: float
    """The longest that the reel may be."""
    reel_s: float
    has_sound: bool
    model: str | None
    """Who was asked about the moments; null is nobody, and scores are of signals alone."""
    damaged_s: float
    """Seconds of the film that are damaged, none of which is in."""
    picks: tuple[Pick, ...]
    moments: tuple[Moment, ...]
