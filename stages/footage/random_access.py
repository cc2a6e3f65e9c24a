"""A video file and a few times -> the frames shown then: the one wrapper of decord."""

from collections.abc import Sequence

import cv2
import decord
import numpy as np

from reelproof.schemas.footage import QuarantineKind
from reelproof.stages.footage.decode import Reel, UnusableVideoError
from reelproof.stages.footage.pictures import RgbConverter

_WORTH_SEEKING = 0.7


def frames_at(path: str, times_s: Sequence[float], long_side_px: int | None = None) -> list[np.ndarray]:
    """The frames shown at these times (seconds from the first frame), in the order asked. (H, W, 3) uint8

    A time past the end gives the last frame. decord seeks; where it cannot read the file, and where key
    frames are so far apart that seeking would decode nearly everything, PyAV scans. Either way frames are
    known by the same times as in a Footage. Raises UnusableVideoError where the file cannot be decoded.
    """
    wanted = sorted(set(times_s))
    images = frames_by_seeking(path, wanted, long_side_px)
    if images is None:
        images = frames_by_scanning(path, wanted, long_side_px)
    found = dict(zip(wanted, images, strict=True))
    return [found[time_s] for time_s in times_s]


def frames_by_seeking(
    path: str, times_s: Sequence[float], long_side_px: int | None, worth: float = _WORTH_SEEKING
) -> list[np.ndarray] | None:
    """Through decord, times rising. None where it cannot read the file, or reads other frames than PyAV.

    None as well where seeking would decode more than `worth` times the frames that a scan decodes.
    """
    with Reel(path) as reel:
        look = reel.look()
    if not look.is_plain:
        return None
    try:
        reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1)
        stamps = reader.get_frame_timestamp(range(len(reader)))[:, 0].astype(np.float64)
        # A millisecond's half is lost to decord's single precision.
        shown = np.searchsorted(stamps - stamps[0], np.asarray(times_s) + 0.0006, "right") - 1
        if _decoded_frames(shown, np.asarray(reader.get_key_indices())) > worth * (shown[-1] + 1):
            return None
        images = reader.get_batch(shown.tolist()).asnumpy()
    except (decord.DECORDError, AssertionError, RuntimeError):
        return None
    return [_shrunk(image, long_side_px, look.pixel_aspect) for image in images]


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


def _decoded_frames(shown: np.ndarray, keys: np.ndarray) -> int:
    """Frames decoded on the way to `shown` (rising): from a key frame on, or on from the frame before."""
    from_key = keys[np.searchsorted(keys, shown, "right") - 1]
    before = np.concatenate([[-1], shown[:-1]])
    return int((shown - np.maximum(from_key - 1, before)).sum())


def _shrunk(image: np.ndarray, long_side_px: int | None, pixel_aspect: float) -> np.ndarray:
    """Decord has turned the frame upright, not stretched it."""
    width = image.shape[1] * pixel_aspect
    shrink = min(1.0, long_side_px / max(width, image.shape[0])) if long_side_px else 1.0
    size = max(1, round(width * shrink)), max(1, round(image.shape[0] * shrink))
    if size != (image.shape[1], image.shape[0]):
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image
