"""Clips -> what is written in their frames, each read once; what is the same as before is not read again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Literal, NamedTuple

import numpy as np

from reelproof.schemas.footage import Clip, FrameRef
from reelproof.schemas.settings import Settings
from reelproof.schemas.written import FrameText
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.written.protocol import Reader, Written, text_lines

VERSION = 3

_BLOCK_PX = 16
_SAME_LEVELS = 6.0
"""A block of a frame is the same as before where its levels differ by less on average: a JPEG's noise."""


class WrittenConfig(Settings):
    """Which frames are read."""

    frames: Literal["keyframes", "shown"] = "keyframes"
    """`keyframes` are what given and asked questions show; `shown` are those of computed ones as well, which
    costs about three times as much."""


class _Read(NamedTuple):
    """A picture, and the lines in it."""

    image: np.ndarray
    lines: tuple[Written, ...]


def read_frames(
    wanted: Iterable[FrameRef], frames: Mapping[str, bytes], reader: Reader
) -> Iterator[FrameText]:
    """One record for each frame, in order. `frames`: sha256 -> JPEG bytes.

    Only the part of a frame is read in which it differs from the one before: a slide is read once, and what
    stays while something beside it changes is not read again.
    """
    pictures = Pictures(frames, held=2)
    before: _Read | None = None
    for frame in wanted:
        image = pictures.image(frame.sha256)
        before = _Read(image, tuple(_lines(image, before, reader)))
        yield _text_of(frame, before, reader)


def read_picture(frame: FrameRef, image: np.ndarray, reader: Reader) -> FrameText:
    """What is written in one frame, whose picture this is. (H, W, 3) uint8 RGB"""
    return _text_of(frame, _Read(image, tuple(reader.read(image))), reader)


def _lines(image: np.ndarray, before: _Read | None, reader: Reader) -> Iterator[Written]:
    part = _Part(0, 0, image.shape[1], image.shape[0])
    kept: list[Written] = []
    if before is not None and before.image.shape == image.shape:
        changed = _changed_part(before.image, image)
        if changed is None:
            yield from before.lines
            return
        part = _grown(changed, before.lines).within(image)
        kept = [line for line in before.lines if not part.touches(line)]
    yield from kept
    for line in reader.read(np.ascontiguousarray(image[part.top : part.bottom, part.left : part.right])):
        yield line.moved(part.left, part.top)


def _text_of(frame: FrameRef, read: _Read, reader: Reader) -> FrameText:
    return FrameText(
        video_id=frame.video_id,
        sha256=frame.sha256,
        time_s=frame.time_s,
        reader=reader.name,
        lines=tuple(
            line.model_copy(update={"time_s": frame.time_s}) for line in text_lines(read.lines, read.image)
        ),
    )


def frames_to_read(clips: Iterable[Clip], cfg: WrittenConfig) -> list[FrameRef]:
    """Each once, a video's together and in order of time, videos in the order of the clips."""
    by_video: dict[str, dict[str, FrameRef]] = {}
    for clip in clips:
        mine = by_video.setdefault(clip.video_id, {})
        mine |= {each.sha256: each for each in clip.keyframes}
        if cfg.frames == "shown":
            mine |= {each.sha256: each for each in clip.timeline}
    return [
        frame for mine in by_video.values() for frame in sorted(mine.values(), key=lambda each: each.time_s)
    ]


class _Part(NamedTuple):
    """Of a picture, in pixels; half open."""

    left: int
    top: int
    right: int
    bottom: int

    def touches(self, line: Written) -> bool:
        """Whether a line lies in it, if only partly."""
        beside = line.right < self.left or line.left > self.right
        return not (beside or line.bottom < self.top or line.top > self.bottom)

    def with_line(self, line: Written) -> "_Part":
        """Large enough for a line as well, with a margin."""
        return _Part(
            min(self.left, int(line.left) - _BLOCK_PX),
            min(self.top, int(line.top) - _BLOCK_PX),
            max(self.right, int(line.right) + _BLOCK_PX),
            max(self.bottom, int(line.bottom) + _BLOCK_PX),
        )

    def within(self, image: np.ndarray) -> "_Part":
        """As much as lies in the picture."""
        height, width = image.shape[:2]
        return _Part(max(0, self.left), max(0, self.top), min(width, self.right), min(height, self.bottom))


def _grown(part: _Part, lines: Sequence[Written]) -> _Part:
    """Until no line lies partly in it."""
    grown = reduce(_Part.with_line, filter(part.touches, lines), part)
    return part if grown == part else _grown(grown, lines)


def _changed_part(one: np.ndarray, other: np.ndarray) -> _Part | None:
    """What holds all blocks of a picture that changed, and one around them; None where none did."""
    away = np.maximum(one, other) - np.minimum(one, other)
    height, width = away.shape[:2]
    filled = np.pad(away, ((0, -height % _BLOCK_PX), (0, -width % _BLOCK_PX), (0, 0)), mode="edge")
    down = filled.reshape(filled.shape[0] // _BLOCK_PX, _BLOCK_PX, -1).sum(axis=1, dtype=np.uint16)
    blocks = down.reshape(len(down), -1, _BLOCK_PX * 3).sum(axis=2, dtype=np.uint32)
    rows, columns = np.nonzero(blocks >= _SAME_LEVELS * 3 * _BLOCK_PX**2)
    if not len(rows):
        return None
    corners = columns.min() - 1, rows.min() - 1, columns.max() + 2, rows.max() + 2
    return _Part(*(int(corner) * _BLOCK_PX for corner in corners))
