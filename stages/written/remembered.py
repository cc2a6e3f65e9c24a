"""A reader -> the same one, to whom several steps show the same picture and who reads it once."""

import numpy as np
import xxhash

from reelproof.schemas.latest import Latest
from reelproof.stages.written.protocol import Reader, Written

_HELD = 4096
"""Pictures whose lines are remembered, the latest ones: some hundred bytes each."""


class RememberedReader:
    """Teachers and verifiers look at frames that the step `text` has read, and anew in each round."""

    def __init__(self, reader: Reader) -> None:
        """`reader` says the same of the same pixels, whenever it is asked."""
        self.name = reader.name
        self._reader = reader
        self._lines = Latest[tuple[tuple[int, ...], bytes], list[Written]](_HELD)

    def read(self, image: np.ndarray) -> list[Written]:
        """The lines of a picture. (H, W, 3) uint8 RGB. Safe to call from several threads if the reader is."""
        pixels = xxhash.xxh3_128_digest(np.ascontiguousarray(image).data)
        return self._lines.get((image.shape, pixels), lambda: self._reader.read(image))
