"""One question that somebody asked of a film: what was answered, what it rests on, and what it took."""

from pydantic import Field

from reelproof.schemas.event import Measured
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Task
from reelproof.schemas.record import Record
from reelproof.schemas.trace import JudgedClaim


class LookedAt(Record):
    """One look at the film: so many frames of it, shown for each vote."""

    times_s: tuple[float, ...]
    """Of the frames."""
    votes: tuple[str | None, ...]
    """Every answer, in order; null where there was none to read."""
    answer: str | None
    """What they come to."""
    agreed_share: float = Field(ge=0, le=1)
    """Share of the votes that say so."""


class AskingCost(Record):
    """What an answer took, the check of its claims included."""

    requests: int = Field(ge=0)
    frames_shown: int = Field(ge=0)
    """Over all looks; the votes of one look share theirs."""
    prompt_tokens: int = Field(ge=0)
    """0 where the model does not count."""
    completion_tokens: int = Field(ge=0)
    seconds: float = Field(ge=0)
    """From opening the film on."""


class Answered(Record):
    """A question's answer with its evidence."""

    video: str
    video_id: str
    """sha256 of the file's bytes, hex."""
    start_s: float
    end_s: float
    """The stretch of the film that was looked at."""
    question: str
    task: Task
    options: tuple[str, ...]
    answer: str | None
    """Null where no vote could be read."""
    is_settled: bool
    """The votes agreed; else the most frames were shown and they did not."""
    thought: str
    """Of the first vote that says so."""
    claims: tuple[JudgedClaim, ...]
    """What the thought says of times that it cites, held to those frames and to others by the same model."""
    shown: tuple[FrameRef, ...]
    """What the last look showed."""
    cited: tuple[float, ...]
    """When those of them are that the thought cites."""
    looks: tuple[LookedAt, ...]
    model: str
    """`name@revision`"""
    measured: Measured | None
    """How often the model was right on such questions, one answer each; null is untested."""
    cost: AskingCost
