"""The one wrapper of RapidOCR: PP-OCR's networks, which its wheel brings, on the CPU."""

from threading import Lock
from typing import Any

import cv2
import numpy as np
from rapidocr_onnxruntime import RapidOCR

from reelproof.stages.written.protocol import Written, rapid_name

_LEAST_SURE = 0.3
"""What is read less surely is mostly no text; what is read unsurely says that there is some."""
_PART_PX, _ENLARGED_PX = 256, 512
"""A picture whose longer side is no more than that was cut out of a frame: it is enlarged to this side, …"""
_MOST_ENLARGED = 3.0
_MARGIN_PX = 16
"""… and gets a margin, for text at the edge of a picture is not found."""


class RapidReader:
    """Reads with one thread: several parts are read side by side, and results do not hang on their number.

    Lines are looked for as large as a frame is shown. RapidOCR itself would enlarge each to 736 lines, and
    find smaller print for ten times the time; nor are lines turned that stand on their heads.
    """

    def __init__(self) -> None:
        self.name = rapid_name()
        self._ocr: Any = RapidOCR(
            text_score=_LEAST_SURE,
            det_limit_type="max",
            rec_batch_num=1,  # of several, each would be made as wide as the widest, for twice the time
            intra_op_num_threads=1,
            inter_op_num_threads=1,
        )
        self._lock = Lock()

    def read(self, image: np.ndarray) -> list[Written]:
        """The lines of a picture. (H, W, 3) uint8 RGB. Safe to call from several threads."""
        shown = np.ascontiguousarray(image[:, :, ::-1])  # it takes BGR
        side_px = max(image.shape[:2])
        is_part = side_px <= _PART_PX
        scale = min(_MOST_ENLARGED, _ENLARGED_PX / side_px) if is_part else 1.0
        margin_px = _MARGIN_PX if is_part else 0
        with self._lock:
            found, _ = self._ocr(_framed(_scaled(shown, scale), margin_px), use_cls=False)
        return [_written(each, margin_px, scale) for each in found or ()]


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    return image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _framed(image: np.ndarray, margin_px: int) -> np.ndarray:
    return np.pad(image, ((margin_px, margin_px), (margin_px, margin_px), (0, 0)), mode="edge")


def _written(found: Any, margin_px: int, scale: float) -> Written:
    corners, text, confidence = found
    across, down = (np.asarray(corners, dtype=float).T - margin_px) / scale
    return Written(text, across.min(), down.min(), across.max(), down.max(), float(confidence))
