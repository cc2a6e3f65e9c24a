"""A film's signals and scenes -> its moments, each with what it is worth: lively, unlike others, sharp."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from pydantic import Field

from reelproof.schemas.footage import Footage, Scene, Span, Storyboard
from reelproof.schemas.highlights import Moment
from reelproof.schemas.settings import Settings
from reelproof.stages.footage.cuts import frame_times

_FLAT, _DARK = 8.0, 20.0
"""Contrast below which a frame is of one colour, and luma below which it is dark; half of what the film
itself reaches, where that is less: a dim film is seen as well."""
_SEEN = 0.5
"""Contrast below which nothing is seen in any film."""
_NEAREST_SHARE = 1 / 3
"""Of the other moments, those that a moment is most like."""
_DIVIDED_S = 4.0
_SHIFT = 0.25
"""A border within a scene is moved by so much of a part's length at most, to where the picture is calm."""


class ScoreConfig(Settings):
    """What makes a moment worth showing, and how long one may be."""

    motion: float = Field(default=0.5, ge=0, le=1)
    """The weight of motion."""
    novelty: float = Field(default=0.3, ge=0, le=1)
    """The weight of looking unlike the film's other moments."""
    sharpness: float = Field(default=0.2, ge=0, le=1)
    """The weight of sharpness."""
    opinion: float = Field(default=1.0, ge=0, le=10)
    """The weight of what a model says, where one is asked."""
    shortest_s: float = Field(default=1.0, ge=0, le=60)
    """A moment that is shorter is worth less, in proportion: it would be a flicker."""
    longest_share: float = Field(default=0.25, gt=0, le=1)
    """A scene longer than this share of the budget, and than four seconds, is divided where it is calm."""
    likeness: float = Field(default=0.9, ge=0, le=1)
    """Moments whose mean pictures correlate more than this look alike."""
    again: float = Field(default=0.7, gt=0, le=1)
    """Of moments that look alike, each further one in the reel is worth so many times the one before."""


def find_moments(footage: Footage, board: Storyboard, budget_s: float, cfg: ScoreConfig) -> list[Moment]:
    """Every sound stretch of every scene, in order of time; too long ones are divided."""
    longest_s = min(budget_s / (1 + 2 * _SHIFT), max(_DIVIDED_S, cfg.longest_share * budget_s))
    times = frame_times(footage.signals)
    parts = [part for part in _parts(footage, board, times, longest_s) if part.end > part.first]
    if not parts:
        return []
    signals = footage.signals
    motion = _spread([_mean(np.log(signals.motion[p.first + 1 : p.end] + 0.05)) for p in parts])
    sharpness = _spread([_mean(np.log1p(signals.sharpness[p.first : p.end])) for p in parts])
    pictures = _mean_pictures(signals.signature, parts)
    novelty = _spread(_novelty(pictures))
    looks = _looks(pictures, cfg.likeness)
    is_shown = _reaches(signals.contrast, _FLAT, _SEEN) & _reaches(signals.luminance, _DARK, 0.0)
    found = []
    for place, part in enumerate(parts):
        visible = _mean(is_shown[part.first : part.end])
        moment = Moment(
            scene=part.scene,
            start_s=part.start_s,
            end_s=part.end_s,
            is_from_cut=part.is_from_cut,
            is_to_cut=part.is_to_cut,
            motion=motion[place],
            novelty=novelty[place],
            sharpness=sharpness[place],
            visible=round(visible, 4),
            look=looks[place],
            score=0.0,
        )
        found.append(scored(moment, cfg))
    return found


def scored(moment: Moment, cfg: ScoreConfig) -> Moment:
    """The moment with its score: the weighted mean of what it measures and of what was said of it."""
    parts = [
        (cfg.motion, moment.motion),
        (cfg.novelty, moment.novelty),
        (cfg.sharpness, moment.sharpness),
    ]
    if moment.opinion is not None:
        parts.append((cfg.opinion, moment.opinion.belief if moment.opinion.is_borne_out else 0.0))
    whole = sum(weight for weight, _ in parts)
    mean = sum(weight * value for weight, value in parts) / whole if whole else 0.5
    shown = moment.visible if moment.visible >= 0.5 else 0.0
    brief = min(1.0, moment.length_s / cfg.shortest_s) if cfg.shortest_s else 1.0
    return moment.model_copy(update={"score": round(min(1.0, max(mean, 0.01)) * shown * brief, 4)})


