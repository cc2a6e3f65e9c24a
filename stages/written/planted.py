"""Frames -> the same with words written into them: text whose wording, time and place are known."""

import hashlib
import io
import random
from typing import NamedTuple

import numpy as np
from PIL import Image

from reelproof.stages.footage.edits import with_words

_QUALITY = 92


class PlantedText(NamedTuple):
    """A frame with words in it."""

    words: str
    jpeg: bytes
    left: float
    top: float
    right: float
    bottom: float
    """Where they stand, in pixels."""

    @property
    def sha256(self) -> str:
        """Of the JPEG file."""
        return hashlib.sha256(self.jpeg).hexdigest()


def plant_text(image: np.ndarray, words: str, rng: random.Random) -> PlantedText:
    """Write words into a picture, somewhere, in a drawn size and colour. (H, W, 3) uint8 RGB"""
    written = with_words(image, words, rng)
    file = io.BytesIO()
    Image.fromarray(written.picture).save(file, "JPEG", quality=_QUALITY)
    return PlantedText(words, file.getvalue(), *written.box)
