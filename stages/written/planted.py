"""Frames -> the same with words written into them: text whose wording, time and place are known."""

import hashlib
import io
import random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_CONSONANTS, _VOWELS = "bdfghkmnprstvw", "aeiou"
_SYLLABLES = (2, 3)
_HEIGHT = (0.06, 0.12)
"""Of the letters, as a share of the frame's; the size of captions and of what is readable on signs."""
_LEAST_PX = 14
_COLOURS = (("white", "black"), ("black", "white"), ("yellow", "black"), ("white", "navy"))
"""Letters, and the box or outline around them."""
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


def made_up_words(rng: random.Random) -> str:
    """Two words that no film shows by chance: `Tomavi Kesudo`."""
    return " ".join(_word(rng) for _ in range(2))


def plant_text(image: np.ndarray, words: str, rng: random.Random) -> PlantedText:
    """Write words into a picture, somewhere, in a drawn size and colour. (H, W, 3) uint8 RGB"""
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    size = max(_LEAST_PX, rng.uniform(*_HEIGHT) * picture.height)
    box = pen.textbbox((0, 0), words, font=ImageFont.load_default(size))
    while box[2] > picture.width * 0.96 and size > 8:
        size *= 0.8
        box = pen.textbbox((0, 0), words, font=ImageFont.load_default(size))
    left = rng.uniform(0.02, max(0.02, 0.98 - box[2] / picture.width)) * picture.width
    top = rng.uniform(0.02, max(0.02, 0.98 - box[3] / picture.height)) * picture.height
    letters, around = rng.choice(_COLOURS)
    where = pen.textbbox((left, top), words, font=ImageFont.load_default(size))
    if rng.random() < 0.5:
        margin = size / 5
        pen.rectangle(
            (where[0] - margin, where[1] - margin, where[2] + margin, where[3] + margin), fill=around
        )
    outline = max(1, round(size / 12))
    pen.text(
        (left, top), words, letters, ImageFont.load_default(size), stroke_width=outline, stroke_fill=around
    )
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return PlantedText(words, file.getvalue(), *where)


def _word(rng: random.Random) -> str:
    syllables = (rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.choice(_SYLLABLES)))
    return "".join(syllables).capitalize()
