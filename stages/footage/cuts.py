"""Signals of a film -> its cuts, fades and dissolves.

Hard cuts are what PySceneDetect's detectors find, less the changes after which the same picture is still
there (flashes, light, fades). Gradual changes, which those detectors miss, come from the stored thumbnails.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from pydantic import Field

from reelproof.schemas.footage import CutKind, FrameSignals
from reelproof.schemas.settings import Settings

_HISTOGRAM_BINS = 128
_DISSOLVE_LENGTHS = 6
_WINDOW = 2  # frames on each side that the adaptive detector compares with
_DOUBT_S = 0.5
_AT_ONCE = 1 << 12  # frames whose pictures are compared in one go: what is held must not grow with the film


class CutConfig(Settings):
    """What counts as a change of scene."""

    adaptive_ratio: float = Field(default=2.0, ge=1, le=100)
    """A cut's content value is at least this many times that of the frames around it."""
    adaptive_content: float = Field(default=15.0, ge=1, le=255)
    """A cut's content value is at least this as well."""
    histogram_change: float = Field(default=0.2, ge=0.01, le=2)
    """A luma histogram that changes by this much is a cut as well."""
    likeness: float = Field(default=0.8, ge=-1, le=1)
    """A change between pictures whose luma patterns correlate more than this is no cut."""
    gradual_likeness: float = Field(default=0.6, ge=-1, le=1)
    """The same for cross-fades and for fades as short as a flash."""
    flash_s: float = Field(default=0.3, ge=0, le=5)
    """A change that is undone within this time is a flash, not a cut."""
    fade_contrast: float = Field(default=8.0, ge=0, le=128)
    """A frame whose luma deviates less from its mean is flat: black, white or one colour."""
    slope_max_s: float = Field(default=1.5, ge=0, le=10)
    """How long a picture may take to fade to flat, or to rise from it."""
    dissolve_min_s: float = Field(default=0.28, gt=0, le=10)
    """The shortest cross-fade that is looked for, in seconds."""
    dissolve_max_s: float = Field(default=2.0, gt=0, le=10)
    """The longest cross-fade that is looked for, in seconds."""
    dissolve_change: float = Field(default=12.0, ge=1, le=255)
    """Mean luma difference between the pictures before and after a cross-fade."""
    dissolve_linearity: float = Field(default=0.75, ge=0, le=1)
    """How closely its frames lie on the line from the first picture to the last: 1 is exactly."""
    dissolve_calm: float = Field(default=0.5, ge=0, le=10)
    """How fast the picture may change before and after, as a share of its speed within."""


class Transition(NamedTuple):
    """A change of scene over the frames [first, last] of the signals; `at` is the new scene's first frame."""

    first: int
    at: int
    last: int
    kind: CutKind
    score: float
    """1 is the threshold."""


class Meter:
    """Changes from frame to frame, the values that PySceneDetect's content and histogram detectors compare.

    Only the values: cuts are decided later, from the stored ones.
    """

    def __init__(self) -> None:
        self._colours: np.ndarray | None = None
        self._histogram: np.ndarray | None = None

    def content(self, bgr: np.ndarray) -> float:
        """Mean change of hue, saturation and value since the last call, 0 … 255. (h, w, 3) uint8"""
        before, self._colours = self._colours, cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)
        if before is None:
            return 0.0
        return float(cv2.norm(before, self._colours, cv2.NORM_L1)) / bgr.size

    def histogram_change(self, luma: np.ndarray) -> float:
        """1 − correlation of the luma histograms of this call and the last, 0 … 2. (h, w) uint8"""
        before = self._histogram
        self._histogram = cv2.calcHist([luma], [0], None, [_HISTOGRAM_BINS], [0, 256])
        if before is None:
            return 0.0
        return 1.0 - float(cv2.compareHist(before, self._histogram, cv2.HISTCMP_CORREL))


def frame_times(signals: FrameSignals) -> np.ndarray:
    """The frames' times in seconds, the very numbers that candidates bear. (T,) float64"""
    return np.round(signals.time_s.astype(np.float64), 3)


def find_transitions(signals: FrameSignals, cfg: CutConfig) -> list[Transition]:
    """Cuts, fades and dissolves, sharing no frames but their ends; fades at the film's ends are left out."""
    film = _Film(signals)
    fades = _fades(film, cfg)
    cuts = [cut for cut in _hard_cuts(film, signals, cfg) if not _is_undone(cut, film, cfg)]
    fading = _steps_within(fades, len(film.times))
    cuts = [cut for cut in cuts if fading[cut.first] == fading[cut.last]]
    dissolves = _dissolves(film, [*fades, *cuts], cfg)
    return sorted(each for each in [*fades, *cuts, *dissolves] if each.score > 0)


