"""Cited frames -> the frames that a claim is held against: those that can tell it from a claim true of any
frame.

What a control must differ in follows from what a claim cites. One that cites a *moment* or a *stretch*
speaks of what is seen there: its controls look unlike it. One that cites several moments speaks of a
*change* from one to the other: the frames of its controls are more, or less, alike each other than the
cited ones are. Where no other frames differ so, no control can test the claim, and none is put.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.statements import timed
from reelproof.schemas.footage import Clip, FrameRef, Span, hash_distance
from reelproof.schemas.question import ShownFrame
from reelproof.schemas.trace import Case, ClaimKind, ControlKind

_DRAWN = 24
"""Sets of other frames that are looked at beside those that lie like the cited ones."""


class Control(NamedTuple):
    """Frames that stand in for the cited ones, under their times."""

    frames: tuple[ShownFrame, ...]
    kind: ControlKind


class Shot(NamedTuple):
    """A clip of a video."""

    video_id: str
    clip_id: str


PicturesOfClips = Mapping[Shot, Sequence[FrameRef]]


class _Candidate(NamedTuple):
    difference: float
    frames: tuple[FrameRef, ...]
    kind: ControlKind


def claim_kind(cited: Sequence[Span], places: Sequence[int]) -> ClaimKind:
    """Of a claim that cites these times, for which the shown frames at these places stand."""
    if len(places) == 1:
        return ClaimKind.MOMENT
    return ClaimKind.STRETCH if any(span.end_s > span.start_s for span in cited) else ClaimKind.CHANGE


def pictures_of_clips(cases: Sequence[Case]) -> dict[Shot, list[FrameRef]]:
    """The most frames of each clip that one of its questions shows under their own times, in order."""
    clips: dict[Shot, list[FrameRef]] = {}
    for case in cases:
        shot = Shot(case.clip.video_id, case.clip.clip_id)
        own = [each.frame for each in timed(case.question.frames) if each.frame.video_id == shot.video_id]
        if len(own) > len(clips.get(shot, ())):
            clips[shot] = own
    return clips


def pictures_elsewhere(clip: Clip, clips: PicturesOfClips) -> list[Sequence[FrameRef]]:
    """Those of other clips of the video: what is said of one must not change when another video goes."""
    own = Shot(clip.video_id, clip.clip_id)
    return [frames for shot, frames in clips.items() if shot.video_id == own.video_id and shot != own]


def control_frames(
    kind: ClaimKind,
    cited: Sequence[int],
    shown: Sequence[ShownFrame],
    elsewhere: Sequence[Sequence[FrameRef]],
    least_bits: int,
    rng: random.Random,
) -> Iterator[Control]:
    """Controls that can test the claim, the most unlike first; none where there are none.

    Args:
        kind: What the claim speaks of.
        cited: Places in `shown` of the frames that the claim cites.
        shown: What the question shows, in order of time.
        elsewhere: What other clips of the video show, each in order of time: only where the own clip has no
            control.
        least_bits: How much a control must differ, in bits of perceptual hashes: from the cited pictures, or
            in how unlike its frames are to each other.
        rng: Draws the sets that are looked at.
    """
    own = [shown[place].frame for place in cited]
    difference = _related_otherwise if kind is ClaimKind.CHANGE else _unlike
    turned = _in_other_roles(own) if kind is ClaimKind.CHANGE else ()
    sources = (turned, _from_own(cited, shown, rng), _from_elsewhere(own, elsewhere, rng))
    for source in sources:
        candidates = [each._replace(difference=difference(own, each.frames)) for each in source]
        able = sorted(
            (each for each in candidates if each.difference >= least_bits), key=lambda each: -each.difference
        )
        if able:
            yield from (_under_their_times(each, cited, shown) for each in able)
            return


def _unlike(own: Sequence[FrameRef], other: Sequence[FrameRef]) -> float:
    """Mean distance of each frame to the one in its place."""
    return sum(map(hash_distance, own, other)) / len(own)


def _related_otherwise(own: Sequence[FrameRef], other: Sequence[FrameRef]) -> float:
    """How differently far apart two frames are, of the pair of which that is most; the mean breaks ties."""
    pairs = list(itertools.combinations(range(len(own)), 2))
    away = [abs(hash_distance(own[a], own[b]) - hash_distance(other[a], other[b])) for a, b in pairs]
    return max(away) + sum(away) / len(pairs) / 100


def _in_other_roles(own: Sequence[FrameRef]) -> Iterator[_Candidate]:
    """The cited frames in each other's places: what is said of one, or of one pair, is said of another."""
    turns = {3: (1, 2), 4: (2,)}
    for turn in turns.get(len(own), ()):
        turned = (*own[turn:], *own[:turn])
        if [each.sha256 for each in turned] != [each.sha256 for each in own]:
            yield _Candidate(0.0, turned, ControlKind.ROLES)


def _from_own(cited: Sequence[int], shown: Sequence[ShownFrame], rng: random.Random) -> Iterator[_Candidate]:
    """Other frames that the question shows: as far apart as the cited ones, and drawn."""
    taken = {shown[place].frame.sha256 for place in cited}
    free = [place for place, each in enumerate(shown) if each.frame.sha256 not in taken]
    shifts = range(-len(shown), len(shown))
    shifted = [[place + shift for place in cited] for shift in shifts]
    places = [each for each in shifted if set(each) <= set(free)]
    if len(free) >= len(cited):
        places += [sorted(rng.sample(free, len(cited))) for _ in range(_DRAWN)]
    for each in places:
        yield _Candidate(0.0, tuple(shown[place].frame for place in each), ControlKind.SAME_CLIP)


def _from_elsewhere(
    own: Sequence[FrameRef], elsewhere: Sequence[Sequence[FrameRef]], rng: random.Random
) -> Iterator[_Candidate]:
    long_enough = [each for each in elsewhere if len(each) >= len(own)]
    for _ in range(_DRAWN if long_enough else 0):
        frames = rng.choice(long_enough)
        places = sorted(rng.sample(range(len(frames)), len(own)))
        yield _Candidate(0.0, tuple(frames[place] for place in places), ControlKind.OTHER_CLIP)


def _under_their_times(candidate: _Candidate, cited: Sequence[int], shown: Sequence[ShownFrame]) -> Control:
    stand_in = zip(candidate.frames, cited, strict=True)
    frames = tuple(ShownFrame(frame=frame, shown_s=shown[place].shown_s) for frame, place in stand_in)
    return Control(frames, candidate.kind)
