"""Timelines -> the frames that a computed question shows: some of them, or foreign ones in their place."""

import itertools
import random
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from reelproof.schemas.footage import Clip, FrameRef, hash_distance
from reelproof.schemas.question import ShownFrame, frames_in_place_of

T = TypeVar("T")

_TRIES = 64
_COPY_BITS = 12
"""A moment encoded twice, cropped, or seen by one fixed camera differs in 0 … 12, others in 16 or more."""
_FLAT_BITS = 6
"""A hash with fewer bits set, or fewer unset, is of a flat picture and tells nothing."""


def spread(frames: Sequence[T], count: int, rng: random.Random) -> list[T] | None:
    """One frame, or place, drawn from each of so many equal stretches; None where there are fewer frames."""
    if not count or len(frames) < count:
        return None
    edges = [i * len(frames) // count for i in range(count + 1)]
    return [frames[rng.randrange(a, b)] for a, b in itertools.pairwise(edges)]


def all_differ(frames: Sequence[FrameRef], bits: int) -> bool:
    """Whether any two frames' perceptual hashes differ in so many bits or more."""
    return all(hash_distance(a, b) >= bits for a, b in itertools.combinations(frames, 2))


def are_told_apart(frames: Sequence[FrameRef], places: Iterable[int]) -> bool:
    """Whether each of these places has a time of its own, as times are printed: two may both be `3.0 s`."""
    printed = Counter(f"{frame.time_s:.1f}" for frame in frames)
    return all(printed[f"{frames[place].time_s:.1f}"] == 1 for place in places)


def scenes_shown(clip: Clip) -> list[int]:
    """Of each frame of the timeline, the place of its scene among the clip's."""
    starts_s = [scene.start_s for scene in clip.scenes]
    return [max(0, bisect_right(starts_s, frame.time_s) - 1) for frame in clip.timeline]


def look_broken_into(frames: Sequence[FrameRef], shots: Sequence[int], bits: int) -> bool:
    """Whether a shot comes back after another that is unlike it by so many bits, as around what is foreign.

    Args:
        frames: In their order.
        shots: Of each frame, the number of its shot.
        bits: From which two frames are unlike.
    """
    hashes = np.array([int(frame.phash, 16) for frame in frames], np.uint64)
    apart, shot = np.bitwise_count(hashes[:, None] ^ hashes), np.asarray(shots)
    alike, unlike = apart < bits, (apart >= bits) & (shot[:, None] != shot)
    return any(
        bool((alike[:at, at + 1 :] & np.outer(unlike[:at, at], unlike[at, at + 1 :])).any())
        for at in range(1, len(frames) - 1)
    )


def foreign_run(
    own: Sequence[FrameRef],
    others: Sequence[Sequence[FrameRef]],
    length: int,
    bits: int,
    rng: random.Random,
) -> list[FrameRef] | None:
    """Consecutive frames of one of the other timelines, drawn at random; None where none was found that fits.

    They have the size of the clip's own, for another shape would tell itself, and their perceptual hashes
    differ from those of all its frames in `bits` or more: they are no copy of it. None is flat: a black frame
    may be of either film.
    """
    long_enough = [each for each in others if len(each) >= length and _have_one_size((*own, *each))]
    for _ in range(_TRIES if long_enough else 0):
        frames = rng.choice(long_enough)
        first = rng.randint(0, len(frames) - length)
        run = frames[first : first + length]
        if all(not a.is_flat and hash_distance(a, b) >= bits for a in run for b in own):
            return list(run)
    return None


def films_alike(part: Iterable[Clip]) -> Mapping[str, Collection[str]]:
    """Video ids -> those of the videos that show some of the same footage, each film itself among them.

    A copy, an excerpt or the same fixed camera's next hour is no other film: what comes from there, also from
    a moment that a clip does not show, is not foreign to it. Flat frames, such as black ones, tell nothing.
    """
    frames: dict[str, list[FrameRef]] = defaultdict(list)
    for clip in part:
        frames[clip.video_id] += clip.timeline
    looks = {video_id: _looks(shown) for video_id, shown in frames.items()}
    alike = {video_id: {video_id} for video_id in looks}
    for one, other in itertools.combinations(looks, 2):
        if (np.bitwise_count(looks[one][:, None] ^ looks[other]) <= _COPY_BITS).any():
            alike[one].add(other)
            alike[other].add(one)
    return alike


def _looks(frames: Iterable[FrameRef]) -> npt.NDArray[np.uint64]:
    """The distinct hashes of frames that are not flat, as numbers."""
    distinct = {int(frame.phash, 16) for frame in frames}
    told = [each for each in distinct if _FLAT_BITS <= each.bit_count() <= 64 - _FLAT_BITS]
    return np.array(told, np.uint64)


def replaced(own: Sequence[FrameRef], first: int, foreign: Sequence[FrameRef]) -> tuple[ShownFrame, ...]:
    """The timeline with foreign frames from `first` on, under the times of those that they replace."""
    return frames_in_place_of(own, [*own[:first], *foreign, *own[first + len(foreign) :]])


def _have_one_size(frames: Sequence[FrameRef]) -> bool:
    return len({(frame.width, frame.height) for frame in frames}) == 1
