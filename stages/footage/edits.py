"""Pictures of frames -> the same edited, and encoded anew; those beside them that are not edited are, too.

A JPEG tells that it was decoded, changed and encoded again: its blocks no longer lie on the grid of its
first encoding. So each picture is shrunk first, which leaves no trace of that grid in any of them.
"""

import hashlib
import math
import random
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reelproof.schemas.edited import EncodedFrame
from reelproof.schemas.footage import FrameRef
from reelproof.stages.footage.crops import Box, cropped
from reelproof.stages.footage.keyframes import as_jpeg, perceptual_hash

_SHRINKS = 7 / 8
_BLOCK_PX = 16

COLOURS = {
    "red": (220, 30, 30),
    "yellow": (250, 220, 30),
    "green": (30, 180, 60),
    "blue": (40, 80, 230),
}
"""Of shapes. RGB"""
_CORNERS = {
    "square": ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),
    "triangle": ((0.0, -1.0), (1.0, 0.85), (-1.0, 0.85)),
    "cross": tuple(
        (x * sign, y * sign)
        for sign in (1, -1)
        for x, y in ((-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35))
    ),
    "circle": tuple((math.cos(turn * math.pi / 12), math.sin(turn * math.pi / 12)) for turn in range(24)),
}
"""Shape -> its outline around its middle, as shares of half its size."""
SHAPES = tuple(_CORNERS)

_CONSONANTS, _VOWELS = "bdfghkmnprstvw", "aeiou"
_SYLLABLES = (2, 3)
_LETTER_SHARE = (0.06, 0.12)
"""Height of letters, as a share of the picture's; the size of captions and of what is readable on signs."""
_LEAST_PX = 14
_INKS = (("white", "black"), ("black", "white"), ("yellow", "black"), ("white", "navy"))
"""Letters, and the plate or outline around them."""


class Shape(NamedTuple):
    """Something small that is pasted over a picture."""

    kind: str
    """One of `SHAPES`."""
    colour: str
    """One of `COLOURS`."""
    x: float
    """Its middle, as a share of the picture's width …"""
    y: float
    """… and of its height."""
    size: float
    """Its width and height, as a share of the picture's shorter side."""

    @property
    def name(self) -> str:
        """`red circle`"""
        return f"{self.colour} {self.kind}"


