"""Where in a frame something is: a named box, in shares of the frame, and what can be wrong with it."""

from enum import StrEnum
from typing import Self

from pydantic import Field

from reelproof.schemas.answers.places import Box
from reelproof.schemas.record import Record

EDGE = 0.01
"""How far outside the frame a corner may lie, as a share of it: boxes are written with rounded numbers."""
WHOLE = 0.9
"""A box that covers this share of the frame says no more than that something is in the picture."""


class PlaceFault(StrEnum):
    """What is wrong with a box, whatever the picture shows."""

    EMPTY = "empty"
    """It has no area, or its corners are the wrong way round."""
    OUTSIDE = "outside"
    """It reaches out of the frame."""
    WHOLE = "whole"
    """It is nearly all of the frame."""


class Place(Record):
    """Something in a box of the frame that is shown at a time.

    Corners are shares of the frame's width and height from the top left; those that lie in it are 0 … 1.
    """

    label: str
    """What is there, in the words of whoever says so."""
    time_s: float | None
    """Null where no time is named."""
    left: float = Field(allow_inf_nan=False)
    top: float = Field(allow_inf_nan=False)
    right: float = Field(allow_inf_nan=False)
    bottom: float = Field(allow_inf_nan=False)

    @property
    def box(self) -> Box:
        """The corners and the time, as boxes are compared."""
        return Box(self.left, self.top, self.right, self.bottom, self.time_s)

    @property
    def flaw(self) -> PlaceFault | None:
        """What is wrong with the box; None of a sound one."""
        if self.right <= self.left or self.bottom <= self.top:
            return PlaceFault.EMPTY
        if min(self.left, self.top) < -EDGE or max(self.right, self.bottom) > 1 + EDGE:
            return PlaceFault.OUTSIDE
        area = (self.right - self.left) * (self.bottom - self.top)
        return PlaceFault.WHOLE if area > WHOLE else None

    def within_frame(self) -> Self:
        """The same, cut to the frame."""
        corners = {
            name: min(max(getattr(self, name), 0.0), 1.0) for name in ("left", "top", "right", "bottom")
        }
        return self.model_copy(update=corners)
