"""A clip -> questions about its stretches: in which order, and which is reversed, repeated, cut out, faster.

No frame is made anew: what is shown are the footage's own, in an order that the pipeline chose.
"""

import itertools
from collections.abc import Sequence
from functools import partial

from reelproof.schemas.footage import FrameRef, hash_distance
from reelproof.schemas.question import Task, frames_in_place_of, untimed_frames
from reelproof.schemas.trace import ClaimKind
from reelproof.stages.questions.computed_frames import all_differ, are_told_apart
from reelproof.stages.questions.maker import Draft, Maker, Table, choice

_FEWEST = 8
"""Frames of a timeline that is long enough to be divided."""
_MOVES_BITS = 2
"""Neighbours whose perceptual hashes differ in fewer bits may look as if the picture stood still."""
_LONGER_GAP = 1.5
"""Frames are not quite evenly spaced: what is left out takes so many times as long as any other gap, …"""
_FASTER_SHARE = 0.75
"""… and what is played faster is, by its frames' own times, at least this share of what it is said to be."""


def _stretch_order(table: Table) -> Draft | None:
    """Equal stretches, each in its own order, shown in any order; only where their middles look different."""
    frames = table.clip.timeline
    count = min(table.cfg.stretches, len(frames) // 2)
    if len(frames) < _FEWEST or count < 3:
        return None
    length = len(frames) // count
    first = table.rng.randint(0, len(frames) - count * length)
    stretches = [frames[first + place * length :][:length] for place in range(count)]
    if not all_differ([each[length // 2] for each in stretches], table.cfg.changed_bits):
        return None
    places = list(range(count))
    table.rng.shuffle(places)
    answer = ", ".join(str(places.index(rank) + 1) for rank in range(count))
    listed = ", ".join(f"{_frames(place * length, length)} are stretch {place + 1}" for place in range(count))
    text = (
        f"The clip was divided into {count} stretches, which are shown in random order: {listed}. In which "
        "order do the stretches come in the clip? Give their numbers, the earliest first."
    )
    return Draft(Task.ORDERING, text, answer, untimed_frames(f for place in places for f in stretches[place]))


def _reversed_stretch(table: Table) -> Draft | None:
    """One stretch of some, which may overlap; only where its picture moves all the while."""
    own = list(table.clip.timeline)
    length = max(3, len(own) // 4)
    firsts = _drawn(range(len(own) - length + 1), table) if len(own) >= _FEWEST else None
    if firsts is None:
        return None
    turned = slice(firsts[0], firsts[0] + length)
    ends = {end for first in firsts for end in (first, first + length - 1)}
    if not all_differ(own[turned], _MOVES_BITS) or not are_told_apart(own, ends):
        return None
    options = [f"from {own[a].time_s:.1f} s to {own[a + length - 1].time_s:.1f} s" for a in firsts]
    text = "One stretch of the clip is shown from its end to its start. Which one?"
    frames = [*own[: turned.start], *own[turned][::-1], *own[turned.stop :]]
    return choice(table, text, options, 0, frames_in_place_of(own, frames))


def _repeated_stretch(table: Table) -> Draft | None:
    """A stretch takes the place of a later one; only where its frames look like no others."""
    own = list(table.clip.timeline)
    if len(own) < _FEWEST:
        return None
    length = table.rng.randint(2, len(own) // 4)
    first, again = sorted(table.rng.sample(range(len(own) - 2 * length + 2), 2))
    again += length - 1
    repeated = own[first : first + length]
    others = [*own[:first], *own[first + length :]]
    if any(hash_distance(a, b) < _MOVES_BITS for a, b in itertools.product(repeated, others)):
        return None
    if not all_differ(repeated, _MOVES_BITS) or not are_told_apart(own, (again, again + length - 1)):
        return None
    text = (
        "A stretch of the clip is shown again later, in place of what happened then. From when to when is it "
        "shown again? Give the times of the first and of the last frame of its second showing."
    )
    answer = f"[{own[again].time_s:.1f}, {own[again + length - 1].time_s:.1f}]"
    frames = [*own[:again], *repeated, *own[again + length :]]
    return Draft(Task.TEMPORAL_GROUNDING, text, answer, frames_in_place_of(own, frames))


def _missing_stretch(table: Table) -> Draft | None:
    """A quarter of the clip is left out; only where each option's frames look different, and no other gap is
    nearly as long.
    """
    own = list(table.clip.timeline)
    length = len(own) // 4
    befores = _drawn(range(len(own) - length - 1), table) if len(own) >= _FEWEST else None
    if befores is None:
        return None
    left = [*own[: befores[0] + 1], *own[befores[0] + 1 + length :]]
    if any(hash_distance(left[place], left[place + 1]) < table.cfg.changed_bits for place in befores):
        return None
    gap_s, *others_s = sorted((b.time_s - a.time_s for a, b in itertools.pairwise(left)), reverse=True)
    if left[befores[0] + 1].time_s - left[befores[0]].time_s < gap_s or gap_s < _LONGER_GAP * others_s[0]:
        return None
    options = [f"between Frame {before + 1} and Frame {before + 2}" for before in befores]
    text = "The frames are about evenly spaced, but one stretch of the clip was cut out. Where was it?"
    return choice(table, text, options, 0, untimed_frames(left))


def _faster_stretch(table: Table) -> Draft | None:
    """Of equal runs of frames, one leaves frames of the clip out; only where the picture moves in each, and
    that one is clearly faster than any other by the times of its frames.
    """
    own, faster = table.clip.timeline, table.cfg.speed_up
    count = min(table.cfg.stretch_options, len(own) // 2 - faster + 1)
    if len(own) < _FEWEST or count < 3:
        return None
    length = len(own) // (count - 1 + faster)
    first = table.rng.randint(0, len(own) - length * (count - 1 + faster))
    right = table.rng.randrange(count)
    steps = [faster if place // length == right else 1 for place in range(count * length - 1)]
    shown = [own[place] for place in itertools.accumulate(steps, initial=first)]
    runs = [shown[place * length :][:length] for place in range(count)]
    if not all(_moves(run) for run in runs):
        return None
    lasts_s = [run[-1].time_s - run[0].time_s for run in runs]
    if lasts_s.pop(right) < _FASTER_SHARE * faster * max(lasts_s):
        return None
    options = [_frames(place * length, length) for place in range(count)]
    text = f"One stretch of the clip is played about {faster} times as fast as the others. Which one?"
    return choice(table, text, options, right, untimed_frames(shown))


def _swapped_frames(table: Table) -> Draft | None:
    """Of some pairs of frames, drawn without a frame in common and all clearly different, one is swapped."""
    own = list(table.clip.timeline)
    count = min(table.cfg.stretch_options, len(own) // 2)
    if len(own) < _FEWEST:
        return None
    places = table.rng.sample(range(len(own)), 2 * count)
    pairs = [sorted(places[first : first + 2]) for first in range(0, 2 * count, 2)]
    if any(hash_distance(own[a], own[b]) < table.cfg.changed_bits for a, b in pairs):
        return None
    if not are_told_apart(own, places):
        return None
    options = [f"those at {own[a].time_s:.1f} s and {own[b].time_s:.1f} s" for a, b in pairs]
    a, b = pairs[0]
    frames = [own[{a: b, b: a}.get(place, place)] for place in range(len(own))]
    text = "Two of the frames were put in each other's places. Which two?"
    return choice(table, text, options, 0, frames_in_place_of(own, frames))


def _drawn(places: range, table: Table) -> list[int] | None:
    """As many of the places as there are to be options."""
    count = table.cfg.stretch_options
    return table.rng.sample(places, count) if len(places) >= count else None


def _moves(run: Sequence[FrameRef]) -> bool:
    steps = [hash_distance(a, b) for a, b in itertools.pairwise(run)]
    return sum(steps) >= _MOVES_BITS * len(steps)


def _frames(first: int, length: int) -> str:
    return f"Frames {first + 1} to {first + length}"


_stretch_maker = partial(Maker, drawn=True, usual=False)

STRETCHES = {
    "stretch_order": _stretch_maker(
        _stretch_order,
        "in which order the clip's stretches come, which are shown in a random one",
        (ClaimKind.CHANGE,),
    ),
    "reversed_stretch": _stretch_maker(
        _reversed_stretch, "which stretch is shown from its end to its start", (ClaimKind.CHANGE,)
    ),
    "repeated_stretch": _stretch_maker(
        _repeated_stretch,
        "from when to when an earlier stretch is shown again",
        (ClaimKind.STRETCH, ClaimKind.CHANGE),
    ),
    "missing_stretch": _stretch_maker(
        _missing_stretch, "between which frames a quarter of the clip was cut out", (ClaimKind.CHANGE,)
    ),
    "faster_stretch": _stretch_maker(
        _faster_stretch, "which stretch is played faster than the others", (ClaimKind.STRETCH,)
    ),
    "swapped_frames": _stretch_maker(
        _swapped_frames,
        "which two frames were put in each other's places",
        (ClaimKind.MOMENT, ClaimKind.CHANGE),
    ),
}
