"""A computed question about edited frames, with the JPEG files that everyone is shown: the frame contract."""

from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record

PLAIN = "plain"
"""What was done to a frame that is only encoded anew, as those beside it are that were edited."""
WRITTEN = "written over: "
"""Begins what was done to a frame over which words were written."""


class EncodedFrame(Record):
    """A frame that was encoded anew: from here on, all see these bytes."""

    frame: FrameRef
    """Video and time are those of the footage's frame that it was made of; hashes and size are its own."""
    jpeg: bytes
    """The JPEG file; `frame.sha256` is its hash."""


class EditedQuestion(Record):
    """A question about edited frames, and what was done to each. No frame of the footage is among them."""

    question: Question
    edits: tuple[str, ...]
    """Of each frame that it shows, in order: what was done to it before it was encoded, or `plain`."""
    frames: tuple[EncodedFrame, ...]
    """The files of its frames that no question before it in the part shows."""

    @property
    def is_written_over(self) -> bool:
        """Whether words were written over some of its frames."""
        return any(each.startswith(WRITTEN) for each in self.edits)
