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

from reelproof.schemas.footage import Keyframe
from reelproof.schemas.settings import Settings
from reelproof.schemas.tick import TickMeasures
from reelproof.stages.footage.decode import TimedFrame
from reelproof.stages.footage.frame_signals import Measures, SignalLog
from reelproof.stages.footage.scan import CandidatePicker, FootageConfig

_GRID, _FINE = (4, 4), (10, 8)
"""Columns and rows of cells, for how far what they show moves and for which way."""
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
    motion: "Motion"
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
        motion = motion_of(self._luma, luma)
        self._luma = luma
        thumbnail = cv2.resize(luma, _THUMBNAIL, interpolation=cv2.INTER_AREA).tobytes()
        self._rows.append(_Row(timed.time_s, measures, motion, thumbnail))
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
    flows = np.stack([row.motion.flow for row in rows])
    pushes = np.mean([row.motion.push for row in rows], axis=0)
    moves = np.sign(pushes) * np.sqrt(np.abs(pushes))
    return TickMeasures(
        motion=_rounded(np.log(series["motion"].mean() + 0.05)),
        jolt=_rounded(np.log(series["motion"].max() + 0.05)),
        unrest=_rounded(np.log(_unrest(flows) + 0.02)),
        luminance=_rounded(series["luminance"].mean()),
        contrast=_rounded(series["contrast"].mean()),
        sharpness=_rounded(np.log1p(series["sharpness"].mean())),
        flow=tuple(_rounded(each) for each in flows.mean(axis=0)),
        moves=base64.b64encode((4 * moves).round().clip(-127, 127).astype(np.int8).tobytes()).decode(),
        picture=base64.b64encode(rows[len(rows) // 2].picture).decode(),
    )


def _unrest(flows: np.ndarray) -> float:
    """Of (frames, 32)."""
    return float(np.abs(np.diff(flows, axis=0)).mean()) if len(flows) > 1 else 0.0


def _rounded(value: float) -> float:
    return round(float(value), 4)


class Motion(NamedTuple):
    """Between two frames, for each cell of a grid: right and down."""

    flow: np.ndarray
    """How far what it shows moves, in pixels. (32,) float64"""
    push: np.ndarray
    """Which way what moves goes, the more the more of it stands out: slope times change. (160,) float32"""


def motion_of(before: np.ndarray | None, after: np.ndarray) -> Motion:
    """Of luma, (h, w) uint8 each; none where there is nothing before, or of another size.

    Source: Lucas and Kanade 1981, one step a cell, on blurred pictures.
    """
    if before is None or before.shape != after.shape:
        return Motion(np.zeros(2 * _GRID[0] * _GRID[1]), np.zeros(2 * _FINE[0] * _FINE[1], np.float32))
    old, new = (cv2.GaussianBlur(each, (_BLUR, _BLUR), 0).astype(np.float32) for each in (before, after))
    middle = (old + new) / 2
    across, down, later = (
        cv2.Sobel(middle, cv2.CV_32F, 1, 0) / 8,
        cv2.Sobel(middle, cv2.CV_32F, 0, 1) / 8,
        new - old,
    )
    xt, yt = across * later, down * later
    push = np.stack([-_cells(xt, _FINE), -_cells(yt, _FINE)], axis=-1)
    return Motion(_flow(across * across, across * down, down * down, xt, yt), push.ravel())


def _flow(*terms: np.ndarray) -> np.ndarray:
    """The least squares of each cell."""
    xx, xy, yy, xt, yt = (_cells(each, _GRID).astype(np.float64) for each in terms)
    xx, yy = xx + _FLAT, yy + _FLAT
    size = xx * yy - xy * xy
    return np.stack([(xy * yt - yy * xt) / size, (xy * xt - xx * yt) / size], axis=-1).ravel()


def _cells(picture: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The mean of each cell. (rows, columns)"""
    return cv2.resize(picture, grid, interpolation=cv2.INTER_AREA)
