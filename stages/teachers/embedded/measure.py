"""JPEG frames -> how much each differs from each, in all of the picture or a part: colours, brightness and
position, on small pictures.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

_SIZE = 32, 18
_BINS = 8
_RARE = _BINS**3
"""Colours beyond all bins."""
_MOVES = 20.0
"""Grey levels, on average, from which a part surely moves more than others do that move a little."""
_STRONG = 0.5
"""What moves so much, as a share of what moves most, is of one with it."""
_STANDS_OUT = 3.0
"""It moves so many times as much as the rest, on average."""
_LEAST_CELLS, _MOST_SHARE = 6, 0.35
"""Of a `Look`: so many cells at least, and so much of all of them at most."""


class Look(NamedTuple):
    """A frame as it is compared."""

    luma: np.ndarray
    """(18, 32) float32, 0 … 255: the picture's pixels, a little blurred."""
    colours: np.ndarray
    """(18, 32) int64: the bin of each pixel in CIE L*a*b*, or 512 for a colour beyond all bins."""


class Region(NamedTuple):
    """A part of every picture, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Rows and columns of a `Look`; at least one of each."""
        (left, right), (top, bottom) = (
            (min(int(low * size), size - 1), math.ceil(high * size))
            for low, high, size in (
                (self.left, self.right, _SIZE[0]),
                (self.top, self.bottom, _SIZE[1]),
            )
        )
        return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))

    def holds(self, across: float, down: float) -> bool:
        """Whether a point lies in it."""
        return self.left <= across <= self.right and self.top <= down <= self.bottom

    @property
    def name(self) -> str:
        """As a person says it: `upper left`, `middle`."""
        across = _third((self.left + self.right) / 2, ("left", "", "right"))
        upright = _third((self.top + self.bottom) / 2, ("upper", "", "lower"))
        half = "half" if upright and not across else ""
        return " ".join(filter(None, (upright, across, half))) or "middle"


WHOLE = Region(0.0, 0.0, 1.0, 1.0)


def _third(centre: float, names: Sequence[str]) -> str:
    return names[0] if centre < 0.42 else names[2] if centre > 0.58 else names[1]


class Differences(NamedTuple):
    """Of n frames, each with each. (n, n) float64, symmetric."""

    content: np.ndarray
    """0 … 100: half the histograms' distance, half that of the pictures. 35 is a different scene, mostly."""
    motion: np.ndarray
    """Mean absolute luma difference in grey levels, 0 … 255."""

    def content_steps(self) -> np.ndarray:
        """Content difference of each frame to the next. (n - 1,)"""
        return np.diagonal(self.content, 1)

    def motion_steps(self) -> np.ndarray:
        """Motion from each frame to the next. (n - 1,)"""
        return np.diagonal(self.motion, 1)


def look_at(jpeg: bytes) -> Look:
    """Decode a frame at an eighth of its size. Raises ValueError for bytes that are no picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
    if image is None:
        raise ValueError(f"a frame of {len(jpeg)} bytes is no JPEG picture")
    lab = cv2.cvtColor(cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2LAB)
    luma = cv2.GaussianBlur(lab[:, :, 0], (3, 3), 0).astype(np.float32)
    # a and b of real pictures lie near their middle: finer bins there tell more
    lightness, green_red, blue_yellow = (lab.astype(np.int64) - (0, 64, 64)).transpose(2, 0, 1)
    colours = (lightness // 32 * _BINS + green_red // 16) * _BINS + blue_yellow // 16
    rare = (np.minimum(green_red, blue_yellow) < 0) | (np.maximum(green_red, blue_yellow) >= 128)
    return Look(luma, np.where(rare, _RARE, colours))


def differences(looks: Sequence[Look], region: Region = WHOLE) -> Differences:
    """Compare each frame with each, in this part of them."""
    if not looks:
        return Differences(np.zeros((0, 0)), np.zeros((0, 0)))
    rows, columns = region.pixels
    luma = np.stack([look.luma[rows, columns].ravel() for look in looks])
    colours = np.stack([_shares(look.colours[rows, columns].ravel()) for look in looks])
    motion = np.stack([np.abs(luma - each).mean(axis=1) for each in luma]).astype(np.float64)
    recoloured = np.stack([np.abs(colours - each).sum(axis=1) for each in colours]) / 2
    return Differences(50 * recoloured + 50 * np.minimum(1.0, motion / 64), motion)


def moving_part(one: Look, other: Look, region: Region = WHOLE) -> Region | None:
    """The box of what differs most between two frames, of what lies together; None where that is little, is
    spread over much of the picture, or where all else moves nearly as much.
    """
    rows, columns = region.pixels
    moved = np.zeros_like(one.luma)
    moved[rows, columns] = np.abs(one.luma - other.luma)[rows, columns]
    strong = (moved >= max(float(moved.max()) * _STRONG, _MOVES)).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(strong)
    weights = np.bincount(labels.ravel(), weights=moved.ravel())[1:]
    if not len(weights):
        return None
    left, top, width, height, _ = (int(each) for each in boxes[1 + int(np.argmax(weights))])
    inside = np.zeros(moved.shape, bool)
    inside[top : top + height, left : left + width] = True
    around = np.zeros(moved.shape, bool)
    around[rows, columns] = True
    around &= ~inside
    if not _LEAST_CELLS <= inside.sum() <= _MOST_SHARE * moved.size or not around.any():
        return None
    if moved[inside].mean() < max(_MOVES, _STANDS_OUT * float(moved[around].mean())):
        return None
    across, down = _SIZE
    return Region(left / across, top / down, (left + width) / across, (top + height) / down)


def _shares(bins: np.ndarray) -> np.ndarray:
    """(512,) float64, sums to 1, or to 0 where all colours are rare."""
    counts = np.bincount(bins, minlength=_RARE + 1)[:_RARE]
    shares: np.ndarray = counts / max(int(counts.sum()), 1)
    return shares
