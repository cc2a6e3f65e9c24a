"""Who reads what is written in a picture, and what comes of it."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import NamedTuple, Protocol, Self

import numpy as np

from reelproof.schemas.written import TextLine

_RAPID = "rapidocr-onnxruntime"


def rapid_name() -> str:
    """`name@version` of RapidOCR. Raises PackageNotFoundError where it is not there."""
    return f"{_RAPID}@{version(_RAPID)}"


class Written(NamedTuple):
    """A line in a picture: its text, its box in pixels, and how sure its reader is."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float

    def moved(self, across: float, down: float) -> Self:
        """The same in a picture of which this one is a part that begins there."""
        return self._replace(
            left=self.left + across,
            top=self.top + down,
            right=self.right + across,
            bottom=self.bottom + down,
        )


class Reader(Protocol):
    """Who reads: OCR."""

    name: str
    """`name@version`"""

    def read(self, image: np.ndarray) -> list[Written]:
        """The lines of a picture. (H, W, 3) uint8 RGB"""
        ...


def text_lines(found: Iterable[Written], image: np.ndarray) -> Iterator[TextLine]:
    """The same from the top down, their boxes as shares of the picture's sides."""
    height, width = image.shape[:2]
    for each in sorted(found, key=lambda line: (line.top, line.left)):
        if each.text.strip():
            yield TextLine(
                label=" ".join(each.text.split()),
                time_s=None,
                left=round(each.left / width, 4),
                top=round(each.top / height, 4),
                right=round(each.right / width, 4),
                bottom=round(each.bottom / height, 4),
                confidence=round(min(each.confidence, 1.0), 4),
            )
