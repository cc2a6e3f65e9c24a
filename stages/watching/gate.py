"""Measures of ticks -> how far each stands out from what the same camera showed before.

No threshold is in grey levels: each measure is held against the middle and the outer quantiles of its own
past, so that a busy street and an empty corridor each have their own usual. What stands out is not learned,
unless it goes on for so long that it is the new usual; what is like a false alarm, as a person called it, no
longer stands out.
"""

import base64
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from reelproof.schemas.settings import Settings
from reelproof.schemas.tick import Tick, TickMeasures

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
_ALIKE = 0.25
"""Of how far out something lies: what differs by less is alike, or by less than the usual spread."""
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
    outs: tuple[float, ...] = ()
    """By measure, whatever was taught: above the usual, or below it where negative; none while learning."""


class Gate:
    """Hears of ticks in order of time; holds numbers and thumbnails as far back as its memory goes."""

    def __init__(self, cfg: GateConfig) -> None:
        self._cfg = cfg
        self._ends_s: deque[float] = deque()
        self._values, self._flows, self._pictures, self._moves = _Rows(), _Rows(), _Rows(), _Rows()
        self._seen_s = 0.0
        self._is_learning = True
        self._lately: deque[float] = deque(maxlen=1000)
        self._taught, self._taught_pictures = np.zeros((0, 0)), np.zeros((0, 0))

    def look(self, measures: TickMeasures, length_s: float) -> Standing:
        """How a tick of that length stands out from those that were learned."""
        self._hear(length_s)
        if self._is_learning:
            return Standing(0.0, "", self._cfg.ask_share > 0)
        usual = self._usual()
        outs = usual.outs(self._measured(measures))
        unlike = self._unlike_taught(outs, _picture(measures), usual)
        place = int(np.argmax(unlike))
        stands_out = round(float(unlike[place]), 4)
        self._lately.append(stands_out)
        because = list(_LEAST_WIDTH)[place]
        return Standing(stands_out, because, self._is_asked(stands_out), tuple(outs.round(4).tolist()))

    def teach(self, ticks: Sequence[Tick]) -> None:
        """What is alike one of these does not stand out from now on; what was taught before is forgotten.

        They are not learned, so that nothing else becomes usual by them. Those of a version that did not note
        how far out each measure lay teach nothing.
        """
        ticks = [each for each in ticks if each.outs]
        self._taught = np.asarray([each.outs for each in ticks])
        self._taught_pictures = np.asarray([_picture(each.measures) for each in ticks])

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

    def _usual(self) -> "_Usual":
        tail = self._cfg.tail
        low, middle, high = np.quantile(self._values.rows, [tail, 0.5, 1 - tail], axis=0)
        least = np.asarray(list(_LEAST_WIDTH.values()))
        return _Usual(middle, np.maximum(high - middle, least), np.maximum(middle - low, least))

    def _unlike_taught(self, outs: np.ndarray, picture: np.ndarray, usual: "_Usual") -> np.ndarray:
        """By measure, how far out it lies, or how far from the likest of what was taught if that is less.

        What is usual in both is no difference; how far a picture is from another one is.
        """
        far_out: np.ndarray = np.abs(outs)
        if not len(self._taught):
            return far_out
        at = list(_LEAST_WIDTH).index(PICTURE)
        far = np.abs(self._taught_pictures - picture).mean(axis=1) - usual.middle[at]
        apart = np.abs(outs - self._taught)
        apart[:, at] = np.maximum(far, 0) / usual.above[at]
        apart[(far_out <= 1) & (np.abs(self._taught) <= 1)] = 0
        apart /= np.maximum(1, _ALIKE * np.abs(self._taught))
        likest: np.ndarray = apart[apart.max(axis=1).argmin()]
        return likest if likest.max() < far_out.max() else far_out


class _Usual(NamedTuple):
    """By measure, in the order of `_LEAST_WIDTH`."""

    middle: np.ndarray
    above: np.ndarray
    """How far the usual goes from there, and how far below it."""
    below: np.ndarray

    def outs(self, values: np.ndarray) -> np.ndarray:
        """How far out each lies: 1 and -1 are the edges of the usual."""
        above, below = (values - self.middle) / self.above, (self.middle - values) / self.below
        for place, name in enumerate(_LEAST_WIDTH):
            above[place] *= name not in _DOWNWARD
            below[place] *= name not in _UPWARD
        outs: np.ndarray = np.where(above > below, above, -below)
        return outs + 0.0  # no negative zero


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
