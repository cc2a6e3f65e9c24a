"""What is written in frames: lines of text with their boxes."""

from pydantic import Field

from reelproof.schemas.place import Place
from reelproof.schemas.record import Record

SURE = 0.8
"""From this confidence on, a reader is nearly always right, save for single characters."""


class TextLine(Place):
    """A line that is written in a frame; its label is the text."""

    confidence: float = Field(ge=0, le=1)
    """The reader's, that it is this text."""

    @property
    def is_sure(self) -> bool:
        """Whether it can be held against anybody; small print and patterns are read, but not surely."""
        return self.confidence >= SURE


class FrameText(Record):
    """All that is written in one frame, as far as it was read."""

    video_id: str
    sha256: str
    """Of the frame's JPEG bytes."""
    time_s: float
    """Of the frame, in seconds from the video's first one."""
    reader: str
    """`name@version` of who read it."""
    lines: tuple[TextLine, ...]
    """From the top down, and from left to right."""
