"""JPEG frames -> how much each differs from each: colours, brightness and position, on small pictures."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import cv2
import numpy as np

_SIZE = 32, 18
_BINS = 8


class Look(NamedTuple):
    """A frame as it is compared."""

    luma: np.ndarray
    """(576,) float32, 0 … 255: 32x18 pixels, a little blurred."""
    colours: np.ndarray
    """(512,) float32, sums to 1: a histogram over CIE L*a*b*."""


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

    def blurred(self, spread: float, rng: np.random.Generator) -> Self:
        """As a less careful eye would see them: each pair off by a random factor of this spread."""
        if spread == 0:
            return self
        count = len(self.content)
        upper = np.triu(rng.normal(0.0, spread, (count, count)), 1)
        factor = np.exp(upper + upper.T)
        return self._replace(content=self.content * factor, motion=self.motion * factor)


def look_at(jpeg: bytes) -> Look:
    """Decode a frame at an eighth of its size. Raises ValueError for bytes that are no picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
    if image is None:
        raise ValueError(f"a frame of {len(jpeg)} bytes is no JPEG picture")
    lab = cv2.cvtColor(cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2LAB)
    # a and b of real pictures lie near their middle: finer bins there tell more
    ranges = [0, 256, 64, 192, 64, 192]
    colours = cv2.calcHist([lab], [0, 1, 2], None, [_BINS] * 3, ranges).ravel()
    luma = cv2.GaussianBlur(lab[:, :, 0], (3, 3), 0).astype(np.float32).ravel()
    return Look(luma, colours / max(float(colours.sum()), 1.0))


def differences(looks: Sequence[Look]) -> Differences:
    """Compare each frame with each."""
    if not looks:
        return Differences(np.zeros((0, 0)), np.zeros((0, 0)))
    luma = np.stack([look.luma for look in looks])
    colours = np.stack([look.colours for look in looks])
    motion = np.stack([np.abs(luma - each).mean(axis=1) for each in luma]).astype(np.float64)
    recoloured = np.stack([np.abs(colours - each).sum(axis=1) for each in colours]) / 2
    return Differences(50 * recoloured + 50 * np.minimum(1.0, motion / 64), motion)
