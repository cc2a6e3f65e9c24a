"""A video file and a few times -> the frames shown then, those of the scan; and the one wrapper of decord."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import decord
import numpy as np

from reelproof.schemas.footage import QuarantineKind
from reelproof.stages.footage.crops import Box, cropped
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.pictures import RgbConverter
from reelproof.stages.footage.seeking import frames_by_seeking

Reader = Literal["exact", "decord"]
"""Who reads the frames: PyAV as in the scan, or decord where it can."""


class Seen(NamedTuple):
    """A frame that was asked for."""

    time_s: float
    """As asked: the frame is the one shown then."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB"""


def look(
    path: str,
    start_s: float,
    end_s: float,
    count: int,
    long_side_px: int | None = None,
    reader: Reader = "exact",
) -> list[Seen]:
    """`count` frames of [start_s, end_s), each from the middle of its share of it.

    Raises ValueError for an empty stretch, UnusableVideoError where the file cannot be decoded.
    """
    if not (0 <= start_s < end_s and count > 0):
        raise ValueError(
            f"look: {count} frames of [{start_s}, {end_s}) s; expected some of a stretch from 0 on"
        )
    step_s = (end_s - start_s) / count
    times_s = [round(start_s + (place + 0.5) * step_s, 3) for place in range(count)]
    return [Seen(*each) for each in zip(times_s, frames_at(path, times_s, long_side_px, reader), strict=True)]


def zoom(path: str, time_s: float, box: Box, long_side_px: int | None = None) -> Seen:
    """A part of the frame shown then, out of all its pixels, shrunk only to `long_side_px`.

    Raises UnusableVideoError where the file cannot be decoded.
    """
    (image,) = frames_at(path, [time_s])
    return Seen(time_s, shrunk(cropped(image, box), long_side_px))


def frames_at(
    path: str, times_s: Sequence[float], long_side_px: int | None = None, reader: Reader = "exact"
) -> list[np.ndarray]:
    """The frames shown at these times (seconds from the first frame), in the order asked. (H, W, 3) uint8

    A time past the end gives the last frame. Where the file has an index they are sought, else one pass is
    made up to the last of them. They are those of the scan by time and, unless decord reads them, pixel for
    pixel. Raises UnusableVideoError where the file cannot be decoded.
    """
    wanted = sorted(set(times_s))
    images = frames_by_decord(path, wanted, long_side_px) if reader == "decord" else None
    if images is None:
        images = frames_by_seeking(path, wanted, long_side_px)
    if images is None:
        images = frames_by_scanning(path, wanted, long_side_px)
    found = dict(zip(wanted, images, strict=True))
    return [found[time_s] for time_s in times_s]


def frames_by_decord(
    path: str, times_s: Sequence[float], long_side_px: int | None
) -> list[np.ndarray] | None:
    """Through decord, times rising. None where it cannot read the file, or reads other frames than PyAV.

    It gives each pixel the colour of its block of four, as swscale's quick converter does, where the scan
    interpolates: at edges of colours that differs (by up to 64 of 255 on real films, by 3 or less on 87 to
    100 % of their pixels).
    """
    with Reel(path) as reel:
        look = reel.look()
    if not look.is_plain:
        return None
    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
        stamps = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        shown_s = np.round(stamps - stamps[0], 3)  # as everywhere; decord's are of single precision
        shown = np.maximum(np.searchsorted(shown_s, np.asarray(times_s) + 1e-6, "right") - 1, 0)
        images = reader.get_batch(shown.tolist()).asnumpy()
    except (decord.DECORDError, AssertionError, RuntimeError):
        return None
    return [shrunk(image, long_side_px, look.pixel_aspect) for image in images]


def frames_by_scanning(path: str, times_s: Sequence[float], long_side_px: int | None) -> list[np.ndarray]:
    """Through PyAV, times rising: one pass up to the last of them."""
    found: list[np.ndarray] = []
    with Reel(path) as reel:
        converter = RgbConverter(long_side_px, reel.pixel_aspect)
        shown = None
        for timed in reel.frames(exact=True):
            while shown is not None and len(found) < len(times_s) and times_s[len(found)] < timed.time_s:
                found.append(converter.convert(shown))
            if len(found) == len(times_s):
                return found
            shown = timed.frame
        if shown is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, "no frame could be decoded")
        last = converter.convert(shown)
    return [*found, *[last] * (len(times_s) - len(found))]


def shrunk(image: np.ndarray, long_side_px: int | None, pixel_aspect: float = 1.0) -> np.ndarray:
    """An upright picture, its pixels stretched to squares, the longer side at most `long_side_px`."""
    width = image.shape[1] * pixel_aspect
    shrink = min(1.0, long_side_px / max(width, image.shape[0])) if long_side_px else 1.0
    size = max(1, round(width * shrink)), max(1, round(image.shape[0] * shrink))
    if size != (image.shape[1], image.shape[0]):
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image
