"""A video file -> its frames in order of time, and what was wrong with it: the one reader of av."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, NamedTuple, Self

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelproof.schemas.footage import QuarantineKind, Span
from reelproof.stages.footage.bitstream import is_cut_off, is_referred_to, nal_length_bytes
from reelproof.stages.footage.clock import Clock
from reelproof.stages.footage.colours import is_ordinary
from reelproof.stages.footage.damage import Arrival, LossWatch, Shown
from reelproof.stages.footage.lengths import ZERO_BASED_FORMATS, declared_duration_s, format_names
from reelproof.stages.footage.packets import (
    CODECS_WITH_DISPOSABLE_FRAMES,
    Faults,
    LookAhead,
    Read,
    can_skip,
    head_of,
    read_packets,
    short,
    tell_of_lost_frames,
)
from reelproof.stages.footage.pictures import is_transparent, is_untagged_hd, turn_of

# Playlists and the like would make one "video" read other files.
_INDIRECT_FORMATS = {"hls", "dash", "concat", "image2", "lavfi", "sdp", "rtsp", "ffmetadata", "tty"}
_INDEXED_FORMATS = {"mp4", "matroska", "avi"}  # in transport streams decord seeks to wrong frames
_DECODERS_OF_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_MAX_LOST_START_S = 10.0
# Before 19, PyAV refuses a file whose metadata is not UTF-8, unless it is told not to.
_OPEN_HOW: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


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
        self._level_before = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # a complaint said again is another loss
        self._faults = Faults(threads)
        self._container = _open_container(path)
        try:
            self._stream = _pick_stream(self._container)
        except UnusableVideoError:
            self._container.close()
            raise
        self.codec: str = _codec_name(self._stream)
        self._decoder = _decoder(self._stream, self.codec)
        self._decoder.copy_opaque = True  # so that a frame says which packet it is from
        self._decoder.thread_count = threads
        self._decoder.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self._tick_s = float(self._stream.time_base or 0)
        aspect = float(self._stream.sample_aspect_ratio or 1)
        self.pixel_aspect = aspect if 0.2 <= aspect <= 5 else 1.0
        """Width of a pixel by its height."""
        self.declared_s = declared_duration_s(self._container, self._stream)
        formats = format_names(self._container)
        self._is_stamped_in_order = "avi" in formats and self.codec in CODECS_WITH_DISPOSABLE_FRAMES
        self._unused_stamps: list[int] = []
        self.end_s = 0.0
        """Last frame's time plus its duration."""
        self.packet_count = 0
        """Packets that the file gave to the decoder."""
        self.damaged: tuple[Span, ...] = ()
        """From each loss to the next clean key frame."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        av.logging.set_level(self._level_before)

    @property
    def faults(self) -> list[str]:
        """What libav complained about, each kind of complaint once, in order."""
        return self._faults.told

    def frames(self, exact: bool) -> Iterator[TimedFrame]:
        """Every frame once, in order of presentation; times strictly rising, in whole milliseconds.

        Times start at 0 with the first frame, or, where the first frames are lost, with the first packet.
        With `exact` false, frames that no other frame refers to are left out where that keeps every gap
        within three frames (H.264 and HEVC with B-frames): half the decoding, and a cut is still placed
        within two frames.
        """
        watch = self._watch()
        reads = read_packets(self._container, self._stream, self._faults)
        ahead = LookAhead(reads, watch)
        clock = self._begin([read.arrival for read in ahead.head])
        leaves_out = not (exact or self._is_stamped_in_order) and can_skip(
            self.codec, ahead.head, self._decoder.extradata
        )
        if leaves_out:
            self._decoder.skip_frame = "NONREF"
        for number, frame in self._decode(ahead, watch, clock, leaves_out):
            stamp = self._stamp(frame)
            time_s = clock.tell(stamp, frame.duration)
            if frame.is_corrupt:
                watch.conceals(number, time_s)
            told = None if self._is_stamped_in_order else stamp
            is_damaged = watch.shows(Shown(number, told, time_s, bool(frame.key_frame)))
            yield TimedFrame(time_s, frame, is_damaged)
        self.end_s = clock.end_s
        self.damaged = _merged(watch.finish(self.end_s), self.end_s)

    def _stamp(self, frame: VideoFrame) -> int | None:
        """When the frame is shown. AVI stamps in the order of decoding: the earliest is the next shown."""
        if self._unused_stamps:
            return heappop(self._unused_stamps)
        return frame.pts if frame.pts is not None else frame.dts

    def look(self) -> Look:
        """What the first frame tells; uses the reel up. Raises UnusableVideoError where there is none."""
        watch = self._watch()
        ahead = LookAhead(read_packets(self._container, self._stream, self._faults), watch)
        head = [read.arrival for read in ahead.head]
        clock = self._begin(head)
        decoded = self._decode(ahead.without_more(), watch, clock, leaves_out=False)
        _, first = next(decoded, (0, None))
        if first is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, f"no frame could be decoded: {self.faults}")
        stamps_known = all(each.stamp is not None and each.is_shown for each in head)
        is_indexed = bool(_INDEXED_FORMATS & format_names(self._container))
        is_whole = stamps_known and head[0].is_key and not self.faults
        is_plain = is_indexed and is_whole and _is_as_decord_shows(first)
        is_upright = turn_of(first).rotation_deg % 180 == 0
        return Look(self.pixel_aspect if is_upright else 1 / self.pixel_aspect, is_plain)

    def _watch(self) -> LossWatch:
        says_lengths = "mp4" in format_names(self._container)
        lag = self._decoder.thread_count - 1
        return LossWatch(self.codec, self._decoder.extradata, self._tick_s, says_lengths, lag)

    def _begin(self, head: Sequence[Arrival]) -> Clock:
        """A clock that starts with the first frame; where that will not decode, where the film began."""
        stamps = [each.stamp for each in head if each.stamp is not None and each.is_shown]
        start_s = min(stamps, default=0) * self._tick_s
        begins_whole = not head or head[0].is_key
        formats = format_names(self._container)
        if not begins_whole and formats & ZERO_BASED_FORMATS and 0 <= start_s <= _MAX_LOST_START_S:
            start_s = 0.0
        if "matroska" in formats:  # it declares the end, not the length
            self.declared_s = max(self.declared_s - start_s, 0.0)
        clock = Clock(self.fps, self.declared_s, self._tick_s)
        if not begins_whole:
            clock.begin(start_s)
        return clock

    def _decode(
        self, ahead: Iterable[Read], watch: LossWatch, clock: Clock, leaves_out: bool
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Frames, and the numbers of the packets that they came in."""
        length_bytes = nal_length_bytes(self.codec, self._decoder.extradata)
        last: Arrival | None = None
        for packet, arrival, after_trouble in ahead:
            self.packet_count += 1
            if arrival.stamp is not None and arrival.is_shown:
                clock.expect(arrival.stamp, arrival.ticks)
            head = head_of(packet) if self.codec in CODECS_WITH_DISPOSABLE_FRAMES else b""
            if self._is_stamped_in_order and arrival.stamp is not None:
                heappush(self._unused_stamps, arrival.stamp)
            if leaves_out and not is_referred_to(self.codec, head, length_bytes):
                arrival = arrival._replace(is_shown=False)
            watch.decodes(arrival, head)
            if after_trouble:
                watch.is_troubled(arrival)
            packet.opaque = arrival.number
            yield from self._given(packet, arrival, watch)
            last = arrival
        if last is not None:
            yield from self._given(None, last, watch)

    def _given(
        self, packet: "Packet[VideoStream] | None", arrival: Arrival, watch: LossWatch
    ) -> Iterator[tuple[int, VideoFrame]]:
        none: list[VideoFrame] = []
        frames, said = self._faults.heard("decoding", lambda: self._decoder.decode(packet), none)
        if said:
            watch.complains(arrival, of_lost_frames=tell_of_lost_frames(said))
        for frame in frames:
            yield frame.opaque if isinstance(frame.opaque, int) else arrival.number, frame


