"""Footage -> storyboards: cuts from stored signals, scenes between them, keyframes among the candidates."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detectors import AdaptiveDetector

from schemas.footage import CutKind, Footage, FrameRef, FrameSignals, Keyframe, Scene, Span, Storyboard

VERSION = 1

_THUMBNAIL_SHAPE = 9, 16


class StoryboardConfig(BaseModel):
    """Where a scene begins, and how many frames stand for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adaptive_ratio: float = Field(default=3.0, ge=1, le=100)
    """A cut's content value is at least this many times that of the frames around it."""
    adaptive_content: float = Field(default=15.0, ge=1, le=255)
    """… and at least this."""
    histogram_change: float = Field(default=0.2, ge=0.01, le=2)
    """A luma histogram that changes by this much is a cut as well."""
    flash_s: float = Field(default=0.3, ge=0, le=5)
    """A change that is undone within this time is a flash, not a cut."""
    dissolve_min_s: float = Field(default=0.3, gt=0, le=10)
    """Shortest gradual transition looked for."""
    dissolve_max_s: float = Field(default=2.0, gt=0, le=10)
    """Longest gradual transition looked for."""
    dissolve_linearity: float = Field(default=0.8, ge=0, le=1)
    """How closely the frames of a dissolve lie on the line from its first to its last: 1 is exactly."""
    dissolve_change: float = Field(default=12.0, ge=1, le=255)
    """Mean luma difference between a dissolve's first and last frame."""
    fade_contrast: float = Field(default=8.0, ge=0, le=128)
    """A frame of less contrast is flat: black, white or one colour."""
    min_scene_s: float = Field(default=0.5, ge=0, le=60)
    """Of two cuts nearer than this the stronger stays."""
    keyframe_every_s: float = Field(default=4.0, gt=0, le=600)
    """A scene has one keyframe for each stretch of this length."""
    max_keyframes: int = Field(default=8, ge=1, le=256)
    """… and no more than this many."""
    cut_distance_s: float = Field(default=0.2, ge=0, le=5)
    """Keyframes keep this far from cuts where the scene has other frames."""
    duplicate_bits: int = Field(default=6, ge=0, le=64)
    """Two keyframes of a scene whose perceptual hashes differ in no more bits are duplicates."""


class Transition(NamedTuple):
    """A change of scene over the frames [first, last] of the signals: `last` shows the new scene."""

    first: int
    last: int
    kind: CutKind
    score: float
    """1 is the threshold."""


def cut_scenes(footage: Iterable[Footage], cfg: StoryboardConfig) -> Iterator[Storyboard]:
    """One storyboard per footage, with no decode. Scenes cover [0, duration_s) without gaps."""
    for each in footage:
        transitions = find_transitions(each.signals, cfg)
        scenes = tuple(_scenes(each, transitions))
        times = frame_times(each.signals)
        unclear = [Span(start_s=times[t.first], end_s=times[t.last]) for t in transitions]
        keyframes = [frame for scene in scenes for frame in _keyframes(scene, each.candidates, unclear, cfg)]
        yield Storyboard(video_id=each.video.video_id, scenes=scenes, keyframes=tuple(keyframes))


def find_transitions(signals: FrameSignals, cfg: StoryboardConfig) -> list[Transition]:
    """Cuts, fades and dissolves in order of time; none within `min_scene_s` of another."""
    thumbnails = np.frombuffer(signals.signature, np.uint8).reshape(-1, *_THUMBNAIL_SHAPE).astype(np.float32)
    fades = _fades(signals, cfg)
    cuts = [cut for cut in _hard_cuts(signals, cfg) if not _is_flash(cut, signals, thumbnails, cfg)]
    dissolves = _dissolves(signals, thumbnails, cfg)
    found = [*fades, *_apart_from(cuts, fades)]
    found = [*found, *_apart_from(dissolves, found)]
    return _spaced(found, frame_times(signals), cfg.min_scene_s)


def frame_times(signals: FrameSignals) -> np.ndarray:
    """The frames' times in seconds, the very numbers that candidates bear. (T,) float64"""
    return np.round(signals.time_s.astype(np.float64), 3)


