"""A video file -> its frames in order of time, or those at given times: the one wrapper of av and decord."""

import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import av
import cv2
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from schemas.footage import QuarantineKind, Span

# Playlists and the like would make one "video" read other files.
_INDIRECT_FORMATS = {"hls", "dash", "concat", "image2", "lavfi", "sdp", "rtsp", "ffmetadata", "tty"}
_CODECS_WITH_DISPOSABLE_FRAMES = {"h264", "hevc"}
_PROBED_PACKETS = 240
_MAX_READ_ERRORS = 16
_MAX_JUMP_S = 10.0
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED: players take BT.709 for HD, swscale would take BT.601
_HD_LINES = 720
_AREA = (
    Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)


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
        head = list(islice(packets, _PROBED_PACKETS))
        if not exact and _can_skip(self.codec, head, self._stream.codec_context.extradata):
            self._stream.codec_context.skip_frame = "NONREF"
        clock = _Clock(self.fps, self.declared_s, float(self._stream.time_base or 0))
        bad: list[Span] = []
        for frame in self._decode(head, packets, clock, bad):
            time_s = clock.tell(frame)
            is_damaged = bool(frame.is_corrupt)
            if is_damaged:
                bad.append(Span(start_s=time_s, end_s=time_s + clock.step_s))
            yield TimedFrame(time_s, frame, is_damaged)
        self.end_s = clock.end_s
        self.damaged = _merged(bad, within_s=0.5, end_s=self.end_s)

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
        clock: "_Clock",
        bad: list[Span],
    ) -> Iterator[VideoFrame]:
        for packet in _chain(head, rest):
            clock.see(packet)
            try:
                yield from self._stream.codec_context.decode(packet)
            except (av.error.FFmpegError, ValueError) as error:
                self._complain(f"decoding: {_short(error)}")
                start_s = clock.of_packet(packet)
                bad.append(Span(start_s=start_s, end_s=start_s + clock.step_s))
        try:
            yield from self._stream.codec_context.decode(None)
        except (av.error.FFmpegError, ValueError) as error:
            self._complain(f"decoding: {_short(error)}")

    def _complain(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)


