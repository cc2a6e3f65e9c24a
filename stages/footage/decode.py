"""A video file -> its frames in order of time, and what was wrong with it: the one reader of av."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelproof.schemas.footage import QuarantineKind, Span
from reelproof.stages.footage.bitstream import is_cut_off, is_referred_to, nal_length_bytes
from reelproof.stages.footage.clock import Clock
from reelproof.stages.footage.pictures import rotation_deg

# Playlists and the like would make one "video" read other files.
_INDIRECT_FORMATS = {"hls", "dash", "concat", "image2", "lavfi", "sdp", "rtsp", "ffmetadata", "tty"}
_CODECS_WITH_DISPOSABLE_FRAMES = {"h264", "hevc"}
_INDEXED_FORMATS = {"mp4", "matroska", "avi"}  # in transport streams decord seeks to wrong frames
_PROBED_PACKETS = 96
_MAX_READ_ERRORS = 16


class LocalVideo(NamedTuple):
    """A source file on this machine's disk."""

    path: str
    video_id: str
    """sha256 of the file's bytes, hex."""
    name: str
    size_bytes: int
    license: str = "unknown"


class UnusableVideoError(Exception):
    """A file that yields no frames: `kind` for the count, the message for a person."""

    def __init__(self, kind: QuarantineKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class TimedFrame(NamedTuple):
    """A decoded frame, not yet rotated, and its time in seconds from the first frame."""

    time_s: float
    frame: VideoFrame
    is_damaged: bool
    """The decoder concealed errors in it."""


class Look(NamedTuple):
    """What a first look at a video says about showing its frames."""

    pixel_aspect: float
    """Width of a pixel by its height, after rotation."""
    is_plain: bool
    """Every packet is a frame shown as it is (no edit list, no fields), and there is an index to seek by."""


class Reel:
    """An open video file. Use in a `with`; raises UnusableVideoError where there is nothing to decode.

    After `frames` has ended, `end_s`, `damaged` and `faults` say how it went.
    """

    def __init__(self, path: str, threads: int = 1) -> None:
        self._container = _open_container(path)
        try:
            self._stream = _pick_stream(self._container)
        except UnusableVideoError:
            self._container.close()
            raise
        context = self._stream.codec_context
        context.thread_count = threads
        context.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
        self.codec: str = _codec_name(self._stream)
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        aspect = float(self._stream.sample_aspect_ratio or 1)
        self.pixel_aspect = aspect if 0.2 <= aspect <= 5 else 1.0
        """Width of a pixel by its height."""
        self.declared_s = _declared_duration_s(self._container, self._stream)
        self.end_s = 0.0
        """Last frame's time plus its duration, in seconds from the first frame."""
        self.packet_count = 0
        """Packets that the file gave to the decoder."""
        self.damaged: tuple[Span, ...] = ()
        self.faults: list[str] = []
        """What the decoder complained about, each complaint once, in order."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def frames(self, exact: bool) -> Iterator[TimedFrame]:
        """Every frame once, in order of presentation; times strictly rising from 0, in whole milliseconds.

        With `exact` false, frames that no other frame refers to are left out where that keeps every gap
        within three frames (H.264 and HEVC with B-frames): half the decoding, and a cut is still placed
        within two frames.
        """
        packets = self._packets()
        head: list[Packet[VideoStream]] = []
        if not exact and self.codec in _CODECS_WITH_DISPOSABLE_FRAMES:
            head = list(islice(packets, _PROBED_PACKETS))
        if _can_skip(self.codec, head, self._stream.codec_context.extradata):
            self._stream.codec_context.skip_frame = "NONREF"
        clock = Clock(self.fps, self.declared_s, float(self._stream.time_base or 0))
        bad: list[Span] = []
        for frame in self._decode(head, packets, clock, bad):
            stamp = frame.pts if frame.pts is not None else frame.dts
            time_s = clock.tell(stamp, frame.duration)
            is_damaged = bool(frame.is_corrupt)
            if is_damaged:
                bad.append(Span(start_s=time_s, end_s=time_s + clock.step_s))
            yield TimedFrame(time_s, frame, is_damaged)
        self.end_s = clock.end_s
        self.damaged = _merged(bad, within_s=0.5, end_s=self.end_s)

    def look(self) -> "Look":
        """What the first frame tells; uses the reel up. Raises UnusableVideoError where there is none."""
        head = list(islice(self._packets(), _PROBED_PACKETS))
        clock = Clock(self.fps, self.declared_s, 0.0)
        first = next(self._decode(list(head), iter(()), clock, []), None)
        if first is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, f"no frame could be decoded: {self.faults}")
        stamps_known = all(packet.pts is not None and not packet.is_discard for packet in head)
        is_indexed = bool(_INDEXED_FORMATS & set(self._container.format.name.split(",")))
        is_plain = is_indexed and stamps_known and not first.interlaced_frame and not self.faults
        is_upright = rotation_deg(first) % 180 == 0
        return Look(self.pixel_aspect if is_upright else 1 / self.pixel_aspect, is_plain)

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        """The stream's packets, reading on after damage where the container allows it."""
        for _ in range(_MAX_READ_ERRORS):
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        yield packet
                return
            except (av.error.FFmpegError, ValueError) as error:
                self._complain(f"reading: {_short(error)}")

    def _decode(
        self,
        head: "list[Packet[VideoStream]]",
        rest: "Iterator[Packet[VideoStream]]",
        clock: Clock,
        bad: list[Span],
    ) -> Iterator[VideoFrame]:
        for packet in _chain(head, rest):
            self.packet_count += 1
            if packet.pts is not None and not packet.is_discard:
                clock.expect(packet.pts, packet.duration or 0)
            try:
                yield from self._stream.codec_context.decode(packet)
            except (av.error.FFmpegError, ValueError) as error:
                self._complain(f"decoding: {_short(error)}")
                start_s = clock.look(packet.pts)
                bad.append(Span(start_s=start_s, end_s=start_s + clock.step_s))
        try:
            yield from self._stream.codec_context.decode(None)
        except (av.error.FFmpegError, ValueError) as error:
            self._complain(f"decoding: {_short(error)}")

    def _complain(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)


def _open_container(path: str) -> InputContainer:
    try:
        container = av.open(path, options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if Path(path).exists() and is_cut_off(path):
            detail = f"the file ends before its index, nothing can be decoded ({_short(error)})"
            raise UnusableVideoError(QuarantineKind.TRUNCATED, detail) from error
        detail = f"not a video FFmpeg can open: {_short(error)}"
        raise UnusableVideoError(QuarantineKind.UNREADABLE, detail) from error
    if _INDIRECT_FORMATS & set(container.format.name.split(",")):
        container.close()
        raise UnusableVideoError(QuarantineKind.UNREADABLE, f"a {container.format.name} file, not a video")
    return container


def _pick_stream(container: InputContainer) -> VideoStream:
    attached = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & attached]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "none"
        detail = f"no video stream; streams in the file: {kinds}"
        raise UnusableVideoError(QuarantineKind.NO_VIDEO_STREAM, detail)
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, "no decoder for the video stream's codec")
    return stream


