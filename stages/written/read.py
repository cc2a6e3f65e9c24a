"""Clips -> what is written in their frames, each read once; a frame that shows the same again is not."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np

from reelproof.schemas.footage import Clip, FrameRef
from reelproof.schemas.settings import Settings
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.footage.crops import Pictures

VERSION = 2

_BLOCK_PX = 16
_SAME_LEVELS = 6.0
"""A block of a frame is the same as before where its levels differ by less on average: a JPEG's noise."""


class WrittenConfig(Settings):
    """Which frames are read."""

    frames: Literal["keyframes", "shown"] = "keyframes"
    """`keyframes` are what given and asked questions show; `shown` are those of computed ones as well, which
    costs about three times as much."""


class Written(NamedTuple):
    """A line in a picture: its text, its box in pixels, and how sure its reader is."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float


class Reader(Protocol):
    """Who reads: OCR."""

    name: str
    """`name@version`"""

    def read(self, image: np.ndarray) -> list[Written]:
        """The lines of a picture. (H, W, 3) uint8 RGB"""
        ...


def read_frames(
    clips: Iterable[Clip], frames: Mapping[str, bytes], reader: Reader, cfg: WrittenConfig
) -> Iterator[FrameText]:
    """One record for each frame of the clips, a video's in order of time.

    A frame no block of which differs from the one before shows the same text: a slide is read once. `frames`:
    sha256 -> JPEG bytes.
    """
    pictures = Pictures(frames, held=2)
    before: np.ndarray | None = None
    lines: tuple[TextLine, ...] = ()
    for frame in frames_to_read(clips, cfg):
        image = pictures.image(frame.sha256)
        if before is None or not _looks_same(before, image):
            lines = tuple(_lines(reader.read(image), image))
        before = image
        yield _text_of(frame, lines, reader)


def read_picture(frame: FrameRef, image: np.ndarray, reader: Reader) -> FrameText:
    """What is written in one frame, whose picture this is. (H, W, 3) uint8 RGB"""
    return _text_of(frame, tuple(_lines(reader.read(image), image)), reader)


def _text_of(frame: FrameRef, lines: Iterable[TextLine], reader: Reader) -> FrameText:
    return FrameText(
        video_id=frame.video_id,
        sha256=frame.sha256,
        time_s=frame.time_s,
        reader=reader.name,
        lines=tuple(line.model_copy(update={"time_s": frame.time_s}) for line in lines),
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


def _lines(found: Iterable[Written], image: np.ndarray) -> Iterator[TextLine]:
    height, width = image.shape[:2]
    for each in sorted(found, key=lambda line: (line.top, line.left)):
        if each.text.strip():
            yield TextLine(
                label=" ".join(each.text.split()),
                time_s=None,
                left=round(each.left / width, 4),
                top=round(each.top / height, 4),
                right=round(each.right / width, 4),
                bottom=round(each.bottom / height, 4),
                confidence=round(min(each.confidence, 1.0), 4),
            )


def _looks_same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    away = np.abs(one.astype(np.int16) - other.astype(np.int16)).mean(axis=2)
    rows, columns = (side // _BLOCK_PX * _BLOCK_PX for side in away.shape)
    if not rows or not columns:
        return bool(away.max() < _SAME_LEVELS)
    blocks = away[:rows, :columns].reshape(rows // _BLOCK_PX, _BLOCK_PX, columns // _BLOCK_PX, _BLOCK_PX)
    return bool(blocks.mean(axis=(1, 3)).max() < _SAME_LEVELS)
