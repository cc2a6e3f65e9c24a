"""Footage -> storyboards: cuts from stored signals, scenes between them, keyframes among the candidates."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import groupby, pairwise

import numpy as np
from pydantic import Field

from reelproof.schemas.footage import (
    CutKind,
    Footage,
    FrameRef,
    Keyframe,
    Scene,
    Storyboard,
    hash_distance,
    is_within,
)
from reelproof.schemas.transition import SeenTransition
from reelproof.stages.footage.cuts import CutConfig, Transition, find_transitions, frame_times

VERSION = 2


class StoryboardConfig(CutConfig):
    """Where a scene begins, and how many frames stand for it."""

    min_scene_s: float = Field(default=0.5, ge=0, le=60)
    """Where two cuts lie nearer to each other than this, the stronger one stays."""
    keyframe_every_s: float = Field(default=4.0, gt=0, le=600)
    """A scene has one keyframe for each stretch of this length."""
    max_keyframes: int = Field(default=8, ge=1, le=256)
    """No scene has more keyframes than this."""
    cut_distance_s: float = Field(default=0.2, ge=0, le=5)
    """Keyframes keep this far from cuts where the scene has other frames."""
    dark_luminance: float = Field(default=24.0, ge=0, le=255)
    """Darker frames are keyframes only where the scene has no other."""
    duplicate_bits: int = Field(default=6, ge=0, le=64)
    """Two keyframes of a scene whose perceptual hashes differ in no more bits are duplicates."""

    @property
    def cuts(self) -> CutConfig:
        """What of this says where changes of scene are."""
        return CutConfig(**{name: getattr(self, name) for name in CutConfig.model_fields})


def cut_scenes(
    footage: Iterable[Footage], cfg: StoryboardConfig, seen: Iterable[SeenTransition] = ()
) -> Iterator[Storyboard]:
    """One storyboard per footage, with no decode. Scenes cover [0, duration_s) without gaps.

    `seen` are the changes of scene that a network saw in these films.
    """
    by_network = sorted(seen, key=lambda each: each.video_id)
    of_film = {video: [*some] for video, some in groupby(by_network, lambda each: each.video_id)}
    for each in footage:
        times = frame_times(each.signals)
        found = find_transitions(each.signals, cfg)
        found += [
            Transition(one.first, one.at, one.last, CutKind.NETWORK, one.score)
            for one in of_film.get(each.video.video_id, [])
        ]
        transitions = [t for t in found if not is_within(float(times[t.at]), each.damaged)]
        scenes = tuple(_scenes(each, _spaced(transitions, times, cfg.min_scene_s), times))
        unclear = _times_in_transition(each.candidates, transitions, times)
        keyframes = [frame for scene in scenes for frame in _keyframes(scene, each.candidates, unclear, cfg)]
        yield Storyboard(video_id=each.video.video_id, scenes=scenes, keyframes=tuple(keyframes))


def _spaced(found: Sequence[Transition], times: np.ndarray, min_scene_s: float) -> list[Transition]:
    """In order of time; of two nearer than `min_scene_s` the stronger, and none that near to an end."""
    kept: list[Transition] = []
    taken_s = [0.0, float(times[-1])]
    for each in sorted(found, key=lambda t: (-t.score, t.at)):
        time_s = float(times[each.at])
        place = bisect_left(taken_s, time_s)
        if all(abs(time_s - other) >= min_scene_s for other in taken_s[max(place - 1, 0) : place + 1]):
            taken_s.insert(place, time_s)
            kept.append(each)
    return sorted(kept, key=lambda t: t.at)


def _scenes(footage: Footage, transitions: Sequence[Transition], times: np.ndarray) -> Iterator[Scene]:
    """Scenes from cut to cut; a cut that would leave a scene without a candidate frame is passed over."""
    candidate_s = np.asarray([each.frame.time_s for each in footage.candidates])
    starts = [Transition(0, 0, 0, CutKind.START, 0.0)]
    for each in transitions:
        first, end = np.searchsorted(candidate_s, [times[starts[-1].at], times[each.at]])
        if first < end < len(candidate_s):
            starts.append(each)
    ends_s = [*(float(times[start.at]) for start in starts[1:]), footage.duration_s]
    for index, (start, end_s) in enumerate(zip(starts, ends_s, strict=True)):
        yield Scene(
            scene_id=f"{footage.video.video_id}/{index:04d}",
            video_id=footage.video.video_id,
            start_s=float(times[start.at]),
            end_s=end_s,
            cut_kind=start.kind,
            cut_score=start.score,
        )


def _times_in_transition(
    candidates: Sequence[Keyframe], transitions: Sequence[Transition], times: np.ndarray
) -> Set[float]:
    """When the candidates are that lie between the ends of one of the transitions, which are in order."""
    if not transitions:
        return frozenset()
    starts_s = times[[each.first for each in transitions]]
    latest_s = np.maximum.accumulate(times[[each.last for each in transitions]])
    times_s = np.asarray([each.frame.time_s for each in candidates])
    begun = np.searchsorted(starts_s, times_s)  # so many begin before each
    return frozenset(times_s[(begun > 0) & (times_s < latest_s[begun - 1])].tolist())


def _keyframes(
    scene: Scene, candidates: Sequence[Keyframe], unclear: Set[float], cfg: StoryboardConfig
) -> list[FrameRef]:
    """The sharpest frame of each of the scene's equal stretches, without duplicates; at least one."""
    first, end = (bisect_left(candidates, at, key=_time_s) for at in (scene.start_s, scene.end_s))
    inside = candidates[first:end]
    good = [each for each in inside if _is_clear(each, scene, unclear, cfg)] or inside
    count = min(cfg.max_keyframes, max(1, round((scene.end_s - scene.start_s) / cfg.keyframe_every_s)))
    edges = np.linspace(scene.start_s, scene.end_s, count + 1).tolist()
    chosen: list[Keyframe] = []
    for start_s, end_s in pairwise(edges):
        stretch = [each for each in good if start_s <= each.frame.time_s < end_s]
        best = max(stretch, key=lambda each: (each.sharpness, -each.frame.time_s), default=None)
        if best and all(hash_distance(best.frame, other.frame) > cfg.duplicate_bits for other in chosen):
            chosen.append(best)
    if not chosen:
        chosen = [max(good, key=lambda each: (each.sharpness, -each.frame.time_s))]
    return [each.frame for each in chosen]


def _time_s(keyframe: Keyframe) -> float:
    return keyframe.frame.time_s


def _is_clear(keyframe: Keyframe, scene: Scene, unclear: Set[float], cfg: StoryboardConfig) -> bool:
    """Whether a frame is lit, away from cuts, and in no transition."""
    time_s = keyframe.frame.time_s
    is_away = scene.start_s == 0 or time_s - scene.start_s >= cfg.cut_distance_s
    return keyframe.luminance > cfg.dark_luminance and is_away and time_s not in unclear
