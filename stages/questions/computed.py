"""Clips -> questions whose answers are known exactly, because the pipeline made what is shown."""

import hashlib
import math
import random
import string
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from pydantic import Field

from reelproof.schemas.footage import Clip, CutKind, FrameRef, Scene
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.settings import Settings
from reelproof.stages.questions.computed_frames import all_differ, foreign_run, replaced, spread, timed

VERSION = 1


class ComputedKind(StrEnum):
    """What is asked."""

    SCENE_COUNT = "scene_count"
    FRAME_ORDER = "frame_order"
    ODD_FRAME = "odd_frame"
    FOREIGN_SPAN = "foreign_span"
    FIRST_CUT = "first_cut"
    REVERSED = "reversed"
    MOTION_HALF = "motion_half"


class ComputedConfig(Settings):
    """Which questions are made, and when their answers count as certain."""

    kinds: tuple[ComputedKind, ...] = tuple(ComputedKind)
    """Each is asked of every clip that allows it; none switches them off."""
    repeats: int = Field(default=1, ge=1, le=64)
    """How often a kind is asked of a clip that draws its frames or their places anew each time."""
    seed: int = Field(default=0, ge=0)
    """Of all draws: orders, letters, places, foreign frames."""
    lone_scene_share: float = Field(default=0.34, ge=0, le=1)
    """Share of the clips without a cut whose scenes are counted: most footage has none, and 1 would nearly
    always be right."""
    ordered_frames: int = Field(default=4, ge=3, le=8)
    """Frames to put in order."""
    odd_options: int = Field(default=4, ge=2, le=16)
    """Frames to choose the odd one from."""
    sure_cut: float = Field(default=1.25, ge=1, le=10)
    """A cut is certain if its score is at least this; 1 is the detector's threshold."""
    calm_scene: float = Field(default=0.85, gt=0, le=10)
    """A scene with a sudden change of this size or more, 1 being a cut's, may hide a missed cut: cuts are
    then neither counted nor timed."""
    changed_bits: int = Field(default=6, ge=0, le=64)
    """Frames to be put in order differ from each other in at least so many bits."""
    foreign_bits: int = Field(default=18, ge=0, le=64)
    """A foreign frame differs from each of the clip's own in at least so many bits."""
    motion_ratio: float = Field(default=1.15, ge=1, le=100)
    """One half holds the most motion if it has at least so many times that of the other …"""
    motion_floor: float = Field(default=0.5, ge=0, le=255)
    """… and at least this much, in grey levels a frame."""


class _Table(NamedTuple):
    """All that one question is made from."""

    clip: Clip
    part: Sequence[Clip]
    """Where foreign frames come from."""
    cfg: ComputedConfig
    rng: random.Random


class _Draft(NamedTuple):
    """What a kind decides; the rest of a question follows from its clip."""

    task: Task
    text: str
    answer: str
    frames: tuple[ShownFrame, ...]
    options: tuple[str, ...] = ()
    tolerance: float | None = None


def computed_questions(part: Sequence[Clip], cfg: ComputedConfig) -> Iterator[Question]:
    """The questions of each clip in turn, a kind's together; foreign frames come from the other videos.

    What is shown is the clip's timeline, or as many of its frames as the settings say: number and spacing
    follow from the duration, never from the answer. Times are left out where they would tell it.
    """
    for clip in part:
        for kind in cfg.kinds:
            yield from _unlike([_question(clip, kind, draft) for draft in _drafts(clip, kind, part, cfg)])


def _drafts(clip: Clip, kind: ComputedKind, part: Sequence[Clip], cfg: ComputedConfig) -> Iterator[_Draft]:
    for turn in range(cfg.repeats if kind in _DRAWN else 1):
        draft = _MAKERS[kind](_Table(clip, part, cfg, _generator(cfg.seed, clip.clip_id, kind, turn)))
        if draft:
            yield draft


def _unlike(questions: Sequence[Question]) -> Iterator[Question]:
    """Each question once: a small clip does not allow many draws."""
    yield from {each.question_id: each for each in questions}.values()