class Worded(NamedTuple):
    """A picture with words in it."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB"""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom of the words, in pixels."""


def shrunk(image: np.ndarray) -> np.ndarray:
    """An eighth smaller, its sides cut to whole blocks of a JPEG. (H, W, 3) uint8 RGB -> the same

    With whole blocks a picture that is mirrored or turned takes as many bytes as before; the rest of a block
    would be filled up at other edges.
    """
    height, width = (max(1, round(side * _SHRINKS)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = (max(side // _BLOCK_PX * _BLOCK_PX, 1) for side in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    return np.ascontiguousarray(small[top : top + rows, left : left + columns])


def mirrored(image: np.ndarray) -> np.ndarray:
    """Left and right exchanged. (H, W, 3) uint8 -> the same"""
    return np.ascontiguousarray(image[:, ::-1])


def upside_down(image: np.ndarray) -> np.ndarray:
    """Turned by half a turn. (H, W, 3) uint8 -> the same"""
    return np.ascontiguousarray(image[::-1, ::-1])


def hue_turned(image: np.ndarray, degrees: float) -> np.ndarray:
    """All hues moved on along the circle of colours; lightness stays. (H, W, 3) uint8 RGB -> the same

    Cb and Cr are turned around grey (ITU-R BT.601), so that a JPEG holds as much of both as before.
    """
    ycrcb = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    cr, cb = ycrcb[..., 1] - 128, ycrcb[..., 2] - 128
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ycrcb[..., 1], ycrcb[..., 2] = 128 + cos * cr + sin * cb, 128 + cos * cb - sin * cr
    return cv2.cvtColor(np.clip(np.rint(ycrcb), 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB)


def colourfulness(image: np.ndarray) -> float:
    """Mean distance from grey, in levels of Cb and Cr. (H, W, 3) uint8 RGB"""
    ycrcb = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    return float(np.hypot(ycrcb[..., 1] - 128, ycrcb[..., 2] - 128).mean())


def with_shapes(image: np.ndarray, shapes: Iterable[Shape]) -> np.ndarray:
    """Shapes pasted over the picture, each with a dark rim. (H, W, 3) uint8 RGB -> the same"""
    pasted = image.copy()
    height, width = image.shape[:2]
    for each in shapes:
        half_px = each.size * min(height, width) / 2
        middle = np.array([each.x * width, each.y * height])
        outline = np.rint(middle + half_px * np.array(_CORNERS[each.kind])).astype(np.int32)
        cv2.fillPoly(pasted, [outline], COLOURS[each.colour])
        cv2.polylines(pasted, [outline], isClosed=True, color=(0, 0, 0), thickness=1)
    return pasted


def made_up_words(rng: random.Random) -> str:
    """Two words that no film shows by chance: `Tomavi Kesudo`."""
    return " ".join(_made_up_word(rng) for _ in range(2))


def with_words(image: np.ndarray, words: str, rng: random.Random) -> Worded:
    """Words written into a picture, somewhere, in a drawn size and colour. (H, W, 3) uint8 RGB"""
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    size = max(_LEAST_PX, rng.uniform(*_LETTER_SHARE) * picture.height)
    box = pen.textbbox((0, 0), words, font=ImageFont.load_default(size))
    while box[2] > picture.width * 0.96 and size > 8:
        size *= 0.8
        box = pen.textbbox((0, 0), words, font=ImageFont.load_default(size))
    left = rng.uniform(0.02, max(0.02, 0.98 - box[2] / picture.width)) * picture.width
    top = rng.uniform(0.02, max(0.02, 0.98 - box[3] / picture.height)) * picture.height
    letters, around = rng.choice(_INKS)
    where = pen.textbbox((left, top), words, font=ImageFont.load_default(size))
    if rng.random() < 0.5:
        margin = size / 5
        plate = (where[0] - margin, where[1] - margin, where[2] + margin, where[3] + margin)
        pen.rectangle(plate, fill=around)
    outline = max(1, round(size / 12))
    pen.text(
        (left, top), words, letters, ImageFont.load_default(size), stroke_width=outline, stroke_fill=around
    )
    return Worded(np.asarray(picture), where)


def _made_up_word(rng: random.Random) -> str:
    syllables = (rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.choice(_SYLLABLES)))
    return "".join(syllables).capitalize()


def enlarged(image: np.ndarray, box: Box) -> np.ndarray:
    """A part of the picture, as large as all of it. (H, W, 3) uint8 RGB -> the same"""
    height, width = image.shape[:2]
    return cv2.resize(cropped(image, box), (width, height), interpolation=cv2.INTER_CUBIC)


def looks(image: np.ndarray) -> int:
    """What a picture looks like: the 64 bits of its perceptual hash. (H, W, 3) uint8 RGB"""
    return int(perceptual_hash(image), 16)


def file_bytes(image: np.ndarray, jpeg_quality: int) -> int:
    """How large the picture is as a JPEG file. (H, W, 3) uint8 RGB"""
    return len(as_jpeg(image, jpeg_quality))


def encode(image: np.ndarray, made_of: FrameRef, jpeg_quality: int) -> EncodedFrame:
    """The picture as a JPEG file, known by its own hashes. (H, W, 3) uint8 RGB"""
    jpeg = as_jpeg(image, jpeg_quality)
    looks = {
        "sha256": hashlib.sha256(jpeg).hexdigest(),
        "width": image.shape[1],
        "height": image.shape[0],
        "phash": perceptual_hash(image),
    }
    return EncodedFrame(frame=made_of.model_copy(update=looks), jpeg=jpeg)