def doubtful_frames(signals: FrameSignals, found: Sequence[Transition], cfg: CutConfig) -> np.ndarray:
    """Whether, around a frame, one picture gives way to another and none of `found` tells how. (T,) bool"""
    film = _Film(signals)
    firsts = np.searchsorted(film.times, film.times - _DOUBT_S)
    lasts = np.minimum(np.searchsorted(film.times, film.times + _DOUBT_S), len(film.times) - 1)
    told = _steps_within(found, len(film.times))
    is_untold = told[firsts] == told[lasts]
    firsts, lasts = firsts[is_untold], lasts[is_untold]
    doubtful = np.zeros(len(film.times), np.bool_)
    for start in range(0, len(firsts), _AT_ONCE):
        ends = firsts[start : start + _AT_ONCE], lasts[start : start + _AT_ONCE]
        for first, last in _hopeful(film, *ends, cfg):
            doubtful[first : last + 1] = True
    return doubtful


class _Film:
    """Signals made ready: times, contrast, how fast the picture changes, and pictures as they are wanted."""

    def __init__(self, signals: FrameSignals) -> None:
        self.times = frame_times(signals)
        self.contrast = signals.contrast
        self._pictures = np.frombuffer(signals.signature, np.uint8).reshape(len(self.times), -1)
        self.speeds = np.zeros(len(self.times))
        """Mean luma change a second, from the frame before to each."""
        for start in range(0, len(self.times) - 1, _AT_ONCE):
            stretch = slice(start, start + _AT_ONCE + 1)
            changes = np.abs(np.diff(self.thumbnails(stretch), axis=0)).mean(axis=1)
            self.speeds[stretch][1:] = changes / np.diff(self.times[stretch])

    def thumbnails(self, which: slice | np.ndarray) -> np.ndarray:
        """(n, 144) float32, 0 … 255"""
        return self._pictures[which].astype(np.float32)

    def patterns(self, which: slice | np.ndarray) -> np.ndarray:
        """The thumbnails without their light: of mean 0 and length 1. (n, 144) float32"""
        thumbnails = self.thumbnails(which)
        centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        return np.asarray(centred / (length + 1e-3), np.float32)

    def index_at(self, time_s: float) -> int:
        """The first frame at or after a time."""
        return int(np.searchsorted(self.times, time_s))


def _hard_cuts(film: _Film, signals: FrameSignals, cfg: CutConfig) -> list[Transition]:
    from reelproof.stages.footage.adaptive import adaptive_cuts  # PySceneDetect takes a while to load

    scores = {}
    for start, end in _lively_runs(signals.content >= cfg.adaptive_content):
        here = film.times[start:end], signals.content[start:end]
        for index in adaptive_cuts(*here, cfg.adaptive_ratio, cfg.adaptive_content, _WINDOW):
            scores[start + index] = float(signals.content[start + index]) / cfg.adaptive_content
    for index in np.flatnonzero(signals.histogram >= cfg.histogram_change).tolist():
        scores[index] = max(scores.get(index, 0.0), float(signals.histogram[index]) / cfg.histogram_change)
    return [Transition(at - 1, at, at, CutKind.CUT, score) for at, score in sorted(scores.items()) if at > 0]


