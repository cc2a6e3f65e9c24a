"""Frames in order -> what each measures by itself and against the one before."""

from typing import NamedTuple

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from reelproof.schemas.footage import FrameSignals
from reelproof.stages.footage.cuts import Meter
from reelproof.stages.footage.decode import TimedFrame
from reelproof.stages.footage.pictures import small_ycrcb

_THUMBNAIL_SIZE = 16, 9
_PICTURE_SIZE = 48, 27


class Measures(NamedTuple):
    """Of one frame; see FrameSignals."""

    time_s: float
    content: float
    histogram: float
    luminance: float
    contrast: float
    sharpness: float
    motion: float


class SignalLog:
    """Measures each frame against the one before."""

    def __init__(self, scan_lines: int, keeps_pictures: bool = False) -> None:
        self.count = 0
        """Frames measured so far."""
        self.last = np.zeros((0, 0, 3), np.uint8)
        """The last of them, as it was measured."""
        self._rows: list[Measures] = []
        self._scan_lines = scan_lines
        self._meter = Meter()
        self._scaler = VideoReformatter()
        self._thumbnails = bytearray()
        self._keeps_pictures, self._pictures = keeps_pictures, bytearray()
        self._luma_before: np.ndarray | None = None

    def measure(self, timed: TimedFrame) -> Measures:
        """Of the next frame; a stream that changes its size begins anew."""
        return self.measure_small(timed.time_s, small_ycrcb(timed.frame, self._scan_lines, self._scaler))

    def measure_small(self, time_s: float, small: np.ndarray) -> Measures:
        """Of the next frame, sub-sampled: (h, w, 3) uint8 of Y, Cr, Cb."""
        self.last = small
        luma = cv2.extractChannel(small, 0)
        if self._luma_before is not None and self._luma_before.shape != luma.shape:
            self._forget()  # the stream changed its size
        bgr = cv2.cvtColor(small, cv2.COLOR_YCrCb2BGR)
        mean, deviation = cv2.meanStdDev(luma)
        row = Measures(
            time_s=time_s,
            content=self._meter.content(bgr),
            histogram=self._meter.histogram_change(luma),
            luminance=float(mean[0, 0]),
            contrast=float(deviation[0, 0]),
            sharpness=float(cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1][0, 0]) ** 2,
            motion=self._motion(luma),
        )
        self._luma_before = luma
        self._thumbnails += cv2.resize(luma, _THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA).tobytes()
        if self._keeps_pictures:
            self._pictures += cv2.resize(small, _PICTURE_SIZE, interpolation=cv2.INTER_AREA).tobytes()
        self._rows.append(row)
        self.count += 1
        return row

    def take(self) -> FrameSignals:
        """Of the frames since the last call, which are let go."""
        columns = np.asarray(self._rows, dtype=np.float32).reshape(-1, len(Measures._fields)).T
        series = dict(zip(Measures._fields, columns, strict=True))
        taken = FrameSignals(**series, signature=bytes(self._thumbnails), pictures=bytes(self._pictures))
        self._rows, self._thumbnails, self._pictures = [], bytearray(), bytearray()
        return taken

    def _forget(self) -> None:
        self._meter, self._luma_before = Meter(), None

    def _motion(self, luma: np.ndarray) -> float:
        if self._luma_before is None:
            return 0.0
        return float(cv2.norm(luma, self._luma_before, cv2.NORM_L1)) / luma.size