def _codec_name(stream: VideoStream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _declared_duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else 0.0


def _can_skip(codec: str, packets: "Sequence[Packet[VideoStream]]", extradata: bytes | None) -> bool:
    """Whether leaving out the frames that none refers to leaves no gap of more than three frames."""
    if len(packets) < 8:
        return False
    if any(packet.pts is None for packet in packets):
        return False
    length_bytes = nal_length_bytes(codec, extradata)
    by_time = sorted(packets, key=lambda packet: packet.pts or 0)
    kept = [i for i, packet in enumerate(by_time) if is_referred_to(codec, bytes(packet), length_bytes)]
    gaps = np.diff(kept)
    return len(kept) > 1 and len(kept) < len(packets) and int(gaps.max()) <= 3


def _merged(spans: list[Span], within_s: float, end_s: float) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if merged and span.start_s <= merged[-1].end_s + within_s:
            merged[-1] = Span(start_s=merged[-1].start_s, end_s=max(merged[-1].end_s, span.end_s))
        elif span.start_s < end_s:
            merged.append(span)
    return tuple(merged)


def _chain(
    head: "list[Packet[VideoStream]]", rest: "Iterator[Packet[VideoStream]]"
) -> "Iterator[Packet[VideoStream]]":
    yield from head
    head.clear()
    yield from rest


def _short(error: Exception) -> str:
    return str(error).split("]", 1)[-1].strip()[:200]
