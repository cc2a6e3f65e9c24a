"""Frames as they are decoded -> ticks: what short stretches measure, and which frames may be shown.

Frames are chosen, shrunk and coded by the build's own picker, so that a watched film gives the very bytes
that a build of it keeps.
"""

import base64
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import Field

from reelproof.schemas.event import TickMeasures
from reelproof.schemas.footage import Keyframe
from reelproof.schemas.settings import Settings
from reelproof.stages.footage.decode import TimedFrame
from reelproof.stages.footage.frame_signals import Measures, SignalLog
from reelproof.stages.footage.scan import CandidatePicker, FootageConfig

_GRID = 4, 4
"""Columns and rows of cells."""
_BLUR = 5
_THUMBNAIL = 16, 9
_FLAT = 1.0
"""Mean squared slope below which a cell shows nothing that could be seen to move."""


class TickConfig(Settings):
    """How finely a stream is looked at."""

    length_s: float = Field(default=4.0, ge=0.5, le=600)
    """A question is about a window of this length, and shows the frames of it."""
    stride_s: float = Field(default=1.0, ge=0.2, le=600)
    """A window ends every so many seconds; what is new in it, a tick, is held against the past."""


class SeenTick(NamedTuple):
    """A tick as it was decoded."""

    number: int
    start_s: float
    end_s: float
    frame_count: int
    measures: TickMeasures
    frames: tuple[Keyframe, ...]
    """With their times in the film."""


class _Row(NamedTuple):
    time_s: float
    measures: Measures
    flow: np.ndarray
    picture: bytes


class TickMaker:
    """One film's frames, in order; ticks are counted from the stream's start."""

    def __init__(
        self, video_id: str, cfg: TickConfig, footage: FootageConfig, pixel_aspect: float, offset_s: float
    ) -> None:
        """`offset_s` is where the film's first frame is in the stream."""
        self._stride_s = cfg.stride_s
        self._offset_s = offset_s
        self._log = SignalLog(footage.scan_lines)
        self._picker = CandidatePicker(video_id, footage, pixel_aspect)
        self._rows: list[_Row] = []
        self._rows_end_s = 0.0
        self._frames: list[Keyframe] = []
        self._luma: np.ndarray | None = None

    def offer(self, timed: TimedFrame) -> Iterator[SeenTick]:
        """The next frame; the ticks that it completes."""
        measures = self._log.measure(timed)
        self._picker.offer(timed, measures)
        self._frames += self._picker.take()
        luma = cv2.extractChannel(self._log.last, 0)
        flow = flow_of(self._luma, luma)
        self._luma = luma
        thumbnail = cv2.resize(luma, _THUMBNAIL, interpolation=cv2.INTER_AREA).tobytes()
        self._rows.append(_Row(timed.time_s, measures, flow, thumbnail))
        yield from self._complete(self._picker.begun_s)

    def finish(self) -> Iterator[SeenTick]:
        """The film is over: what is left of it."""
        self._picker.close()
        self._frames += self._picker.take()
        yield from self._complete(float("inf"))

    def _complete(self, known_s: float) -> Iterator[SeenTick]:
        """Ticks all of whose frames that may be shown are known: those that end by then."""
        if known_s > self._rows_end_s:
            self._log.take()  # lets go of what it holds
            self._rows_end_s = known_s
        while self._rows:
            number = int((self._rows[0].time_s + self._offset_s) / self._stride_s + 1e-9)
            end_s = round((number + 1) * self._stride_s - self._offset_s, 6)
            if end_s > known_s:
                return
            inside = [row for row in self._rows if row.time_s < end_s]
            shown = tuple(each for each in self._frames if each.frame.time_s < end_s)
            self._rows = self._rows[len(inside) :]
            self._frames = self._frames[len(shown) :]
            start_s = number * self._stride_s
            yield SeenTick(number, start_s, start_s + self._stride_s, len(inside), _measured(inside), shown)


def _measured(rows: list[_Row]) -> TickMeasures:
    columns = np.asarray([row.measures for row in rows], np.float64).T
    series = dict(zip(Measures._fields, columns, strict=True))
    return TickMeasures(
        motion=_rounded(np.log(series["motion"].mean() + 0.05)),
        jolt=_rounded(np.log(series["motion"].max() + 0.05)),
        unrest=_rounded(np.log(_unrest(np.stack([row.flow for row in rows])) + 0.02)),
        luminance=_rounded(series["luminance"].mean()),
        contrast=_rounded(series["contrast"].mean()),
        sharpness=_rounded(np.log1p(series["sharpness"].mean())),
        flow=tuple(_rounded(each) for each in np.mean([row.flow for row in rows], axis=0)),
        picture=base64.b64encode(rows[len(rows) // 2].picture).decode(),
    )


def _unrest(flows: np.ndarray) -> float:
    """Of (frames, 32)."""
    return float(np.abs(np.diff(flows, axis=0)).mean()) if len(flows) > 1 else 0.0


def _rounded(value: float) -> float:
    return round(float(value), 4)


def flow_of(before: np.ndarray | None, after: np.ndarray) -> np.ndarray:
    """Where each cell of the picture moves, right and down, in pixels. (32,) float64

    Source: Lucas and Kanade 1981, one step a cell, on blurred luma: (h, w) uint8 each.
    """
    cells = np.zeros((_GRID[1], _GRID[0], 2))
    if before is None or before.shape != after.shape:
        return cells.ravel()
    old, new = (cv2.GaussianBlur(each, (_BLUR, _BLUR), 0).astype(np.float32) for each in (before, after))
    middle = (old + new) / 2
    across, down, later = (
        cv2.Sobel(middle, cv2.CV_32F, 1, 0) / 8,
        cv2.Sobel(middle, cv2.CV_32F, 0, 1) / 8,
        new - old,
    )
    terms = (across * across, across * down, down * down, across * later, down * later)
    xx, xy, yy, xt, yt = (
        cv2.resize(each, _GRID, interpolation=cv2.INTER_AREA).astype(np.float64) for each in terms
    )
    xx, yy = xx + _FLAT, yy + _FLAT
    size = xx * yy - xy * xy
    cells[..., 0] = (xy * yt - yy * xt) / size
    cells[..., 1] = (xy * xt - xx * yt) / size
    return cells.ravel()
