"""Measures of ticks -> how far each stands out from what the same camera showed before.

No threshold is in grey levels: each measure is held against the middle and the outer quantiles of its own
past, so that a busy street and an empty corridor each have their own usual. What stands out is not learned,
unless it goes on for so long that it is the new usual.
"""

import base64
from collections import deque
from typing import NamedTuple

import numpy as np
from pydantic import Field

from reelproof.schemas.event import Tick, TickMeasures
from reelproof.schemas.settings import Settings

PICTURE, DIRECTION, REVERSAL = "picture", "direction", "reversal"
_LEAST_WIDTH = {
    "motion": 0.25,
    "jolt": 0.25,
    "unrest": 0.25,
    "luminance": 1.0,
    "contrast": 1.0,
    "sharpness": 0.1,
    PICTURE: 1.0,
    DIRECTION: 0.05,
    REVERSAL: 0.08,
}
"""Of the usual spread of each measure: what is finer is noise of coding."""
_UPWARD, _DOWNWARD = ("jolt", "unrest", PICTURE), (DIRECTION, REVERSAL)
"""Measures of which only one end is unusual."""
_BESIDE_THE_PAST = (PICTURE, DIRECTION, REVERSAL)
"""What no tick measures by itself, in this order behind the others."""
_LEAST_FLOW = 0.02
"""Pixels of the scan a frame, below which the picture has no usual direction."""
_LEAST_MOVES = 4.0
"""Length of the moves of all cells, below which they are mostly noise of coding."""
_FIRST = 8
"""Ticks before which nothing is compared."""
_NEIGHBOURS = 2
"""Ticks before and after one, which look like it because nothing has happened yet."""


class GateConfig(Settings):
    """What a tick is held against, and which ticks the questions are asked about."""

    memory_s: float = Field(default=3600, ge=10, le=604_800)
    """What the camera showed in the past so many seconds is usual."""
    learn_s: float = Field(default=60, ge=2, le=86_400)
    """Nothing stands out before so many seconds were seen; until then every tick is asked about."""
    tail: float = Field(default=0.02, gt=0, lt=0.5)
    """The usual ends where this share of the past lies further out, at either end of each measure."""
    ask_share: float = Field(default=0.25, ge=0, le=1)
    """The questions are put to about this share of the ticks, those that stand out the most; 1 asks about
    all."""


class Standing(NamedTuple):
    """How a tick stands out."""

    stands_out: float
    """1 is at the edge of what is usual, 2 twice as far from the middle; 0 while nothing is known."""
    because: str
    is_asked: bool


