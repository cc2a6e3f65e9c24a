"""A film and stretches of it -> one film of them, one after the other, with their sound in step."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace

from reelproof.schemas.footage import QuarantineKind, Span
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.lengths import format_names
from reelproof.stages.footage.opening import UnusableVideoError, decoded, open_container, pick_stream
from reelproof.stages.footage.pictures import RgbConverter
from reelproof.stages.footage.span_sound import SoundBlock, SpanSound

_TICKS = 90_000
_BT709 = 1
_LIMITED = 1


class Chapter(NamedTuple):
    """A stretch that the reel shows, and what it is called."""

    span: Span
    title: str


class Joined(NamedTuple):
    """What was written."""

    width: int
    height: int
    length_s: float
    has_sound: bool


def join_spans(path: str, chapters: Sequence[Chapter], out: str) -> Joined:
    """Write an MP4 (H.264, AAC) of the stretches, which are in order and do not overlap, with chapters.

    Where a stretch begins with a frame of the film it is sought, else one pass is made.

    Pictures are upright, of square pixels, in an ordinary screen's colours, and keep their times: a variable
    frame rate stays one. Raises UnusableVideoError where nothing of them can be decoded.
    """
    spans = [each.span for each in chapters]
    try:
        with av.open(out, "w", format="mp4", options={"movflags": "faststart"}) as container:
            return _Writer(path, chapters, container).write(spans)
    except (av.error.FFmpegError, ValueError) as error:
        raise UnusableVideoError(QuarantineKind.UNREADABLE, f"it could not be cut: {error}") from error


class SpanFrame(NamedTuple):
    """A frame of one of several stretches."""

    span: int
    """The place of its stretch."""
    time_s: float
    """In the film."""
    frame: VideoFrame


class _Picture(NamedTuple):
    reel_s: float
    length_s: float
    frame: VideoFrame


class _Base(NamedTuple):
    """Where the film's times are in its file."""

    start_s: float
    """Time 0, in seconds of the container."""
    pixel_aspect: float
    fps: float
    first_stamp: int | None
    """Null where nothing can be sought."""