def _lively_runs(lively: np.ndarray) -> list[tuple[int, int]]:
    """Half-open runs of frames that the detector has to see: lively ones, and its window around them."""
    seen = np.convolve(lively, np.ones(2 * _WINDOW + 1), "same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _is_undone(cut: Transition, film: _Film, cfg: CutConfig) -> bool:
    """Whether a picture from just before is there just after: a flash passed, or only the light changed."""
    start = min(film.index_at(film.times[cut.at] - cfg.flash_s), cut.first)
    end = max(film.index_at(film.times[cut.at] + cfg.flash_s), cut.at + 1)
    likeness = film.patterns(slice(start, cut.at)) @ film.patterns(slice(cut.at, end)).T
    return bool(likeness.max() > cfg.likeness)


def _fades(film: _Film, cfg: CutConfig) -> list[Transition]:
    """Runs of flat frames and the slopes to both sides; the new scene begins where its picture shows first.

    Flashes, and runs at either end of the film, score 0: they part no scenes, but no cut lies in them either.
    """
    flat = np.concatenate([[False], film.contrast < cfg.fade_contrast, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]).tolist()
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        first, last = _slope_end(film, start, -1, cfg), _slope_end(film, end - 1, 1, cfg)
        is_short = film.times[last] - film.times[first] <= cfg.flash_s
        is_flash = is_short and _likeness(film, first, last) > cfg.gradual_likeness
        is_inside = start > 0 and end < len(film.times)
        flattest = max(float(film.contrast[start:end].min()), 0.5)
        score = cfg.fade_contrast / flattest if is_inside and not is_flash else 0.0
        found.append(Transition(first, min(end, last), last, CutKind.FADE, score))
    return found


def _slope_end(film: _Film, flat: int, step: int, cfg: CutConfig) -> int:
    """The frame up to which contrast rises from a flat frame, going in steps of `step`."""
    here = flat
    while 0 <= here + step < len(film.times):
        is_rising = (
            film.contrast[here + step] > 1.02 * film.contrast[here] or film.contrast[here] < cfg.fade_contrast
        )
        if not is_rising or abs(film.times[here + step] - film.times[flat]) > cfg.slope_max_s:
            break
        here += step
    return here


def _likeness(film: _Film, first: int, last: int) -> float:
    one, other = film.patterns(np.asarray([first, last]))
    return float(one @ other)


def _dissolves(film: _Film, others: Sequence[Transition], cfg: CutConfig) -> list[Transition]:
    """Stretches over which the picture goes in a straight line from one picture to another."""
    changes = _steps_within(others, len(film.times))
    found: list[Transition] = []
    for length_s in np.geomspace(cfg.dissolve_min_s, cfg.dissolve_max_s, _DISSOLVE_LENGTHS):
        lasts = np.searchsorted(film.times, film.times + length_s)
        firsts = np.flatnonzero(lasts < len(film.times))
        lasts = lasts[firsts]
        is_free = (changes[lasts] == changes[firsts]) & (lasts - firsts >= 4)
        firsts, lasts = firsts[is_free], lasts[is_free]
        for start in range(0, len(firsts), _AT_ONCE):
            ends = firsts[start : start + _AT_ONCE], lasts[start : start + _AT_ONCE]
            for first, last in _hopeful(film, *ends, cfg):
                if dissolve := _dissolve(film, first, last, cfg):
                    found.append(dissolve)
    return _best_apart(found, len(film.times))


def _hopeful(film: _Film, firsts: np.ndarray, lasts: np.ndarray, cfg: CutConfig) -> Iterator[tuple[int, int]]:
    """Of stretches, those whose ends show different pictures."""
    like = np.einsum("tp,tp->t", film.patterns(firsts), film.patterns(lasts))
    change = np.abs(film.thumbnails(firsts) - film.thumbnails(lasts)).mean(axis=1)
    hopeful = (like < cfg.gradual_likeness) & (change >= cfg.dissolve_change)
    return zip(firsts[hopeful].tolist(), lasts[hopeful].tolist(), strict=True)


def _dissolve(film: _Film, first: int, last: int, cfg: CutConfig) -> Transition | None:
    """A stretch as a dissolve, by how straight the way of its thumbnails is and how calm it is around.

    None where it is none: its score would be below 1.
    """
    stretch = film.thumbnails(slice(first, last + 1))
    way = stretch[-1] - stretch[0]
    share = (stretch - stretch[0]) @ way / float(way @ way)
    steps = np.diff(share)
    if steps.min() <= -0.05 or steps.max() >= 0.4:
        return None
    residual = stretch - stretch[0] - share[:, None] * way
    linearity = 1 - float(np.sqrt((residual**2).mean() / (way**2).mean()))
    if linearity < cfg.dissolve_linearity:
        return None
    calm = _speed_around(film, first, last) / (_size(way) / (film.times[last] - film.times[first]))
    score = min(linearity / cfg.dissolve_linearity, cfg.dissolve_calm / max(calm, 1e-6))
    at = first + int(np.argmax(share >= 0.5))
    return Transition(first, at, last, CutKind.DISSOLVE, score) if score >= 1 else None


def _speed_around(film: _Film, first: int, last: int, reach_s: float = 0.2) -> float:
    """Usual luma change a second just before and just after a stretch: the greater of the two."""
    start, end = film.index_at(film.times[first] - reach_s), film.index_at(film.times[last] + reach_s)
    sides = film.speeds[start + 1 : first + 1], film.speeds[last + 1 : end]
    return max((float(np.median(side)) for side in sides if len(side)), default=0.0)


def _size(difference: np.ndarray) -> float:
    return float(np.abs(difference).mean())


def _steps_within(transitions: Sequence[Transition], frames: int) -> np.ndarray:
    """How many of the steps up to each frame, from the one before it, lie in a transition. (T,) int64"""
    within = np.zeros(frames, np.int64)
    for each in transitions:
        within[each.first + 1 : each.last + 1] = 1
    return np.cumsum(within)


def _best_apart(found: Sequence[Transition], frames: int) -> list[Transition]:
    """The best, and of the others those that overlap no better one."""
    kept: list[Transition] = []
    taken = np.zeros(frames, np.bool_)
    for each in sorted(found, key=lambda t: (-t.score, t.first)):
        if not taken[each.first : each.last].any():
            taken[each.first : each.last] = True
            kept.append(each)
    return kept