def _open_container(path: str) -> InputContainer:
    try:
        with av.logging.Capture():  # probing tells of a cut-off beginning, as decoding will
            container: InputContainer = av.open(path, options={"protocol_whitelist": "file"}, **_OPEN_HOW)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if Path(path).exists() and is_cut_off(path):
            detail = f"the file ends before its index, nothing can be decoded ({short(error)})"
            raise UnusableVideoError(QuarantineKind.TRUNCATED, detail) from error
        detail = f"not a video FFmpeg can open: {short(error)}"
        raise UnusableVideoError(QuarantineKind.UNREADABLE, detail) from error
    if _INDIRECT_FORMATS & format_names(container):
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


def _decoder(stream: VideoStream, codec: str) -> VideoCodecContext:
    """The stream's own, or one that gives the transparency that VP8 and VP9 carry beside the picture."""
    has_alpha = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    if has_alpha and codec in _DECODERS_OF_ALPHA:
        decoder = av.CodecContext.create(_DECODERS_OF_ALPHA[codec], "r")
        if isinstance(decoder, VideoCodecContext):
            return decoder
    return stream.codec_context


def _is_as_decord_shows(frame: VideoFrame) -> bool:
    """It knows no fields, mirrors, transparency and HDR, and takes BT.601 for all that is untagged."""
    is_plain = is_ordinary(frame) and not is_transparent(frame) and not is_untagged_hd(frame)
    return is_plain and not frame.interlaced_frame and not turn_of(frame).is_mirrored


def _merged(spans: Sequence[Span], end_s: float) -> tuple[Span, ...]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if merged and span.start_s <= merged[-1].end_s:
            merged[-1] = Span(start_s=merged[-1].start_s, end_s=max(merged[-1].end_s, span.end_s))
        elif span.start_s < end_s:
            merged.append(span)
    return tuple(merged)
