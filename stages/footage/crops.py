"""A picture and a box -> that part of it; and frames' files as pictures, parts of them as files."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from reelproof.stages.footage.keyframes import perceptual_hash

_SMALLEST_PX = 56
"""A part whose shorter side is less is enlarged: models of vision take patches of 14 to 32 pixels."""
_QUALITY = 95


@dataclass(frozen=True)
class Box:
    """A part of a picture as it is shown: shares of its width and height from the top left, 0 … 1.

    Raises ValueError for one that is none.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"not a box: {self}; expected left < right and top < bottom, each from 0 to 1")


class Cutout(NamedTuple):
    """A part of a frame as a picture of its own."""

    sha256: str
    """Of the JPEG file."""
    jpeg: bytes
    phash: int
    """What it looks like: the 64 bits of its perceptual hash."""


class Pictures:
    """Frames by the hash of their JPEG bytes, decoded as they are asked for."""

    def __init__(self, frames: Mapping[str, bytes], held: int = 64) -> None:
        """The last `held` pictures are kept."""
        self._frames = frames
        self.image = lru_cache(maxsize=held)(self._decode)
        """sha256 -> (H, W, 3) uint8 RGB. Raises KeyError."""

    def _decode(self, sha256: str) -> np.ndarray:
        with Image.open(io.BytesIO(self._frames[sha256])) as picture:
            return np.asarray(picture.convert("RGB"))

    def looks(self, sha256: str, box: Box) -> int:
        """What a part of a frame looks like: the 64 bits of its perceptual hash."""
        return int(perceptual_hash(cropped(self.image(sha256), box)), 16)

    def cut_out(self, sha256: str, box: Box) -> Cutout:
        """A part of a frame as a JPEG file, a small one enlarged."""
        part = cropped(self.image(sha256), box)
        scale = max(1.0, _SMALLEST_PX / min(part.shape[:2]))
        size = round(part.shape[1] * scale), round(part.shape[0] * scale)
        shown = part if scale == 1 else cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)
        file = io.BytesIO()
        Image.fromarray(shown).save(file, "JPEG", quality=_QUALITY)
        jpeg = file.getvalue()
        return Cutout(hashlib.sha256(jpeg).hexdigest(), jpeg, int(perceptual_hash(part), 16))


def cropped(image: np.ndarray, box: Box) -> np.ndarray:
    """The part of a picture, at least a pixel of it."""
    height, width = image.shape[:2]
    left, top = min(int(box.left * width), width - 1), min(int(box.top * height), height - 1)
    right, bottom = max(round(box.right * width), left + 1), max(round(box.bottom * height), top + 1)
    return np.ascontiguousarray(image[top:bottom, left:right])
