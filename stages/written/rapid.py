"""The one wrapper of RapidOCR: PP-OCR's networks, which its wheel brings, on the CPU."""

from importlib.metadata import version
from typing import Any

import numpy as np
from rapidocr_onnxruntime import RapidOCR

from reelproof.stages.written.read import Written

_LEAST_SURE = 0.3
"""What is read less surely is mostly no text; what is read unsurely says that there is some."""


class RapidReader:
    """Reads with one thread: several parts are read side by side, and results do not hang on their number."""

    def __init__(self) -> None:
        self.name = f"rapidocr-onnxruntime@{version('rapidocr-onnxruntime')}"
        self._ocr: Any = RapidOCR(text_score=_LEAST_SURE, intra_op_num_threads=1, inter_op_num_threads=1)

    def read(self, image: np.ndarray) -> list[Written]:
        """The lines of a picture. (H, W, 3) uint8 RGB"""
        found, _ = self._ocr(np.ascontiguousarray(image[:, :, ::-1]))  # it takes BGR
        return [_written(corners, text, confidence) for corners, text, confidence in found or ()]


def _written(corners: Any, text: str, confidence: Any) -> Written:
    across, down = np.asarray(corners, dtype=float).T
    return Written(text, across.min(), down.min(), across.max(), down.max(), float(confidence))
