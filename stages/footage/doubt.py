"""Footage whose signals leave doubt -> the changes of scene that a network sees there."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
from pydantic import Field

from reelproof.schemas.footage import Footage
from reelproof.schemas.settings import Settings
from reelproof.schemas.transition import SeenTransition
from reelproof.stages.footage.cuts import CutConfig, doubtful_frames, find_transitions

VERSION = 1

HEIGHT_PX, WIDTH_PX = 27, 48
_AT_ONCE, _AROUND = 50, 25
"""Frames that are told at a time, and how many more are shown on both sides: as the network was trained.

With 12 or 16 on both sides a third or a quarter less is looked at, and the slow fade-in that Big Buck Bunny
begins with is taken for a cut.
"""
_DIGITS = 3


class TransitionConfig(Settings):
    """What a network has to see where the signals leave doubt.

    They do where one picture gives way to another within a second, and no cut, fade or dissolve tells how.
    """

    threshold: float = Field(default=0.3, gt=0, lt=1)
    """A change of scene is where the network's probability reaches this."""


class Network(Protocol):
    """What looks at the small pictures of a film for changes of scene."""

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """That a change of scene is at each frame. (T, 27, 48, 3) uint8 RGB -> (T,) float32"""
        ...


def see_transitions(
    footage: Footage, pictures: Iterable[bytes], network: Network, cfg: TransitionConfig, cuts: CutConfig
) -> Iterator[SeenTransition]:
    """What the network sees and the signals tell none of, in order. Only doubtful stretches are looked at.

    `pictures` are those that the scan kept (`FrameSignals.pictures`), in pieces that follow each other.
    """
    found = find_transitions(footage.signals, cuts)
    doubtful = doubtful_frames(footage.signals, found, cuts)
    likely = _looked_at(doubtful, _Pictures(pictures), network)
    told = np.zeros(len(doubtful), np.bool_)
    for each in found:
        told[each.first : each.last + 1] = True
    for start, end in _runs(likely >= cfg.threshold):
        first, last = max(start - 1, 0), min(end, len(likely) - 1)
        peak = start + int(np.argmax(likely[start:end]))
        if not told[first : last + 1].any() and peak < len(likely) - 1:
            yield SeenTransition(
                video_id=footage.video.video_id,
                first=first,
                at=peak + 1,
                last=max(last, peak + 1),
                score=round(float(likely[peak]) / cfg.threshold, _DIGITS),
            )


def _looked_at(doubtful: np.ndarray, pictures: "_Pictures", network: Network) -> np.ndarray:
    """The network's probabilities, 0 where nobody is in doubt. (T,) float32"""
    likely = np.zeros(len(doubtful), np.float32)
    for start, end in _runs(doubtful):
        for at in range(start, end, _AT_ONCE):
            to = min(at + _AT_ONCE, end)
            around = np.clip(np.arange(at - _AROUND, to + _AROUND), 0, len(doubtful) - 1)
            seen = network.probabilities(pictures.rgb(around))
            likely[at:to] = seen[_AROUND : _AROUND + to - at]
    return likely


def _runs(which: np.ndarray) -> list[tuple[int, int]]:
    """Half-open runs of frames for which it holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


class _Pictures:
    """A film's pictures, of which no more is held than is still to be shown."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._first = 0
        self._held = np.zeros((0, HEIGHT_PX, WIDTH_PX, 3), np.uint8)

    def rgb(self, frames: np.ndarray) -> np.ndarray:
        """Of these frames, in order, none before the first of the call before. (T, 27, 48, 3) uint8 RGB"""
        self._let_go(int(frames[0]))
        while self._first + len(self._held) <= frames[-1]:
            piece = np.frombuffer(next(self._pieces), np.uint8).reshape(-1, HEIGHT_PX, WIDTH_PX, 3)
            self._held = np.concatenate([self._held, piece])
            self._let_go(int(frames[0]))
        shown: Sequence[np.ndarray] = self._held[frames - self._first]
        return np.stack([cv2.cvtColor(each, cv2.COLOR_YCrCb2RGB) for each in shown])

    def _let_go(self, before: int) -> None:
        past = min(max(before - self._first, 0), len(self._held))
        self._held = self._held[past:]
        self._first += past
