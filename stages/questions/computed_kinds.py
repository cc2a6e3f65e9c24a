"""Clips -> the kinds of questions whose answers are known, because the pipeline made what is shown."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from reelproof.schemas.footage import Clip, CutKind, FrameRef, Scene, hash_distance
from reelproof.schemas.question import Task, timed_frames, untimed_frames
from reelproof.schemas.trace import ClaimKind
from reelproof.stages.questions.computed_frames import (
    all_differ,
    are_told_apart,
    foreign_run,
    look_broken_into,
    replaced,
    scenes_shown,
    spread,
)
from reelproof.stages.questions.computed_repeats import FROZEN_SPAN, SAME_PICTURE
from reelproof.stages.questions.computed_stretches import STRETCHES
from reelproof.stages.questions.computed_text import TEXT_FIRST, TEXT_ORDER
from reelproof.stages.questions.maker import Draft, Maker, MakerConfig, Table, choice


def _scene_count(table: Table) -> Draft | None:
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
    return Draft(Task.NUMERICAL, text, str(len(clip.scenes)), timed_frames(clip.timeline))


def _first_cut(table: Table) -> Draft | None:
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
    frames = timed_frames(clip.timeline)
    return Draft(Task.NUMERICAL, text, f"{scenes[1].start_s:.1f}", frames, tolerance=tolerance_s)


def _frame_order(table: Table) -> Draft | None:
    """Only of frames that can be told apart."""
    frames = spread(table.clip.timeline, table.cfg.ordered_frames, table.rng)
    if frames is None or not all_differ(frames, table.cfg.changed_bits):
        return None
    places = list(range(len(frames)))
    table.rng.shuffle(places)
    shown = untimed_frames(frames[place] for place in places)
    answer = ", ".join(str(places.index(rank) + 1) for rank in range(len(frames)))
    text = (
        "The frames are shown in random order. In which order do they come in the clip? Give their numbers, "
        "the earliest first."
    )
    return Draft(Task.ORDERING, text, answer, shown)


def _reversed(table: Table) -> Draft | None:
    """Only of clips whose frames differ: a picture that stands still has no direction."""
    frames = spread(table.clip.timeline, min(8, len(table.clip.timeline)), table.rng)
    if frames is None or len(frames) < 4 or not all_differ(frames, 1):
        return None
    backwards = table.rng.random() < 0.5
    in_order = frames[::-1] if backwards else frames
    text = "Is the clip played backwards?"
    return Draft(Task.BOOLEAN, text, "yes" if backwards else "no", untimed_frames(in_order))


def _motion_half(table: Table) -> Draft | None:
    """Only where the halves differ clearly."""
    clip, cfg = table.clip, table.cfg
    halves = [float(np.mean(half)) for half in np.array_split(clip.motion, 2)]
    least, most = min(halves), max(halves)
    if len(clip.timeline) < 6 or most < cfg.motion_floor or most < cfg.motion_ratio * least:
        return None
    middle_s = (clip.start_s + clip.end_s) / 2
    options = [f"the first half, up to {middle_s:.1f} s", f"the second half, from {middle_s:.1f} s"]
    text = "Which half of the clip holds more motion? Cuts do not count."
    return choice(table, text, options, halves.index(most), timed_frames(clip.timeline))


def _largest_change(table: Table) -> Draft | None:
    """Between neighbours of the timeline: one pair is on both sides of a cut beyond doubt, all others lie in
    one scene each that hides none, and their frames' hashes differ clearly less.
    """
    clip, shown, cfg = table.clip, table.clip.timeline, table.cfg
    steps = list(enumerate(pairwise(scenes_shown(clip))))
    cuts = [step for step, (a, b) in steps if b - a == 1 and _is_sure(clip.scenes[b], cfg)]
    inner = [step for step, (a, b) in steps if a == b and _is_calm(table, a)]
    if not cuts or len(inner) < 2:
        return None
    others = table.rng.sample(inner, min(len(inner), cfg.change_options - 1))
    cut = table.rng.choice(cuts)
    changed = {step: hash_distance(shown[step], shown[step + 1]) for step in (cut, *others)}
    if changed[cut] < max(changed[step] for step in others) + cfg.largest_change_bits:
        return None
    if not are_told_apart(shown, {place for step in changed for place in (step, step + 1)}):
        return None
    drawn = sorted(changed)
    options = [f"from {shown[step].time_s:.1f} s to {shown[step + 1].time_s:.1f} s" for step in drawn]
    text = "Between which two of these moments does the picture change the most?"
    return choice(table, text, options, drawn.index(cut), timed_frames(shown))


def _odd_frame(table: Table) -> Draft | None:
    """One frame of the timeline is taken from another video of the part. All other options are shown beside
    another frame of their scene: who is the only one of it looks as foreign, and so does one that is flat.
    """
    clip, own, count = table.clip, list(table.clip.timeline), table.cfg.odd_options
    foreign = _foreign(table, 1) if len(own) >= max(count, 4) else None
    scenes = scenes_shown(clip)
    shown = Counter(scenes)
    places = [
        place
        for place, scene in enumerate(scenes)
        if shown[scene] > 1 and _is_calm(table, scene) and not own[place].is_flat
    ]
    if foreign is None or not places:
        return None
    odd = table.rng.choice(places)
    shown[scenes[odd]] -= 1
    others = [place for place in places if place != odd and shown[scenes[place]] > 1]
    if len(others) < count - 1:
        return None
    candidates = [odd, *table.rng.sample(others, count - 1)]
    if not are_told_apart(own, candidates):
        return None
    options = [f"the frame at {own[place].time_s:.1f} s" for place in candidates]
    text = "One of the frames comes from another video. Which one?"
    return choice(table, text, options, 0, replaced(own, odd, foreign))


def _foreign_span(table: Table) -> Draft | None:
    """A run of the timeline, two frames or more and less than half of it, is taken from another video.

    It breaks into a scene that goes on after it, and nothing of the clip's own does: a scene of its own that
    stands between two others looks as foreign, and so does a flat frame.
    """
    own, scenes = list(table.clip.timeline), scenes_shown(table.clip)
    runs = {
        length: firsts
        for length in range(2, (len(own) - 1) // 2 + 1)
        if (firsts := _inside_scenes(table, scenes, length))
    }
    shots = [scene if _is_calm(table, scene) else -1 - place for place, scene in enumerate(scenes)]
    if len(own) < 6 or not runs or any(frame.is_flat for frame in own):
        return None
    if look_broken_into(own, shots, table.cfg.foreign_bits):
        return None
    length = table.rng.choice(list(runs))
    first = table.rng.choice(runs[length])
    foreign = _foreign(table, length)
    if foreign is None or not are_told_apart(own, (first, first + length - 1)):
        return None
    text = (
        "Footage of another video is shown for a while. From when to when? Give the times of its first and "
        "of its last frame."
    )
    answer = f"[{own[first].time_s:.1f}, {own[first + length - 1].time_s:.1f}]"
    return Draft(Task.TEMPORAL_GROUNDING, text, answer, replaced(own, first, foreign))


def _inside_scenes(table: Table, scenes: Sequence[int], length: int) -> list[int]:
    """Where a run of so many frames may begin that has frames of one calm scene on both sides."""
    firsts = range(1, len(scenes) - length)
    return [f for f in firsts if scenes[f - 1] == scenes[f + length] and _is_calm(table, scenes[f - 1])]


def _is_sure(scene: Scene, cfg: MakerConfig) -> bool:
    """Whether it begins with a hard cut beyond doubt."""
    return scene.cut_kind is CutKind.CUT and scene.cut_score >= cfg.sure_cut


def _are_calm(clip: Clip, scenes: int, cfg: MakerConfig) -> bool:
    """Whether no cut can have been missed in so many scenes from the first on."""
    return len(clip.unrest) >= scenes and bool((clip.unrest[:scenes] < cfg.calm_scene).all())


def _is_calm(table: Table, scene: int) -> bool:
    """Whether no cut can have been missed in it."""
    unrest = table.clip.unrest
    return scene < len(unrest) and bool(unrest[scene] < table.cfg.calm_scene)


def _count_in(clip: Clip, start_s: float, end_s: float) -> int:
    return sum(start_s <= frame.time_s < end_s for frame in clip.timeline)


def _foreign(table: Table, length: int) -> list[FrameRef] | None:
    clip, bits = table.clip, table.cfg.foreign_bits
    others = [each.timeline for each in table.part if each.video_id not in table.alike[clip.video_id]]
    return foreign_run(clip.timeline, others, length, bits, table.rng)


MAKERS: Mapping[str, Maker] = {
    "scene_count": Maker(_scene_count, "how many scenes there are", (ClaimKind.CHANGE,)),
    "frame_order": Maker(
        _frame_order, "in which order shuffled frames come", (ClaimKind.CHANGE,), drawn=True
    ),
    "odd_frame": Maker(_odd_frame, "which frame is another video's", (ClaimKind.MOMENT,), drawn=True),
    "foreign_span": Maker(
        _foreign_span, "from when to when another video is shown", (ClaimKind.STRETCH,), drawn=True
    ),
    "first_cut": Maker(_first_cut, "when the first cut is", (ClaimKind.CHANGE,)),
    "reversed": Maker(_reversed, "whether the clip is played backwards", drawn=True),
    "motion_half": Maker(_motion_half, "which half holds more motion", (ClaimKind.STRETCH,)),
    "largest_change": Maker(
        _largest_change,
        "between which neighbours the picture changes most: one pair is cut apart, no other is",
        (ClaimKind.CHANGE,),
        drawn=True,
        usual=False,
    ),
    "same_picture": SAME_PICTURE,
    "frozen_span": FROZEN_SPAN,
    "text_first": TEXT_FIRST,
    "text_order": TEXT_ORDER,
    **STRETCHES,
}
"""What is asked -> how it is made."""
