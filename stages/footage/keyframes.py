"""A picture of a film -> the JPEG that everyone sees from here on, with its hashes."""

import hashlib
import io

import cv2
import numpy as np
from PIL import Image

from reelproof.schemas.footage import FLAT_HASH, FrameRef, Keyframe
from reelproof.stages.footage.frame_signals import Measures

_FLAT_LEVELS = 4.0
"""A picture whose grey levels, shrunk, spread less than this around their mean is noise to whoever looks."""


def make_keyframe(image: np.ndarray, measures: Measures, video_id: str, jpeg_quality: int) -> Keyframe:
    """Of (H, W, 3) uint8 RGB, upright, and what the scan measured of it."""
    jpeg = as_jpeg(image, jpeg_quality)
    frame = FrameRef(
        sha256=hashlib.sha256(jpeg).hexdigest(),
        video_id=video_id,
        time_s=measures.time_s,
        width=image.shape[1],
        height=image.shape[0],
        phash=perceptual_hash(image),
    )
    return Keyframe(frame=frame, sharpness=measures.sharpness, luminance=measures.luminance, jpeg=jpeg)


def as_jpeg(image: np.ndarray, jpeg_quality: int) -> bytes:
    """The file. (H, W, 3) uint8 RGB"""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=jpeg_quality)
    return file.getvalue()


def perceptual_hash(image: np.ndarray) -> str:
    """64 bits as 16 hex digits: which low DCT frequencies lie above their median. (H, W, 3) uint8 RGB.

    Source: phash.org's DCT hash, as in the ImageHash library: 32x32 grey, 8x8 lowest frequencies. Of a
    picture that is nearly of one grey, such as the first frames of a fade-in, the frequencies are those of
    its noise, and would make it unlike all others: its hash is `FLAT_HASH`.
    """
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    if grey.std() < _FLAT_LEVELS:
        return FLAT_HASH
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    return np.packbits(low > np.median(low)).tobytes().hex()
