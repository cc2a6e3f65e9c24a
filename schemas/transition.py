"""Where a network sees one scene of a film give way to another."""

from pydantic import Field

from reelproof.schemas.record import Record


class SeenTransition(Record):
    """A change of scene over the frames [first, last] of a film's signals; `at` is the new scene's first."""

    video_id: str
    first: int = Field(ge=0)
    at: int
    last: int
    score: float
    """The network's highest probability there; 1 = at its threshold."""