class _Part(NamedTuple):
    """A stretch of a scene, and the frames [first, end) of the signals that are in it."""

    scene: int
    start_s: float
    end_s: float
    is_from_cut: bool
    is_to_cut: bool
    first: int
    end: int


def _parts(footage: Footage, board: Storyboard, times: np.ndarray, longest_s: float) -> Iterator[_Part]:
    for number, scene in enumerate(board.scenes):
        for span in _sound(scene, footage.damaged, times):
            for start_s, end_s in pairwise(_borders(span, times, footage.signals.motion, longest_s)):
                first, end = np.searchsorted(times, [start_s, end_s]).tolist()
                is_from_cut, is_to_cut = start_s == scene.start_s, end_s == scene.end_s
                yield _Part(number, start_s, end_s, is_from_cut, is_to_cut, first, end)


def _sound(scene: Scene, damaged: Sequence[Span], times: np.ndarray) -> Iterator[Span]:
    """What of a scene is not damaged; it begins with a frame."""
    start_s = scene.start_s
    for each in sorted(damaged, key=lambda span: span.start_s):
        if each.start_s >= scene.end_s or each.end_s <= start_s:
            continue
        if each.start_s > start_s:
            yield Span(start_s=start_s, end_s=each.start_s)
        after = int(np.searchsorted(times, each.end_s))
        start_s = float(times[after]) if after < len(times) else scene.end_s
    if start_s < scene.end_s:
        yield Span(start_s=start_s, end_s=scene.end_s)


def _borders(span: Span, times: np.ndarray, motion: np.ndarray, longest_s: float) -> list[float]:
    """Its start, its end, and in between the calmest frames near those that would divide it evenly."""
    length_s = span.end_s - span.start_s
    count = int(np.ceil(length_s / longest_s - 1e-6))
    borders = [span.start_s]
    for place in range(1, count):
        middle_s = span.start_s + length_s * place / count
        reach_s = _SHIFT * length_s / count
        first, end = np.searchsorted(times, [middle_s - reach_s, middle_s + reach_s]).tolist()
        if end > first:
            borders.append(float(times[first + int(np.argmin(motion[first:end]))]))
    return [*borders, span.end_s]


def _reaches(values: np.ndarray, usual: float, least: float) -> np.ndarray:
    """Which frames reach the usual threshold, or that of a film whose frames mostly do not. (T,) bool"""
    reached: np.ndarray = values >= max(least, min(usual, float(np.quantile(values, 0.9)) / 2))
    return reached


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _spread(values: Sequence[float]) -> list[float]:
    """The least becomes 0, the greatest 1; where all are the same, each becomes 0.5."""
    low, high = min(values), max(values)
    if high - low < 1e-6:
        return [0.5] * len(values)
    return [round((value - low) / (high - low), 4) for value in values]


def _mean_pictures(signature: bytes, parts: Sequence[_Part]) -> np.ndarray:
    """(parts, 144) float32, 0 … 255"""
    thumbnails = np.frombuffer(signature, np.uint8).reshape(-1, 144)
    return np.stack([thumbnails[part.first : part.end].mean(axis=0, dtype=np.float32) for part in parts])


def _novelty(pictures: np.ndarray) -> list[float]:
    """Mean luma difference to the third of the others that are nearest; 0 where there is no other."""
    nearest = max(1, round((len(pictures) - 1) * _NEAREST_SHARE))
    found = []
    for place, picture in enumerate(pictures):
        apart = np.sort(np.abs(np.delete(pictures, place, axis=0) - picture).mean(axis=1))
        found.append(_mean(apart[:nearest]))
    return found


def _looks(pictures: np.ndarray, likeness: float) -> list[int]:
    """A number for each picture: that of the first earlier one that it is like, else a new one."""
    centred = pictures - pictures.mean(axis=1, keepdims=True)
    patterns = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-3)
    numbers: list[int] = []
    for place, pattern in enumerate(patterns):
        alike = np.flatnonzero(patterns[:place] @ pattern > likeness)
        numbers.append(numbers[alike[0]] if len(alike) else max(numbers, default=-1) + 1)
    return numbers