class _Clock:
    """Presentation times that start at 0 and rise strictly, whatever the timestamps do."""

    def __init__(self, fps: float, declared_s: float, tick_s: float) -> None:
        self._tick_s = tick_s
        self.step_s = 1 / fps if 0 < fps <= 1000 else 0.04
        self.end_s = 0.0
        self._declared_s = declared_s
        self._base_s: float | None = None
        self._last_s = -1.0
        self._packet_end_s = 0.0

    def see(self, packet: "Packet[VideoStream]") -> None:
        if packet.pts is not None and not packet.is_discard:
            end_s = (packet.pts + (packet.duration or 0)) * self._tick_s
            self._packet_end_s = max(self._packet_end_s, end_s)

    def of_packet(self, packet: "Packet[VideoStream]") -> float:
        if packet.pts is None or self._base_s is None:
            return max(self._last_s, 0.0)
        return max(packet.pts * self._tick_s - self._base_s, 0.0)

    def tell(self, frame: VideoFrame) -> float:
        """The frame's time. Backward and absurd forward jumps are taken as a clock that started anew."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        stamp_s = stamp * self._tick_s if stamp is not None else None
        if self._base_s is None:
            self._base_s = stamp_s if stamp_s is not None else 0.0
        time_s = self._last_s + self.step_s if stamp_s is None else stamp_s - self._base_s
        if self._last_s < 0:
            time_s = 0.0
        elif time_s <= self._last_s or self._is_absurd(time_s):
            if stamp_s is not None and abs(time_s - self._last_s) > 1.0:
                self._base_s = stamp_s - self._last_s - self.step_s
                time_s = self._last_s + self.step_s
            else:
                time_s = self._last_s + 0.001
        time_s = round(time_s, 3)
        self._last_s = time_s
        self._note_end(frame, time_s)
        return time_s

    def _note_end(self, frame: VideoFrame, time_s: float) -> None:
        length_s = frame.duration * self._tick_s
        self.end_s = time_s + (length_s if 0 < length_s < _MAX_JUMP_S else self.step_s)
        # Skipped frames at the very end are part of the video all the same.
        packet_end_s = self._packet_end_s - (self._base_s or 0.0)
        if self.end_s < packet_end_s <= self.end_s + 4 * self.step_s:
            self.end_s = packet_end_s

    def _is_absurd(self, time_s: float) -> bool:
        return time_s > self._last_s + _MAX_JUMP_S and 0 < self._declared_s < time_s - _MAX_JUMP_S


def rotated(image: np.ndarray, rotation_deg: int) -> np.ndarray:
    """Turn an image (H, W, …) clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(image, k=-(rotation_deg // 90) % 4))


def rotation_deg(frame: VideoFrame) -> int:
    """Clockwise degrees (0, 90, 180, 270) by which the frame's metadata wants it turned."""
    return round(-frame.rotation / 90) * 90 % 360


class RgbConverter:
    """Frames as people see them: upright, in their colours, of interlaced footage one field.

    One for all frames of a video: setting up the scaler costs several times what scaling does.
    """

    def __init__(self, long_side_px: int | None = None, pixel_aspect: float = 1.0) -> None:
        """Shrink so that the longer side is at most `long_side_px`; None keeps the size."""
        self._long_side_px = long_side_px
        self._pixel_aspect = pixel_aspect
        self._scaler = VideoReformatter()

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        width = frame.width * self._pixel_aspect
        shrink = min(1.0, self._long_side_px / max(width, frame.height)) if self._long_side_px else 1.0
        size = max(1, round(width * shrink)), max(1, round(frame.height * shrink))
        is_interlaced = frame.interlaced_frame and frame.height > 2
        scaled = self._scaler.reformat(
            frame,
            width=size[0],
            height=frame.height if is_interlaced else size[1],
            format="rgb24",
            interpolation=_AREA,
            src_colorspace=Colorspace.ITU709
            if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_LINES
            else None,
        )
        image: np.ndarray = scaled.to_ndarray()
        if is_interlaced:
            image = cv2.resize(image[::2], size, interpolation=cv2.INTER_AREA)
        return rotated(image, rotation_deg(frame))


def small_ycrcb(frame: VideoFrame, lines: int) -> np.ndarray:
    """A frame sub-sampled to about `lines` on its shorter side, not rotated. (h, w, 3) uint8 of Y, Cr, Cb."""
    shrink = max(1.0, min(frame.width, frame.height) / lines)
    size = max(1, round(frame.width / shrink)), max(1, round(frame.height / shrink))
    if frame.format.name not in _PLANAR_8_BIT:
        frame = frame.reformat(width=size[0], height=size[1], format="yuv444p", interpolation="POINT")
    planes = [_plane(frame, index) for index in (0, 2, 1)]
    return cv2.merge([cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST) for plane in planes])


_PLANAR_8_BIT = {f"yuv{j}{ratio}p" for j in ("", "j") for ratio in ("410", "411", "420", "422", "440", "444")}


def _plane(frame: VideoFrame, index: int) -> np.ndarray:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8, count=plane.line_size * plane.height)
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]


