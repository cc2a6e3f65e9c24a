"""Clips, and what computed questions show of them -> claims about pictures whose truth is known.

A true claim says what the pipeline made, or what the film's own signals tell beyond doubt; a false one says
it of another time. None of it needs a person or a model.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import Plant
from reelproof.schemas.footage import Clip, CutKind, hash_distance
from reelproof.schemas.question import Question, ShownFrame, timed_frames
from reelproof.stages.answers.known import Known

SHOWN_BY: tuple[str, ...] = ("odd_frame", "same_picture", "frozen_span")
"""Computed kinds whose frames tell what is true of them."""
_SURE_CUT, _CALM = 1.25, 0.85
"""As for computed questions: score of a cut beyond doubt, and unrest of a scene that hides none."""
_CLEARLY_BITS = 6
"""Pictures whose perceptual hashes differ in so many bits are not the same."""
_MORE_MOTION, _SOME_MOTION = 2.0, 0.5
"""So many times as much, and grey levels a frame at least: then it surely moves more."""
_APART_S = 0.3
"""Frames nearer to each other than that cannot be cited apart."""


class _Film(NamedTuple):
    """A clip as its frames are shown, in order of time."""

    clip: Clip
    shown: tuple[ShownFrame, ...]

    def known(self, subject: Subject, plant: Plant, text: str, *places: int) -> Known:
        """A claim about these frames: `{}` stands for each of their times."""
        times = (f"[{self.shown[place].shown_s:.1f} s]" for place in places)
        return Known(subject, plant, text.format(*times), self.clip, self.shown)

    def scene_of(self, place: int) -> int | None:
        """Which of the clip's scenes holds a frame; None for one that is not where its time says."""
        frame, time_s = self.shown[place].frame, self.shown[place].frame.time_s
        if frame.video_id != self.clip.video_id or time_s != self.shown[place].shown_s:
            return None
        scenes = enumerate(self.clip.scenes)
        return next((number for number, each in scenes if each.start_s <= time_s < each.end_s), None)

    def is_calm(self, *places: int) -> bool:
        """Whether they lie in one scene in which nothing changed suddenly."""
        scenes = {self.scene_of(place) for place in places}
        scene = scenes.pop()
        return not scenes and scene is not None and self._unrest(scene) < _CALM

    def is_cut(self, place: int) -> bool:
        """Whether one sure cut, and no other, lies between this frame and the next."""
        before, after = self.scene_of(place), self.scene_of(place + 1)
        if before is None or after != before + 1:
            return False
        scene = self.clip.scenes[after]
        return scene.cut_kind is CutKind.CUT and scene.cut_score >= _SURE_CUT

    def motion(self, place: int) -> float:
        """Of the decoded frames between this one and the next: grey levels a frame."""
        start_s, end_s = self.shown[place].frame.time_s, self.shown[place + 1].frame.time_s
        width_s = self.clip.duration_s / len(self.clip.motion)
        share = [
            max(0.0, min(end_s, edge + width_s) - max(start_s, edge))
            for edge in (self.clip.start_s + turn * width_s for turn in range(len(self.clip.motion)))
        ]
        weighted = sum(part * float(level) for part, level in zip(share, self.clip.motion, strict=True))
        return weighted / sum(share) if sum(share) else 0.0

    def _unrest(self, scene: int) -> float:
        return float(self.clip.unrest[scene]) if scene < len(self.clip.unrest) else 1.0


def known_of_pictures(
    clips: Iterable[Clip], questions: Iterable[Question], rng: random.Random
) -> Iterator[Known]:
    """Of cuts, of pictures that are the same or unlike, of motion and of stillness.

    Args:
        clips: Undamaged ones.
        questions: Computed ones about them, of the kinds `SHOWN_BY`.
        rng: Draws the other times.
    """
    by_id = {clip.clip_id: clip for clip in clips}
    for clip in by_id.values():
        shown = timed_frames(clip.timeline)
        film = _Film(clip, shown)
        if _can_be_cited(shown):
            yield from _cuts(film)
            yield from _motions(film)
    for question in questions:
        film = _Film(by_id[question.clip_id], question.frames)
        if _can_be_cited(question.frames):
            yield from _MADE[question.kind](film, rng)


