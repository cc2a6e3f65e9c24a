"""A stretch of recordings -> a clip that plays anywhere: its packets as they are, or coded anew."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from reelproof.schemas.footage import QuarantineKind
from reelproof.stages.footage.opening import UnusableVideoError, open_container, pick_stream
from reelproof.stages.footage.pictures import RgbConverter

_COPIED = {"h264", "av1", "vp9"}
"""What browsers play from an MP4."""
_TICKS = 90_000
_HEAD = 16
"""Packets among which the first frame's is."""


class Recording(NamedTuple):
    """A file, and where its first frame is in the time that is cut by."""

    path: str
    starts_s: float


class Cut(NamedTuple):
    """What was really cut, in that time."""

    start_s: float
    end_s: float
    is_copied: bool


def cut_clip(recordings: Sequence[Recording], start_s: float, end_s: float, out: str, slack_s: float) -> Cut:
    """Write [start_s, end_s) of recordings that follow on each other to an MP4, without sound.

    Packets are copied where a key frame lies at most `slack_s` before the start, else the pictures are coded
    again from just there. Raises UnusableVideoError where nothing of the stretch is there.
    """
    try:
        copied = _copy(recordings, start_s, end_s, out, slack_s)
        return copied or _code(recordings, start_s, end_s, out)
    except (av.error.FFmpegError, ValueError) as error:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, f"it could not be cut: {error}") from error


class _Timed(NamedTuple):
    packet: "Packet[VideoStream]"
    stream: VideoStream
    shown_s: float
    decoded_s: float


def _packets(recording: Recording, container: InputContainer, from_s: float) -> Iterator[_Timed]:
    """From the last key frame on that is shown at a time or before."""
    stream = pick_stream(container)
    tick_s = float(stream.time_base or 0)
    packets = container.demux(stream)
    head = list(islice(packets, _HEAD))
    if not head or not tick_s:
        return
    base = min((each.pts for each in head if each.pts is not None), default=0)
    if from_s > recording.starts_s:
        container.seek(base + int((from_s - recording.starts_s) / tick_s), stream=stream)
        head, packets = [], container.demux(stream)
    for packet in chain(head, packets):
        if packet.pts is None:
            continue
        dts = packet.pts if packet.dts is None else packet.dts
        shown_s = recording.starts_s + (packet.pts - base) * tick_s
        yield _Timed(packet, stream, shown_s, recording.starts_s + (dts - base) * tick_s)


def _copy(
    recordings: Sequence[Recording], start_s: float, end_s: float, out: str, slack_s: float
) -> Cut | None:
    """None where it cannot be done."""
    writer: _CopyWriter | None = None
    for recording in recordings:
        with open_container(recording.path) as container:
            for timed in _packets(recording, container, start_s if writer is None else recording.starts_s):
                if timed.decoded_s >= end_s:
                    break
                if writer is None:
                    is_near = start_s - slack_s <= timed.shown_s and timed.packet.is_keyframe
                    if not is_near or timed.stream.codec_context.name not in _COPIED:
                        return None
                    writer = _CopyWriter(out, timed)
                writer.write(timed)
    return writer.close() if writer else None


class _CopyWriter:
    def __init__(self, out: str, first: _Timed) -> None:
        self._out: OutputContainer = av.open(out, "w", format="mp4", options={"movflags": "faststart"})
        self._stream = self._out.add_stream_from_template(first.stream)
        self._begins_s, self._ends_s, self._last_dts = first.shown_s, first.shown_s, -(1 << 62)

    def write(self, timed: _Timed) -> None:
        if timed.shown_s < self._begins_s:  # it refers to frames before the key frame
            return
        old = timed.packet
        tick_s = float(timed.stream.time_base or 0)
        length_s = (old.duration or 0) * tick_s
        packet = av.Packet(bytes(old))
        packet.time_base = Fraction(1, _TICKS)
        packet.pts = round((timed.shown_s - self._begins_s) * _TICKS)
        packet.dts = self._last_dts = max(
            round((timed.decoded_s - self._begins_s) * _TICKS), self._last_dts + 1
        )
        packet.duration = round(length_s * _TICKS)
        packet.is_keyframe = old.is_keyframe
        packet.stream = self._stream
        self._out.mux(packet)
        self._ends_s = max(self._ends_s, timed.shown_s + length_s)

    def close(self) -> Cut:
        self._out.close()
        return Cut(round(self._begins_s, 3), round(self._ends_s, 3), is_copied=True)


def _code(recordings: Sequence[Recording], start_s: float, end_s: float, out: str) -> Cut:
    shown = _pictures(recordings, start_s, end_s)
    first = next(shown, None)
    if first is None:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, "nothing of the stretch is there any more")
    with av.open(out, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = container.add_stream(
            "libx264", rate=Fraction(25), options={"preset": "veryfast", "crf": "23"}
        )
        height, width = (side // 2 * 2 for side in first.image.shape[:2])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        last = first
        for each in _with(first, shown):
            if each.image.shape != first.image.shape:
                break
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(each.image[:height, :width]), format="rgb24"
            )
            frame.pts, frame.time_base = round((each.time_s - first.time_s) * _TICKS), Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
            last = each
        container.mux(stream.encode())
    return Cut(round(first.time_s, 3), round(last.time_s + last.length_s, 3), is_copied=False)


class _Picture(NamedTuple):
    time_s: float
    length_s: float
    image: np.ndarray


def _with(first: _Picture, others: Iterator[_Picture]) -> Iterator[_Picture]:
    yield first
    yield from others


def _pictures(recordings: Sequence[Recording], start_s: float, end_s: float) -> Iterator[_Picture]:
    last_s = -1.0
    for recording in recordings:
        with open_container(recording.path) as container:
            stream = pick_stream(container)
            aspect = float(stream.sample_aspect_ratio or 1)
            converter = RgbConverter(pixel_aspect=aspect if 0.2 <= aspect <= 5 else 1.0)
            step_s = float(1 / (stream.average_rate or 25))
            for timed in _packets(recording, container, max(start_s, recording.starts_s)):
                if timed.decoded_s >= end_s:
                    break
                for frame in _decoded(timed):
                    base_s = timed.shown_s - float((timed.packet.pts or 0) * (timed.packet.time_base or 0))
                    time_s = base_s + float((frame.pts or 0) * (frame.time_base or 0))
                    if start_s - 1e-6 <= time_s < end_s and time_s > last_s:
                        last_s = time_s
                        yield _Picture(time_s, step_s, converter.convert(frame))


def _decoded(timed: _Timed) -> list[Any]:
    try:
        with av.logging.Capture():  # at the beginning of a recording, of what came before it
            return list(timed.packet.decode())
    except av.error.FFmpegError:
        return []
