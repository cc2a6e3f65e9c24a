"""A clip -> questions about a picture that is shown more than once, because the pipeline shows it again."""

import itertools
from collections.abc import Sequence

from reelproof.schemas.footage import FrameRef, hash_distance
from reelproof.schemas.question import ShownFrame, Task
from reelproof.schemas.trace import ClaimKind
from reelproof.stages.questions.computed_frames import are_told_apart
from reelproof.stages.questions.maker import Draft, Maker, Table, choice

_PAIRS = 4
"""Options of `same_picture`."""
_MOVES_BITS = 2
"""Neighbours whose perceptual hashes differ in fewer bits may look as if the picture stood still."""


def _same_picture(table: Table) -> Draft | None:
    """Of some pairs of frames, drawn without a frame in common and all clearly different, one is made the
    same.
    """
    shown, cfg = list(table.clip.timeline), table.cfg
    count = min(_PAIRS, len(shown) // 2)
    if count < 3:
        return None
    places = table.rng.sample(range(len(shown)), 2 * count)
    pairs = [sorted(places[first : first + 2]) for first in range(0, 2 * count, 2)]
    if any(hash_distance(shown[a], shown[b]) < cfg.changed_bits for a, b in pairs):
        return None
    if not are_told_apart(shown, places):
        return None
    options = [f"those at {shown[a].time_s:.1f} s and {shown[b].time_s:.1f} s" for a, b in pairs]
    again, held = table.rng.sample(pairs[0], 2)
    text = "Which two of the frames show exactly the same picture?"
    return choice(table, text, options, 0, _shown_again(shown, held, range(again, again + 1)))


def _frozen_span(table: Table) -> Draft | None:
    """A run of the timeline, three frames or more and less than half of it, becomes its first frame; only
    where the picture moves all the rest of the time.
    """
    own = table.clip.timeline
    if len(own) < 7:
        return None
    length = table.rng.randint(3, (len(own) - 1) // 2)
    first = table.rng.randint(0, len(own) - length)
    frames = _shown_again(own, first, range(first, first + length))
    steps = [(a.frame, b.frame) for a, b in itertools.pairwise(frames)]
    moving = [pair for step, pair in enumerate(steps) if not first <= step < first + length - 1]
    if any(hash_distance(a, b) < _MOVES_BITS for a, b in moving):
        return None
    if not are_told_apart(own, (first, first + length - 1)):
        return None
    text = (
        "For a while the picture stands still: one frame is shown again and again. From when to when? Give "
        "the times of its first and of its last showing."
    )
    answer = f"[{own[first].time_s:.1f}, {own[first + length - 1].time_s:.1f}]"
    return Draft(Task.TEMPORAL_GROUNDING, text, answer, frames)


def _shown_again(own: Sequence[FrameRef], held: int, places: range) -> tuple[ShownFrame, ...]:
    """The timeline with one frame at all these places, under the times of those that it replaces."""
    return tuple(
        ShownFrame(frame=own[held if place in places else place], shown_s=each.time_s)
        for place, each in enumerate(own)
    )


SAME_PICTURE = Maker(
    _same_picture, "which two frames show the same picture", (ClaimKind.CHANGE,), drawn=True, usual=False
)
FROZEN_SPAN = Maker(
    _frozen_span, "from when to when the picture stands still", (ClaimKind.STRETCH,), drawn=True, usual=False
)