class _StoredContentDetector(AdaptiveDetector):  # type: ignore[misc]  # scenedetect ships no types
    """PySceneDetect's adaptive detector over content values that an earlier pass stored."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: Any) -> float:  # noqa: ARG002
        return float(frame_img)


def _hard_cuts(signals: FrameSignals, cfg: StoryboardConfig) -> list[Transition]:
    detector = _StoredContentDetector(
        adaptive_threshold=cfg.adaptive_ratio, min_content_val=cfg.adaptive_content, min_scene_len=0
    )
    microsecond = Fraction(1, 1_000_000)
    index_of = {round(float(time) * 1e6): i for i, time in enumerate(frame_times(signals))}
    found: dict[int, float] = {}
    for pts, value in zip(index_of, signals.content, strict=True):
        now = FrameTimecode(Timecode(pts, microsecond), fps=25.0)
        for cut in detector.process_frame(now, value):
            index = index_of[cut.pts]
            found[index] = float(signals.content[index]) / cfg.adaptive_content
    for index in np.flatnonzero(signals.histogram >= cfg.histogram_change).tolist():
        score = float(signals.histogram[index]) / cfg.histogram_change
        found[index] = max(found.get(index, 0.0), score)
    return [Transition(max(i - 1, 0), i, CutKind.CUT, score) for i, score in sorted(found.items()) if i > 0]


def _is_flash(cut: Transition, signals: FrameSignals, thumbnails: np.ndarray, cfg: StoryboardConfig) -> bool:
    """Whether the picture before the change is back soon after it."""
    times = frame_times(signals)
    before, changed = thumbnails[cut.last - 1], thumbnails[cut.last]
    after = range(cut.last + 1, int(np.searchsorted(times, times[cut.last] + cfg.flash_s, "right")))
    change = float(np.abs(changed - before).mean())
    return any(float(np.abs(thumbnails[i] - before).mean()) < 0.3 * change for i in after)


def _fades(signals: FrameSignals, cfg: StoryboardConfig) -> list[Transition]:
    """Runs of flat frames between two pictures: the new scene begins in the middle of the run."""
    flat = np.concatenate([[False], signals.contrast < cfg.fade_contrast, [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs = zip(edges[::2], edges[1::2], strict=True)
    inside = [(int(a), int(b)) for a, b in runs if a > 0 and b < len(signals.contrast)]
    return [Transition(a, (a + b) // 2, CutKind.FADE, 1.0 + (b - a) / 10) for a, b in inside]


def _dissolves(signals: FrameSignals, thumbnails: np.ndarray, cfg: StoryboardConfig) -> list[Transition]:
    """Stretches over which the picture goes in a straight line from one picture to another."""
    times = frame_times(signals)
    found: list[Transition] = []
    for length_s in np.geomspace(cfg.dissolve_min_s, cfg.dissolve_max_s, 5):
        lasts = np.searchsorted(times, times + length_s)
        for first in np.flatnonzero(lasts < len(times)):
            last = int(lasts[first])
            if last - first < 4:
                continue
            score = _dissolve_score(thumbnails[first : last + 1], cfg)
            if score >= 1:
                found.append(Transition(int(first), last, CutKind.DISSOLVE, score))
    return _best_apart(found)


def _dissolve_score(stretch: np.ndarray, cfg: StoryboardConfig) -> float:
    """Linearity and size of the change over a stretch of thumbnails (T, 9, 16), 1 at both thresholds."""
    flat = stretch.reshape(len(stretch), -1)
    step = flat[-1] - flat[0]
    change = float(np.abs(step).mean())
    if change < cfg.dissolve_change:
        return 0.0
    share = (flat - flat[0]) @ step / float(step @ step)
    residual = flat[0] + share[:, None] * step - flat
    linearity = 1 - float(np.sqrt((residual**2).mean() / (step**2).mean()))
    rises = bool((np.diff(share) > -0.02).all()) and float(np.diff(share).max()) < 0.35
    first, last = flat[0] - flat[0].mean(), flat[-1] - flat[-1].mean()
    likeness = float(first @ last) / (float(np.linalg.norm(first) * np.linalg.norm(last)) + 1e-6)
    return linearity / cfg.dissolve_linearity if rises and likeness < 0.8 else 0.0


def _apart_from(candidates: Sequence[Transition], stronger: Sequence[Transition]) -> list[Transition]:
    """Those that share no frame with any of `stronger`."""
    return [c for c in candidates if all(c.last < s.first or s.last < c.first for s in stronger)]


def _best_apart(found: list[Transition]) -> list[Transition]:
    kept: list[Transition] = []
    for each in sorted(found, key=lambda t: (-t.score, t.first)):
        if not _apart_from([each], kept):
            continue
        kept.append(each)
    return kept


def _spaced(found: list[Transition], times: np.ndarray, min_scene_s: float) -> list[Transition]:
    """In order of time; of two nearer than `min_scene_s`, and of one that near to an end, the stronger."""
    kept: list[Transition] = []
    for each in sorted(found, key=lambda t: (-t.score, t.last)):
        time = _boundary_s(each, times)
        near = [0.0, float(times[-1]), *(_boundary_s(other, times) for other in kept)]
        if all(abs(time - other) >= min_scene_s for other in near):
            kept.append(each)
    return sorted(kept, key=lambda t: t.last)


def _boundary_s(transition: Transition, times: np.ndarray) -> float:
    if transition.kind is CutKind.DISSOLVE:
        return float(times[(transition.first + transition.last) // 2])
    return float(times[transition.last])


def _scenes(footage: Footage, transitions: list[Transition]) -> Iterator[Scene]:
    """Scenes from cut to cut; a cut that would leave a scene without a candidate frame is passed over."""
    times = frame_times(footage.signals)
    candidate_s = np.asarray([each.frame.time_s for each in footage.candidates])
    starts, kinds, scores = [0.0], [CutKind.START], [0.0]
    for each in transitions:
        time = _boundary_s(each, times)
        inside = (candidate_s >= starts[-1]) & (candidate_s < time)
        if inside.any() and (candidate_s >= time).any():
            starts.append(time)
            kinds.append(each.kind)
            scores.append(each.score)
    ends = [*starts[1:], footage.duration_s]
    for index, (start_s, end_s) in enumerate(zip(starts, ends, strict=True)):
        yield Scene(
            scene_id=f"{footage.video.video_id}/{index:04d}",
            video_id=footage.video.video_id,
            start_s=start_s,
            end_s=end_s,
            cut_kind=kinds[index],
            cut_score=scores[index],
        )


def _keyframes(
    scene: Scene, candidates: Sequence[Keyframe], unclear: Sequence[Span], cfg: StoryboardConfig
) -> list[FrameRef]:
    """The best frame of each of the scene's equal stretches, without duplicates; at least one."""
    inside = [each for each in candidates if scene.start_s <= each.frame.time_s < scene.end_s]
    good = [each for each in inside if _is_clear(each, scene, unclear, cfg)] or inside
    count = min(cfg.max_keyframes, max(1, round((scene.end_s - scene.start_s) / cfg.keyframe_every_s)))
    edges = np.linspace(scene.start_s, scene.end_s, count + 1)
    chosen: list[Keyframe] = []
    for start_s, end_s in pairwise(edges):
        stretch = [each for each in good if start_s <= each.frame.time_s < end_s]
        best = max(stretch, key=lambda each: (each.sharpness, -each.frame.time_s), default=None)
        if best and all(hash_distance(best.frame, other.frame) > cfg.duplicate_bits for other in chosen):
            chosen.append(best)
    if not chosen:
        chosen = [max(good, key=lambda each: each.sharpness)]
    return [each.frame for each in chosen]


def _is_clear(keyframe: Keyframe, scene: Scene, unclear: Sequence[Span], cfg: StoryboardConfig) -> bool:
    """Whether a frame is lit, away from cuts, and in no transition."""
    time_s = keyframe.frame.time_s
    is_away = scene.start_s == 0 or time_s - scene.start_s >= cfg.cut_distance_s
    in_transition = any(span.start_s < time_s < span.end_s for span in unclear)
    return keyframe.luminance > 24 and is_away and not in_transition


def hash_distance(a: FrameRef, b: FrameRef) -> int:
    """Bits in which two frames' perceptual hashes differ, 0 … 64."""
    return (int(a.phash, 16) ^ int(b.phash, 16)).bit_count()
