"""A storyboard and candidate frames -> the frames that a stretch of a film is shown by."""

import bisect
from collections.abc import Iterator, Sequence

import numpy as np

from reelproof.schemas.footage import FrameRef, Scene, Span, Storyboard
from reelproof.schemas.thinning import thinned


def span_of(scene: Scene) -> Span:
    """From when to when a scene lasts."""
    return Span(start_s=scene.start_s, end_s=scene.end_s)


def inside(frames: Sequence[FrameRef], span: Span) -> Sequence[FrameRef]:
    """Of frames in order of time, those in the span."""
    first, end = (bisect.bisect_left(frames, at, key=_time_s) for at in (span.start_s, span.end_s))
    return frames[first:end]


def _time_s(frame: FrameRef) -> float:
    return frame.time_s


def pick_timeline(candidates: Sequence[FrameRef], span: Span, most: int, every_s: float) -> list[FrameRef]:
    """The frames nearest to the middles of equal stretches. Their number tells only the duration."""
    duration_s = span.end_s - span.start_s
    wanted = max(1, min(most, int(duration_s / every_s)))
    count = min(wanted, len(candidates))
    middles = span.start_s + duration_s * (np.arange(count) + 0.5) / count
    times = np.asarray([frame.time_s for frame in candidates])
    chosen: list[FrameRef] = []
    first = 0
    for place, middle in enumerate(middles):
        end = len(candidates) - (count - place) + 1
        best = first + int(np.abs(times[first:end] - middle).argmin())
        chosen.append(candidates[best])
        first = best + 1
    return chosen


def pick_keyframes(
    storyboard: Storyboard, candidates: Sequence[FrameRef], span: Span, most: int, least: int
) -> list[FrameRef]:
    """The storyboard's frames, one of each scene before a second of any, within the budget.

    Where a scene has more than its share of it, those that are spread over all of the scene.
    """
    scenes = [inside(storyboard.keyframes, span_of(each)) for each in scenes_in(storyboard.scenes, span)]
    shares = _shares([len(frames) for frames in scenes], most)
    chosen = [frame for frames, share in zip(scenes, shares, strict=True) for frame in thinned(frames, share)]
    while len(chosen) < min(least, len(candidates)):
        chosen.append(_farthest(candidates, chosen))
    return sorted(chosen, key=lambda frame: frame.time_s)


def _shares(held: Sequence[int], most: int) -> list[int]:
    """How many of what each holds, one of each before a second of any, so that they are `most` together."""
    shares = [0] * len(held)
    while most > sum(shares) and shares != list(held):
        more = [place for place, count in enumerate(held) if shares[place] < count]
        for place in thinned(more, most - sum(shares)):
            shares[place] += 1
    return shares


def _farthest(candidates: Sequence[FrameRef], chosen: Sequence[FrameRef]) -> FrameRef:
    """The candidate that lies farthest in time from all chosen ones; the earliest of several."""
    taken = {frame.time_s for frame in chosen}
    free = [frame for frame in candidates if frame.time_s not in taken]
    return max(free, key=lambda frame: min((abs(frame.time_s - c.time_s) for c in chosen), default=0.0))


def scenes_in(scenes: Sequence[Scene], span: Span) -> Iterator[Scene]:
    """Of scenes in order of time, those that the span touches, cut off at its ends."""
    for scene in scenes[bisect.bisect_right(scenes, span.start_s, key=_end_s) :]:
        if scene.start_s >= span.end_s:
            return
        start_s, end_s = max(scene.start_s, span.start_s), min(scene.end_s, span.end_s)
        if start_s < end_s:
            yield scene.model_copy(update={"start_s": start_s, "end_s": end_s})


def _end_s(scene: Scene) -> float:
    return scene.end_s