class Gate:
    """Hears of ticks in order of time; holds numbers and thumbnails as far back as its memory goes."""

    def __init__(self, cfg: GateConfig) -> None:
        self._cfg = cfg
        self._ends_s: deque[float] = deque()
        self._values, self._flows, self._pictures, self._moves = _Rows(), _Rows(), _Rows(), _Rows()
        self._seen_s = 0.0
        self._is_learning = True
        self._lately: deque[float] = deque(maxlen=1000)

    def look(self, measures: TickMeasures, length_s: float) -> Standing:
        """How a tick of that length stands out from those that were learned."""
        self._hear(length_s)
        if self._is_learning:
            return Standing(0.0, "", self._cfg.ask_share > 0)
        outs = self._outs(self._measured(measures))
        place = int(np.argmax(outs))
        stands_out = round(float(outs[place]), 4)
        self._lately.append(stands_out)
        return Standing(stands_out, list(_LEAST_WIDTH)[place], self._is_asked(stands_out))

    def learn(self, measures: TickMeasures, end_s: float) -> None:
        """Count a tick among what is usual."""
        self._values.add(self._measured(measures))
        self._flows.add(np.asarray(measures.flow, np.float32))
        self._pictures.add(_picture(measures))
        self._moves.add(_moves(measures))
        self._ends_s.append(end_s)
        while self._ends_s[0] < end_s - self._cfg.memory_s:
            self._ends_s.popleft()
            for rows in (self._values, self._flows, self._pictures, self._moves):
                rows.drop_first()

    def recall(self, tick: Tick, length_s: float) -> None:
        """Take in a tick that was looked at before, as it was judged then.

        One that an older version measured teaches nothing, since nothing can be held against it: what is
        usual is learned anew from those that come.
        """
        if not tick.measures.moves:
            return
        self._hear(length_s)
        if tick.because:
            self._lately.append(tick.stands_out)
        if tick.is_usual:
            self.learn(tick.measures, tick.end_s)

    def _hear(self, length_s: float) -> None:
        """A tick comes; once enough was seen, what was learned is measured against all of it."""
        if self._is_learning and self._seen_s >= self._cfg.learn_s and len(self._ends_s) >= _FIRST:
            self._is_learning = False
            self._measure_again()
        self._seen_s += length_s

    def _measure_again(self) -> None:
        """At first every picture is new, and no direction usual: as if each tick had come last."""
        pictures, flows, moves = self._pictures.rows, self._flows.rows, self._moves.rows
        names = list(_LEAST_WIDTH)
        for place, row in enumerate(self._values.rows):
            others = [at for at in range(len(pictures)) if abs(at - place) > _NEIGHBOURS]
            row[names.index(PICTURE)] = _nearest(pictures[others], pictures[place])
            row[names.index(DIRECTION)] = _along(flows, flows[place])
            row[names.index(REVERSAL)] = _reversed(np.delete(moves, place, axis=0), moves[place])

    def _is_asked(self, stands_out: float) -> bool:
        share = self._cfg.ask_share
        return share >= 1 or (share > 0 and stands_out >= float(np.quantile(self._lately, 1 - share)))

    def _measured(self, measures: TickMeasures) -> np.ndarray:
        """In the order of `_LEAST_WIDTH`."""
        plain = [getattr(measures, name) for name in _LEAST_WIDTH if name not in _BESIDE_THE_PAST]
        novelty = _nearest(self._pictures.rows, _picture(measures))
        along = _along(self._flows.rows, np.asarray(measures.flow))
        reversal = _reversed(self._moves.rows, _moves(measures))
        return np.asarray([*plain, novelty, along, reversal], np.float64)

    def _outs(self, values: np.ndarray) -> np.ndarray:
        """For each measure, how far out it lies: 1 at the edge of the usual."""
        tail = self._cfg.tail
        low, middle, high = np.quantile(self._values.rows, [tail, 0.5, 1 - tail], axis=0)
        least = np.asarray(list(_LEAST_WIDTH.values()))
        above = (values - middle) / np.maximum(high - middle, least)
        below = (middle - values) / np.maximum(middle - low, least)
        for place, name in enumerate(_LEAST_WIDTH):
            above[place] *= name not in _DOWNWARD
            below[place] *= name not in _UPWARD
        outs: np.ndarray = np.maximum(np.maximum(above, below), 0.0)
        return outs


class _Rows:
    """Rows of numbers, added at the end and dropped at the beginning, seldom copied."""

    def __init__(self) -> None:
        self._held = np.zeros((0, 0))
        self._first, self._end = 0, 0

    @property
    def rows(self) -> np.ndarray:
        """(rows, numbers)"""
        return self._held[self._first : self._end]

    def add(self, row: np.ndarray) -> None:
        if self._end == len(self._held):
            kept = self.rows
            grown = np.zeros((2 * len(kept) + 64, len(row)), row.dtype)
            grown[: len(kept)] = kept.reshape(len(kept), len(row))
            self._held, self._first, self._end = grown, 0, len(kept)
        self._held[self._end] = row
        self._end += 1

    def drop_first(self) -> None:
        self._first += 1


def _nearest(past: np.ndarray, picture: np.ndarray) -> float:
    """Distance to the nearest picture of the past, in grey levels."""
    return float(np.abs(past - picture).mean(axis=1).min()) if len(past) else 0.0


def _along(past: np.ndarray, flow: np.ndarray) -> float:
    """How much of the usual flow there is in this one: 1 is as usual, below 0 against it."""
    usual = past.mean(axis=0) if len(past) else np.zeros(1)
    size = float(np.linalg.norm(usual))
    return float(flow @ usual) / size**2 if size >= _LEAST_FLOW * len(usual) ** 0.5 else 1.0


def _reversed(past: np.ndarray, moves: np.ndarray) -> float:
    """0, or below it where the past knows these moves less well than the same ones backwards.

    Of unit vectors: the cosine with the likest tick, less that with the tick that is likest in reverse.
    """
    alike = past @ moves if len(past) else np.zeros(1)
    return min(float(alike.max() + alike.min()), 0.0)


def _moves(measures: TickMeasures) -> np.ndarray:
    """As a unit vector, shorter where little moves."""
    moves = np.frombuffer(base64.b64decode(measures.moves), np.int8).astype(np.float32) / 4
    unit: np.ndarray = moves / (float(np.linalg.norm(moves)) + _LEAST_MOVES)
    return unit


def _picture(measures: TickMeasures) -> np.ndarray:
    return np.frombuffer(base64.b64decode(measures.picture), np.uint8).astype(np.int16)
