"""A live stream's packets as they arrive -> short files of them, each from a key frame on, for clips."""

from fractions import Fraction
from typing import NamedTuple

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_LEAST_S = 2.0
_ONLY_IN_MATROSKA = {"vp8", "theora"}
_SAYS_HOW = {"h264", "hevc"}
"""In a stream that was joined between key frames, only the packets say how to decode it."""
_NOT_RECORDED = {"rawvideo"}
"""Too large to keep as it comes."""


def _format(packet: "Packet[VideoStream]") -> str:
    """QuickTime keeps both times of a packet, and Matroska holds what that does not."""
    codec = packet.stream.codec_context
    if codec.name in _SAYS_HOW and not codec.extradata:
        return "mpegts"
    return "matroska" if codec.name in _ONLY_IN_MATROSKA else "mov"


_AS_IT_COMES = {
    "mov": {"movflags": "hybrid_fragmented", "frag_duration": "500000"},
    "matroska": {"cluster_time_limit": "500"},
    "mpegts": {},
}
"""So that a file that nobody closed can be read up to half a second before that."""


class Recorded(NamedTuple):
    """A file that is whole, in seconds of the stream."""

    path: str
    start_s: float
    end_s: float


class SegmentWriter:
    """One connection's packets, in files that whoever is handed them moves away.

    A file's name ends with where it begins, in milliseconds, for whoever finds one that was not closed.
    """

    def __init__(self, stem: str, offset_s: float) -> None:
        self._stem, self._offset_s, self._count = stem, offset_s, 0
        self._base: int | None = None
        self._path = ""
        self._out: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._first = 0
        self._start_s = self._end_s = offset_s

    def take(self, packet: "Packet[VideoStream]") -> Recorded | None:
        """The next packet; the file that is whole now, where one is."""
        if packet.pts is None or packet.stream.codec_context.name in _NOT_RECORDED:
            return None
        if self._base is None:
            self._base = packet.pts
        tick_s = float(packet.time_base)
        shown_s = self._offset_s + (packet.pts - self._base) * tick_s
        done = None
        if packet.is_keyframe and (self._out is None or shown_s - self._start_s >= _LEAST_S):
            done = self.close()
            self._count += 1
            self._path = f"{self._stem}-{self._count}-{round(shown_s * 1000)}.part"
            as_ = _format(packet)
            self._out = av.open(
                self._path, "w", format=as_, options={"flush_packets": "1", **_AS_IT_COMES[as_]}
            )
            self._stream = self._out.add_stream_from_template(packet.stream)
            self._first, self._start_s = packet.pts, shown_s
        if self._out is not None and self._stream is not None:
            self._out.mux(self._moved(packet, tick_s))
            self._end_s = max(self._end_s, shown_s + (packet.duration or 0) * tick_s)
        return done

    def close(self) -> Recorded | None:
        """What was being written, whole; it still lies where it was written."""
        if self._out is None:
            return None
        self._out.close()
        self._out = None
        return Recorded(self._path, self._start_s, self._end_s)

    def _moved(self, packet: "Packet[VideoStream]", tick_s: float) -> "Packet[Stream]":
        """A copy that begins with its file; the decoder has the packet itself."""
        copy = av.Packet(bytes(packet))
        copy.time_base = Fraction(1, 1000)
        copy.pts = round(((packet.pts or 0) - self._first) * tick_s * 1000)
        dts = packet.dts if packet.dts is not None else packet.pts or 0
        copy.dts = round((dts - self._first) * tick_s * 1000)
        copy.duration = round((packet.duration or 0) * tick_s * 1000)
        copy.is_keyframe = packet.is_keyframe
        if self._stream is not None:
            copy.stream = self._stream
        return copy
