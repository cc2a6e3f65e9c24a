"""Clips, their keyframes and signals -> how blurred, colourful, barred and still each clip is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.footage import Clip
from reelproof.stages.footage.crops import Box, Pictures

VERSION = 1

_BOX_PX = 9
_FLAT_LEVELS = 0.05
"""Mean step from pixel to pixel under which a picture has no edge that could be blurred."""
_BLACK = 24
"""Of 255, as ffmpeg's cropdetect has it: what is black in a film is seldom 0 after JPEG."""
_BLACK_SHARE = 0.98
"""A line lies in a bar where so much of it is black: a subtitle's end may stand in it."""
_STILL_LEVELS = 0.5
"""Mean step of the luma from frame to frame under which nothing moves: what a codec leaves of a still
picture. Noise of a camera is more, so that its standstill is none."""


class Motion(NamedTuple):
    """Of one film, from its signals."""

    time_s: np.ndarray
    """Of the frames that were scanned. (T,) float32"""
    motion: np.ndarray
    """As in FrameSignals. (T,) float32"""


class _Look(NamedTuple):
    """Of one frame."""

    blur: float | None
    colourfulness: float
    shown: Box | None
    """What lies between its black bars."""


def measure_clips(
    clips: Iterable[Clip], motions: Mapping[str, Motion], frames: Mapping[str, bytes]
) -> Iterator[ClipQuality]:
    """One record a clip, in order; a frame that stands for several clips is measured once.

    Args:
        clips: Of any films.
        motions: By video_id; films without one were never seen, and their clips have no frames.
        frames: sha256 -> JPEG bytes, of all keyframes.
    """
    pictures = Pictures(frames, held=1)
    known: dict[str, _Look] = {}
    for clip in clips:
        for frame in clip.keyframes:
            if frame.sha256 not in known:
                known[frame.sha256] = _look(pictures.image(frame.sha256))
        looks = [known[frame.sha256] for frame in clip.keyframes]
        yield ClipQuality(
            clip_id=clip.clip_id,
            blur=_median([each.blur for each in looks if each.blur is not None]),
            colourfulness=_median([each.colourfulness for each in looks]),
            bar_share=_bar_share([each.shown for each in looks if each.shown]) if looks else None,
            static_share=static_share(clip, motions[clip.video_id]) if clip.video_id in motions else None,
        )


def blur(luma: np.ndarray) -> float | None:
    """How blurred a picture is, 0 … 1; null where it has no edges. (H, W) uint8

    What a further blur takes away of its steps from pixel to pixel tells: little where it is blurred already.
    Source: Crété-Roffet et al. 2007, "The blur effect", with their box of 9 pixels.
    """
    kept = [share for axis in (0, 1) if (share := _kept_of_steps(luma.astype(np.float32), axis)) is not None]
    return max(kept, default=None)


def _kept_of_steps(luma: np.ndarray, axis: int) -> float | None:
    box = (1, _BOX_PX) if axis == 0 else (_BOX_PX, 1)
    steps = np.abs(np.diff(luma, axis=axis))
    if not steps.size or steps.mean() < _FLAT_LEVELS:
        return None
    lost = np.maximum(steps - np.abs(np.diff(cv2.blur(luma, box), axis=axis)), 0)
    return float(1 - lost.sum(dtype=np.float64) / steps.sum(dtype=np.float64))


def colourfulness(image: np.ndarray) -> float:
    """How colourful a picture is to people, from 0. (H, W, 3) uint8 RGB

    Source: Hasler and Süsstrunk 2003, "Measuring colorfulness in natural images", their third measure.
    """
    red, green, blue = cv2.split(image.astype(np.float32))
    opponents = red - green, (red + green) / 2 - blue
    means, deviations = zip(*(cv2.meanStdDev(each) for each in opponents), strict=True)
    return float(np.linalg.norm(deviations) + 0.3 * np.linalg.norm(means))


def shown_part(image: np.ndarray) -> Box | None:
    """What lies between a picture's black bars; null of one that is all black. (H, W, 3) uint8 RGB"""
    black = image.max(axis=2) <= _BLACK  # by all colours: a dark blue wall has as little luma as a bar
    rows = np.flatnonzero(black.mean(axis=1) < _BLACK_SHARE)
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(black[top:bottom].mean(axis=0) < _BLACK_SHARE)
    if not len(columns):
        return None
    height, width = black.shape
    return Box(columns[0] / width, top / height, (columns[-1] + 1) / width, bottom / height)


def static_share(clip: Clip, film: Motion) -> float | None:
    """Share of a clip's time in which nothing changes; null where it has no step from frame to frame."""
    first, end = np.searchsorted(film.time_s, np.asarray([clip.start_s, clip.end_s], np.float32))
    lengths_s = np.diff(film.time_s[first:end])
    if not lengths_s.sum() > 0:
        return None
    is_still = film.motion[first + 1 : end] < _STILL_LEVELS
    return round(float(lengths_s[is_still].sum() / lengths_s.sum()), 4)


def _look(image: np.ndarray) -> _Look:
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _Look(blur(luma), colourfulness(image), shown_part(image))


def _bar_share(found: list[Box]) -> float:
    """What no frame shows anything in; all of the frame where all are black."""
    if not found:
        return 1.0
    left, top = (min(getattr(each, side) for each in found) for side in ("left", "top"))
    right, bottom = (max(getattr(each, side) for each in found) for side in ("right", "bottom"))
    return round(1.0 - float((right - left) * (bottom - top)), 4)


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 4) if values else None