def _can_be_cited(shown: Sequence[ShownFrame]) -> bool:
    times = [each.shown_s for each in shown]
    return all(a is not None and b is not None and b - a >= _APART_S for a, b in itertools.pairwise(times))


def _cuts(film: _Film) -> Iterator[Known]:
    text = "The picture changes sharply between {} and {}."
    for place in range(len(film.shown) - 1):
        if film.is_cut(place):
            yield film.known(Subject.SCENE, Plant.TRUE, text, place, place + 1)
        elif film.is_calm(place, place + 1):
            yield film.known(Subject.SCENE, Plant.OTHER_TIME, text, place, place + 1)


def _motions(film: _Film) -> Iterator[Known]:
    """Of two steps within scenes of which one surely moves more, and the other way round."""
    text = "The picture moves more between {} and {} than between {} and {}."
    calm = [place for place in range(len(film.shown) - 1) if film.is_calm(place, place + 1)]
    level = {place: film.motion(place) for place in calm}
    for more, less in itertools.permutations(calm, 2):
        if level[more] >= max(_SOME_MOTION, _MORE_MOTION * level[less]):
            yield film.known(Subject.MOTION, Plant.TRUE, text, more, more + 1, less, less + 1)
            yield film.known(Subject.MOTION, Plant.OTHER_TIME, text, less, less + 1, more, more + 1)


def _odd(film: _Film, rng: random.Random) -> Iterator[Known]:
    """One frame is of another video."""
    text = "The frame at {} looks unlike those at {} and {}."
    inner = range(1, len(film.shown) - 1)
    odd = [place for place in inner if film.shown[place].frame.video_id != film.clip.video_id]
    calm = [place for place in inner if film.is_calm(place - 1, place, place + 1)]
    if odd and calm:
        (place,), other = odd, rng.choice(calm)
        yield film.known(Subject.SCENE, Plant.TRUE, text, place, place - 1, place + 1)
        yield film.known(Subject.SCENE, Plant.OTHER_TIME, text, other, other - 1, other + 1)


def _same(film: _Film, rng: random.Random) -> Iterator[Known]:
    """One frame is shown twice."""
    text = "The picture at {} is the same as that at {}."
    pairs = list(itertools.combinations(range(len(film.shown)), 2))
    same = [(a, b) for a, b in pairs if film.shown[a].sha256 == film.shown[b].sha256]
    other = [
        (a, b) for a, b in pairs if hash_distance(film.shown[a].frame, film.shown[b].frame) >= _CLEARLY_BITS
    ]
    if len(same) == 1 and other:
        yield film.known(Subject.SCENE, Plant.TRUE, text, *same[0])
        yield film.known(Subject.SCENE, Plant.OTHER_TIME, text, *rng.choice(other))


def _frozen(film: _Film, rng: random.Random) -> Iterator[Known]:
    """One frame is shown for a while; the picture moves at all other times."""
    text = "From {} to {} the picture stands still."
    hashes = [each.sha256 for each in film.shown]
    still = [place for place, sha256 in enumerate(hashes) if hashes.count(sha256) > 1]
    length = len(still)
    moving = [
        first
        for first in range(len(hashes) - length + 1)
        if not set(range(first, first + length)) & set(still)
    ]
    if still and moving:
        other = rng.choice(moving)
        yield film.known(Subject.MOTION, Plant.TRUE, text, still[0], still[-1])
        yield film.known(Subject.MOTION, Plant.OTHER_TIME, text, other, other + length - 1)


_MADE = {"odd_frame": _odd, "same_picture": _same, "frozen_span": _frozen}
