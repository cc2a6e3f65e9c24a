"""What a watched stream shows: its films, and its ticks with what their frames measure.

Times ending in `_s` are seconds of the stream, whose first frame is at 0; `*_at` are seconds since 1970.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from reelproof.schemas.footage import FrameRef
from reelproof.schemas.record import Record

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
