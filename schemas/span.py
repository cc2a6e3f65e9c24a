"""Spans of a long film, each from a key frame on: what is known before they are scanned, what a scan gives.

Stamps are presentation timestamps in ticks of the stream.
"""

from reelproof.schemas.footage import FrameSignals, Keyframe, Video
from reelproof.schemas.record import Record


class SpanCut(Record):
    """Where one span lies among the film's packets."""

    number: int
    """Of its first packet, a key frame, in the order of decoding."""
    stamp: int
    """When that is shown. The span holds what is shown from then on."""
    start_s: float
    """The same in seconds from the film's first frame."""
    next_stamp: int | None
    """When the next span begins; null for the last one."""
    packets: int
    """How many are decoded: some of the next span, for its leading frames and to see that both agree."""
    digest: int
    """CRC-32 over those packets' stamps, lengths and sizes."""


class Survey(Record):
    """A film whose spans may be scanned side by side, as its packets tell without decoding."""

    leaves_out: bool
    """Whether frames that none refers to are left out; see `FootageConfig.exact`."""
    spans: tuple[SpanCut, ...]
    """Two or more."""


class Surveyed(Record):
    """What following a film's packets came to."""

    survey: Survey | None
    """Null where only one pass will do."""


class Edge(Record):
    """The first or the last frame of a span, as its neighbour needs it."""

    stamp: int
    time_s: float
    height: int
    width: int
    small: bytes
    """As signals are measured on it: (height, width, 3) uint8 of Y, Cr, Cb."""


class SpanEnd(Record):
    """How the scan of one span went."""

    is_sound: bool
    """Nothing was lost, and nothing complained of."""
    video: Video
    frame_count: int
    first: Edge
    last: Edge
    end_s: float
    """The last frame's time plus its duration; counts for the last span."""
    head: tuple[int, ...]
    """CRC-32 of its first frames in full, each with its stamp."""
    beyond: tuple[int, ...]
    """The same of some of the next span that were decoded as well."""


class SpanRow(Record):
    """A run of a span's frames, as it lies on disk until the film is joined."""

    signals: FrameSignals
    """Of the span's very first frame without what compares it with the one before."""
    candidates: tuple[Keyframe, ...]
    end: SpanEnd | None
    """With the last of a span's rows."""
