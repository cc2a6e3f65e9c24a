"""Frames that show one picture again -> which they are, and for how long it stands still."""

import itertools
import string

import numpy as np

from reelproof.stages.teachers.embedded.named import pairs_named
from reelproof.stages.teachers.embedded.view import Said, View, said

SAME = 0.01
"""Content difference below which two frames count as the same picture."""


def same_picture(view: View) -> Said | None:
    """The option whose two frames are the same, as far as can be measured."""
    shown, content = view.asked.shown, view.measured.content
    found = pairs_named(view.asked.options, shown)
    if found is None:
        return None
    changes = [float(content[pair.first, pair.last]) for pair in found]
    choice = int(np.argmin(changes))
    if changes[choice] >= SAME:
        return None
    first, last = (shown[place].label for place in found[choice])
    nearest = min(change for place, change in enumerate(changes) if place != choice)
    seen = [
        f"The picture at {last} is the same as that at {first}.",
        f"They differ by {changes[choice]:.1f} of 100, those of the other options by {nearest:.1f} or more.",
    ]
    return said(view, seen, string.ascii_uppercase[choice])


def frozen_span(view: View) -> Said | None:
    """The longest run of frames of which each is the same as the one before."""
    shown, steps = view.asked.shown, view.measured.content_steps()
    by_same = itertools.groupby(range(len(steps)), lambda step: bool(steps[step] < SAME))
    runs = [list(run) for is_same, run in by_same if is_same]
    if not runs or shown[0].time_s is None:
        return None
    run = max(runs, key=len)
    first, last = shown[run[0]], shown[run[-1] + 1]
    moving = [float(step) for place, step in enumerate(steps) if place not in run]
    seen = [f"From {first.label} to {last.label} the picture stands still."]
    if moving:
        seen.append(f"Elsewhere each frame differs by {min(moving):.1f} of 100 or more from the one before.")
    return said(view, seen, f"[{first.time_s:.1f}, {last.time_s:.1f}]")