def _question(clip: Clip, kind: ComputedKind, draft: _Draft) -> Question:
    return Question(
        question_id="",
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        source=QuestionSource.COMPUTED,
        kind=kind,
        task=draft.task,
        text=draft.text,
        options=draft.options,
        answer=draft.answer,
        tolerance=draft.tolerance,
        frames=draft.frames,
    ).with_id()


def _scene_count(table: _Table) -> _Draft | None:
    """Only where every cut is certain, none may be missing, and every scene is seen."""
    clip, cfg = table.clip, table.cfg
    if len(clip.scenes) == 1 and table.rng.random() >= cfg.lone_scene_share:
        return None
    if not all(_is_sure(scene, cfg) for scene in clip.scenes[1:]):
        return None
    if len(clip.timeline) < 4 or not _are_calm(clip, len(clip.scenes), cfg):
        return None
    if any(_count_in(clip, scene.start_s, scene.end_s) == 0 for scene in clip.scenes):
        return None
    text = "How many scenes does the clip consist of? A scene runs from one cut to the next."
    return _Draft(Task.NUMERICAL, text, str(len(clip.scenes)), timed(clip.timeline))


def _first_cut(table: _Table) -> _Draft | None:
    """Only where it is certain, none may be missing before it, and frames are seen on both sides."""
    clip, scenes, cfg = table.clip, table.clip.scenes, table.cfg
    if len(clip.timeline) < 4 or len(scenes) < 2:
        return None
    if not _is_sure(scenes[1], cfg) or not _are_calm(clip, 1, cfg):
        return None
    if not 0 < _count_in(clip, clip.start_s, scenes[1].start_s) < len(clip.timeline):
        return None
    tolerance_s = math.ceil(10 * clip.duration_s / len(clip.timeline)) / 10
    text = (
        "When is the first cut, in seconds? An answer that is off by no more than "
        f"{tolerance_s:.1f} s counts as right."
    )
    frames = timed(clip.timeline)
    return _Draft(Task.NUMERICAL, text, f"{scenes[1].start_s:.1f}", frames, tolerance=tolerance_s)


def _frame_order(table: _Table) -> _Draft | None:
    """Only of frames that can be told apart."""
    frames = spread(table.clip.timeline, table.cfg.ordered_frames, table.rng)
    if frames is None or not all_differ(frames, table.cfg.changed_bits):
        return None
    places = list(range(len(frames)))
    table.rng.shuffle(places)
    shown = tuple(ShownFrame(frame=frames[place], shown_s=None) for place in places)
    answer = ", ".join(str(places.index(rank) + 1) for rank in range(len(frames)))
    text = (
        "The frames are shown out of order. In which order do they come in the clip? Give their numbers, "
        "the earliest first."
    )
    return _Draft(Task.ORDERING, text, answer, shown)


def _reversed(table: _Table) -> _Draft | None:
    """Only of clips whose frames differ: a picture that stands still has no direction."""
    frames = spread(table.clip.timeline, min(8, len(table.clip.timeline)), table.rng)
    if frames is None or len(frames) < 4 or not all_differ(frames, 1):
        return None
    backwards = table.rng.random() < 0.5
    in_order = frames[::-1] if backwards else frames
    text = "Is the clip played backwards?"
    shown = tuple(ShownFrame(frame=frame, shown_s=None) for frame in in_order)
    return _Draft(Task.BOOLEAN, text, "yes" if backwards else "no", shown)


def _motion_half(table: _Table) -> _Draft | None:
    """Only where the halves differ clearly."""
    clip, cfg = table.clip, table.cfg
    halves = [float(np.mean(half)) for half in np.array_split(clip.motion, 2)]
    least, most = min(halves), max(halves)
    if len(clip.timeline) < 6 or most < cfg.motion_floor or most < cfg.motion_ratio * least:
        return None
    middle_s = (clip.start_s + clip.end_s) / 2
    options = [f"the first half, up to {middle_s:.1f} s", f"the second half, from {middle_s:.1f} s"]
    text = "Which half of the clip holds more motion? Cuts do not count."
    return _choice(table, text, options, halves.index(most), timed(clip.timeline))