def frames_at(path: str, times_s: Sequence[float], long_side_px: int | None = None) -> list[np.ndarray]:
    """The frames shown at these times (seconds from the first frame), in the order asked. (H, W, 3) uint8

    A time past the end gives the last frame. Raises UnusableVideoError where the file cannot be decoded.
    """
    wanted = sorted(set(times_s))
    found: dict[float, np.ndarray] = {}
    with Reel(path) as reel:
        shown: VideoFrame | None = None
        converter = RgbConverter(long_side_px, reel.pixel_aspect)
        for timed in reel.frames(exact=True):
            while len(found) < len(wanted) and shown is not None and wanted[len(found)] < timed.time_s:
                found[wanted[len(found)]] = converter.convert(shown)
            if len(found) == len(wanted):
                break
            shown = timed.frame
    if shown is None:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, f"{Path(path).name}: no frame could be decoded")
    for time_s in wanted[len(found) :]:
        found[time_s] = converter.convert(shown)
    return [found[time_s] for time_s in times_s]


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
    default = av.stream.Disposition.default
    stream = max(streams, key=lambda each: (bool(each.disposition & default), -each.index))
    if stream.codec_context is None:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, "no decoder for the video stream's codec")
    return stream


def _codec_name(stream: VideoStream) -> str:
    return str(stream.codec_context.codec.canonical_name)


def _declared_duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else 0.0


def is_cut_off(path: str) -> bool:
    """Whether an ISO media file (MP4, MOV) ends inside one of its boxes, or before its index.

    Source: ISO/IEC 14496-12, 4.2: a box is a 32-bit size and a type; size 1 has 64 bits more, size 0 runs to
    the end.
    """
    end, offset, kinds = Path(path).stat().st_size, 0, []
    with Path(path).open("rb") as file:
        while offset + 8 <= end:
            file.seek(offset)
            header = file.read(16)
            size, kind = struct.unpack(">I4s", header[:8])
            if size == 1 and len(header) == 16:
                size = struct.unpack(">Q", header[8:])[0]
            kinds.append(kind)
            if kinds[0] != b"ftyp" or size < 8:
                break
            offset += size
    return bool(kinds) and kinds[0] == b"ftyp" and (offset > end or b"moov" not in kinds)


def _can_skip(codec: str, packets: "Sequence[Packet[VideoStream]]", extradata: bytes | None) -> bool:
    """Whether leaving out the frames that none refers to leaves no gap of more than three frames."""
    if codec not in _CODECS_WITH_DISPOSABLE_FRAMES or len(packets) < 8:
        return False
    if any(packet.pts is None for packet in packets):
        return False
    length_bytes = _nal_length_bytes(codec, extradata)
    by_time = sorted(packets, key=lambda packet: packet.pts or 0)
    kept = [i for i, packet in enumerate(by_time) if _is_referred_to(codec, bytes(packet), length_bytes)]
    gaps = np.diff(kept)
    return len(kept) > 1 and len(kept) < len(packets) and int(gaps.max()) <= 3


def _nal_length_bytes(codec: str, extradata: bytes | None) -> int:
    """How many bytes hold a NAL unit's length; 0 where start codes separate them (Annex B)."""
    if not extradata or extradata[0] != 1:
        return 0
    where = 4 if codec == "h264" else 21
    return (extradata[where] & 3) + 1 if len(extradata) > where else 0


def _is_referred_to(codec: str, packet: bytes, length_bytes: int) -> bool:
    """Whether other frames refer to this one. Unsure means yes.

    Source: H.264 7.4.1 (nal_ref_idc of slices is 0 for frames that none refers to); H.265 table 7-1 (even
    types below 16 are sub-layer non-reference pictures).
    """
    for start in _nal_starts(packet, length_bytes):
        head = packet[start]
        if codec == "h264" and head & 0x1F in (1, 2, 5):
            return bool(head >> 5 & 3)
        if codec == "hevc" and (kind := head >> 1 & 0x3F) < 32:
            return kind >= 16 or kind % 2 == 1
    return True


def _nal_starts(packet: bytes, length_bytes: int) -> Iterator[int]:
    offset = 0
    while length_bytes and offset + length_bytes < len(packet):
        yield offset + length_bytes
        offset += length_bytes + int.from_bytes(packet[offset : offset + length_bytes], "big")
    while not length_bytes and (offset := packet.find(b"\0\0\1", offset) + 3) > 2 and offset < len(packet):
        yield offset


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