class _Writer:
    def __init__(self, path: str, chapters: Sequence[Chapter], out: OutputContainer) -> None:
        self._path, self._out = path, out
        self._base = _base_of(path)
        self._chapters = chapters
        self._video: Any = None

    def write(self, spans: Sequence[Span]) -> Joined:
        offsets = reel_starts(spans)
        length_s = offsets[-1] + spans[-1].end_s - spans[-1].start_s
        sound = SpanSound(self._path, self._base.start_s, spans, offsets)
        audio: Any = None
        blocks = iter(sound.blocks())
        written_s, size = 0.0, (0, 0)
        for picture in self._pictures(spans, offsets):
            if self._video is None:
                size = self._open(picture.frame)
                audio = self._open_sound(sound)
            self._show(picture, size)
            while audio is not None and written_s <= picture.reel_s:
                block = next(blocks, None)
                if block is None:
                    break
                written_s = self._play(block, audio, sound.rate)
        if self._video is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, "none of its scenes can be decoded any more")
        self._out.mux(self._video.encode())
        if audio is not None:
            for block in blocks:
                self._play(block, audio, sound.rate)
            self._out.mux(audio.encode())
        return Joined(*size, length_s, audio is not None)

    def _open(self, first: VideoFrame) -> tuple[int, int]:
        height, width = (max(2, side // 2 * 2) for side in (first.height, first.width))
        rate = Fraction(self._base.fps or 25).limit_denominator(1001)
        self._video = self._out.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        context = self._video.codec_context
        context.time_base = Fraction(1, _TICKS)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        starts = reel_starts([each.span for each in self._chapters])
        self._out.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start_s * 1000),
                    "end": round((start_s + each.span.end_s - each.span.start_s) * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": each.title},
                }
                for number, (each, start_s) in enumerate(zip(self._chapters, starts, strict=True))
            ]
        )
        return width, height

    def _open_sound(self, sound: SpanSound) -> Any:
        if not sound.rate:
            return None
        return self._out.add_stream("aac", rate=sound.rate, layout=sound.layout)

    def _show(self, picture: _Picture, size: tuple[int, int]) -> None:
        frame = picture.frame.reformat(*size, format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = round(picture.reel_s * _TICKS), Fraction(1, _TICKS)
        frame.duration = max(1, round(picture.length_s * _TICKS))
        self._out.mux(self._video.encode(frame))

    def _play(self, block: SoundBlock, audio: Any, rate: int) -> float:
        frame = av.AudioFrame.from_ndarray(block.samples, format="fltp", layout=audio.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate, block.first, Fraction(1, rate)
        self._out.mux(audio.encode(frame))
        return (block.first + int(block.samples.shape[1])) / rate

    def _pictures(self, spans: Sequence[Span], offsets: Sequence[float]) -> Iterator[_Picture]:
        """Each with how long it is shown: until the next one, or its stretch's end."""
        converter = RgbConverter(pixel_aspect=self._base.pixel_aspect)
        waiting: SpanFrame | None = None
        for each in frames_within(self._path, spans, self._base.first_stamp):
            if waiting is not None:
                is_last = waiting.span != each.span
                next_s = spans[waiting.span].end_s if is_last else each.time_s
                yield _timed(waiting, spans, offsets, next_s)
            image = converter.convert(each.frame)
            waiting = each._replace(frame=av.VideoFrame.from_ndarray(image, format="rgb24"))
        if waiting is not None:
            yield _timed(waiting, spans, offsets, spans[waiting.span].end_s)


def _timed(
    shown: tuple[int, float, VideoFrame],
    spans: Sequence[Span],
    offsets: Sequence[float],
    next_s: float | None,
) -> _Picture:
    number, time_s, frame = shown
    end_s = spans[number].end_s if next_s is None else next_s
    return _Picture(offsets[number] + time_s - spans[number].start_s, end_s - time_s, frame)


def reel_starts(spans: Sequence[Span]) -> list[float]:
    """When each begins, where one follows on the other."""
    lengths = [0.0, *(each.end_s - each.start_s for each in spans)]
    return [round(float(each), 6) for each in np.cumsum(lengths)[: len(spans)]]


def _base_of(path: str) -> _Base:
    with Reel(path) as reel:
        look = reel.look()
    with open_container(path) as container:
        tick_s = float(pick_stream(container).time_base or 0)
        can_seek = "avi" not in format_names(container)  # after a gap its index leads to other frames
    with Reel(path) as reel:
        first = next(iter(reel.frames(exact=True)), None)
        if first is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, "no frame could be decoded")
        start_s = first.stamp * tick_s - first.time_s if first.stamp is not None else 0.0
        return _Base(start_s, reel.pixel_aspect, reel.fps, look.first_stamp if can_seek else None)


class _LostWayError(Exception):
    """The index led to a place behind what was wanted."""


def frames_within(path: str, spans: Sequence[Span], first_stamp: int | None) -> Iterator[SpanFrame]:
    """Every frame in the stretches, which are in order and do not overlap.

    Where there is an index they are sought, else one pass is made.
    """
    done = 0
    if first_stamp is not None:
        with open_container(path) as container:
            try:
                for number, span in enumerate(spans):
                    done = number
                    for time_s, frame in _sought(container, first_stamp, span):
                        yield SpanFrame(number, time_s, frame)
                return
            except _LostWayError:
                pass
    with Reel(path) as reel:
        for timed in reel.frames(exact=True):
            while done < len(spans) and timed.time_s >= spans[done].end_s - 0.0005:
                done += 1
            if done == len(spans):
                return
            if timed.time_s >= spans[done].start_s - 0.0005:
                yield SpanFrame(done, timed.time_s, timed.frame)


def _sought(container: InputContainer, first_stamp: int, span: Span) -> Iterator[tuple[float, VideoFrame]]:
    """Raises _LostWayError before it gives a frame, where none is at the stretch's very start."""
    stream = pick_stream(container)
    tick_s = float(stream.time_base or 0)
    container.seek(first_stamp + int((span.start_s + 0.0005) / tick_s), stream=stream)
    is_found = False
    for packet in container.demux(stream):
        for frame in decoded(packet):
            if frame.pts is None:
                raise _LostWayError
            time_s = round(frame.pts * tick_s - first_stamp * tick_s, 3)
            if time_s >= span.end_s - 0.0005:
                return
            if time_s < span.start_s - 0.0005:
                continue
            if not is_found and time_s > span.start_s + 0.0005:
                raise _LostWayError
            is_found = True
            yield time_s, frame
    if not is_found:
        raise _LostWayError