def _odd_frame(table: _Table) -> _Draft | None:
    """One frame of the timeline is taken from another video of the part."""
    own, count = list(table.clip.timeline), table.cfg.odd_options
    foreign = _foreign(table, 1) if len(own) >= max(count, 4) else None
    if foreign is None:
        return None
    candidates = table.rng.sample(range(len(own)), count)
    options = [f"the frame at {own[place].time_s:.1f} s" for place in candidates]
    if len(set(options)) < count:
        return None
    frames = replaced(own, candidates[0], foreign)
    text = "One of the frames comes from another video. Which one?"
    return _choice(table, text, options, 0, frames)


def _foreign_span(table: _Table) -> _Draft | None:
    """A run of the timeline, two frames or more and less than half of it, is taken from another video."""
    own = list(table.clip.timeline)
    if len(own) < 6:
        return None
    length = table.rng.randint(2, (len(own) - 1) // 2)
    first = table.rng.randint(0, len(own) - length)
    foreign = _foreign(table, length)
    if foreign is None:
        return None
    text = (
        "Footage of another video is shown for a while. From when to when? Give the times of its first and "
        "of its last frame."
    )
    answer = f"[{own[first].time_s:.1f}, {own[first + length - 1].time_s:.1f}]"
    return _Draft(Task.TEMPORAL_GROUNDING, text, answer, replaced(own, first, foreign))


_MAKERS: dict[ComputedKind, Callable[[_Table], _Draft | None]] = {
    ComputedKind.SCENE_COUNT: _scene_count,
    ComputedKind.FRAME_ORDER: _frame_order,
    ComputedKind.ODD_FRAME: _odd_frame,
    ComputedKind.FOREIGN_SPAN: _foreign_span,
    ComputedKind.FIRST_CUT: _first_cut,
    ComputedKind.REVERSED: _reversed,
    ComputedKind.MOTION_HALF: _motion_half,
}


_DRAWN = frozenset(
    (ComputedKind.FRAME_ORDER, ComputedKind.ODD_FRAME, ComputedKind.FOREIGN_SPAN, ComputedKind.REVERSED)
)


def _is_sure(scene: Scene, cfg: ComputedConfig) -> bool:
    """Whether it begins with a hard cut beyond doubt."""
    return scene.cut_kind is CutKind.CUT and scene.cut_score >= cfg.sure_cut


def _are_calm(clip: Clip, scenes: int, cfg: ComputedConfig) -> bool:
    """Whether no cut can have been missed in so many scenes from the first on."""
    return len(clip.unrest) >= scenes and bool((clip.unrest[:scenes] < cfg.calm_scene).all())


def _count_in(clip: Clip, start_s: float, end_s: float) -> int:
    return sum(start_s <= frame.time_s < end_s for frame in clip.timeline)


def _foreign(table: _Table, length: int) -> list[FrameRef] | None:
    clip, bits = table.clip, table.cfg.foreign_bits
    others = [each.timeline for each in table.part if each.video_id != clip.video_id]
    return foreign_run(clip.timeline, others, length, bits, table.rng)


def _choice(
    table: _Table, text: str, options: Sequence[str], right: int, frames: tuple[ShownFrame, ...]
) -> _Draft:
    """Options in a random order, so that no letter is favoured."""
    order = list(range(len(options)))
    table.rng.shuffle(order)
    letter = string.ascii_uppercase[order.index(right)]
    shuffled = tuple(options[place] for place in order)
    return _Draft(Task.MULTIPLE_CHOICE, text, letter, frames, options=shuffled)


def _generator(*key: object) -> random.Random:
    """Draws that follow from the key alone."""
    text = "\x00".join(str(part) for part in key)
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))  # noqa: S311
