"""Differences between shown frames -> a thought of a few sentences that cite times, and an answer.

One function a kind of question that the differences can speak to; anything else gets a guess that says so.
"""

import itertools
import string
from collections.abc import Callable, Sequence

import numpy as np

from reelproof.schemas.question import Task
from reelproof.stages.teachers.embedded.named import Run, letters_of, pairs_named, place_named
from reelproof.stages.teachers.embedded.read import AskedQuestion
from reelproof.stages.teachers.embedded.repeats import frozen_span, same_picture
from reelproof.stages.teachers.embedded.view import Said, View, said
from reelproof.stages.teachers.embedded.writing import captioned_frame, first_text

SHARP = 33.0
"""Content difference from which a step counts as a change of scene."""
_MOST_CITED = 4
_MOST_ORDERED = 6


def say(view: View) -> Said:
    """Answer as well as the frames allow; without frames, guess."""
    text = view.asked.text.lower()
    if len(view.asked.shown) > 1:
        for words, speak in _SPEAKERS:
            if words in text and (found := speak(view)):
                return found
    return _guess(view)


def _count_scenes(view: View) -> Said:
    changes = _sharp_changes(view)
    seen = _sharp_sentences(view, changes[:_MOST_CITED])
    if len(changes) > _MOST_CITED:
        seen.append(f"After that it changes sharply {len(changes) - _MOST_CITED} more times.")
    if not changes:
        seen += [_changes_most(view), "But even there it changes little, so I see no cut."]
    count = len(changes) + 1
    seen.append(f"That makes {count} {'scenes' if count > 1 else 'scene'}.")
    return said(view, seen, str(count))


def _first_cut(view: View) -> Said:
    steps = view.measured.content_steps()
    changes = _sharp_changes(view)
    step = changes[0] if changes else int(np.argmax(steps))
    before, after = view.asked.shown[step], view.asked.shown[step + 1]
    if before.time_s is None or after.time_s is None:
        return _guess(view)
    seen = _sharp_sentences(view, changes[:1]) or [_changes_most(view)]
    if changes and step:
        seen.append("Before that each frame is much like the next.")
    seen.append("The cut lies in between, I take the middle.")
    return said(view, seen, f"{(before.time_s + after.time_s) / 2:.1f}")


def _order_frames(view: View) -> Said | None:
    """The path with the shortest steps. It is as smooth backwards: its direction is a guess."""
    count = len(view.asked.shown)
    if count > _MOST_ORDERED:
        return None
    motion = view.measured.motion
    paths = [path for path in itertools.permutations(range(count)) if path[0] < path[-1]]
    best = min(paths, key=lambda path: sum(motion[a, b] for a, b in itertools.pairwise(path)))
    if not view.greedy and view.rng.random() < 0.5:
        best = best[::-1]
    names = [view.asked.shown[place].label for place in best]
    steps = [f"{motion[a, b]:.1f}" for a, b in itertools.pairwise(best)]
    seen = [
        f"The smoothest way through the frames is {', '.join(names)}.",
        f"From one to the next the picture moves by {_list(steps)} grey levels.",
        "It would be as smooth backwards, so where it begins is a guess.",
    ]
    return said(view, seen, ", ".join(str(place + 1) for place in best))


def _is_reversed(view: View) -> Said:
    steps = view.measured.motion_steps()
    first, second = (float(half.mean()) if len(half) else 0.0 for half in np.array_split(steps, 2))
    backwards = not view.greedy and bool(view.rng.random() < 0.5)
    seen = [
        f"From frame to frame the picture moves by {first:.0f} grey levels at first, by {second:.0f} later.",
        "Such steps look the same both ways, so the direction is a guess.",
    ]
    return said(view, seen, "yes" if backwards else "no")


def _motion_half(view: View) -> Said | None:
    shown = view.asked.shown
    letters = letters_of(view.asked.options, ("first", "second"))
    if letters is None or len(shown) < 4 or shown[0].time_s is None:
        return None
    moves = view.measured.motion_steps()
    is_cut = view.measured.content_steps() > view.sharp  # a large step, but not motion
    halves = [half[~is_cut[half]] for half in np.array_split(np.arange(len(moves)), 2)]
    if not all(len(half) for half in halves):
        return None
    means = [float(moves[half].mean()) for half in halves]
    most = int(np.argmax(means))
    strong = halves[most][int(np.argmax(moves[halves[most]]))]
    weak = halves[1 - most][int(np.argmin(moves[halves[1 - most]]))]
    names = [f"{shown[place].label} and {shown[place + 1].label}" for place in (strong, weak)]
    seen = [
        f"The picture moves more between {names[0]} than between {names[1]}"
        f"{_motion_in(view, Run(strong, strong + 1))}.",
        f"Cuts aside, a step is {means[0]:.1f} grey levels on average in the first half, "
        f"{means[1]:.1f} in the second.",
    ]
    return said(view, seen, letters[most])


def _largest_change(view: View) -> Said | None:
    """The option whose two frames differ most, told beside one of the others."""
    shown, content = view.asked.shown, view.measured.content
    found = pairs_named(view.asked.options, shown)
    if found is None:
        return None
    changes = [float(content[pair.first, pair.last]) for pair in found]
    choice = int(np.argmax(changes))
    others = [place for place in range(len(found)) if place != choice]
    other = (
        min(others, key=changes.__getitem__) if view.greedy else others[int(view.rng.integers(len(others)))]
    )
    names = [
        f"{shown[pair.first].label} and {shown[pair.last].label}" for pair in (found[choice], found[other])
    ]
    seen = [
        f"The picture changes more between {names[0]} than between {names[1]}"
        f"{_motion_in(view, found[choice])}.",
        f"There it changes by {changes[choice]:.1f} of 100, here by {changes[other]:.1f}.",
        f"Of the other options none changes by more than {max(changes[place] for place in others):.1f}.",
    ]
    return said(view, seen, string.ascii_uppercase[choice])


def _odd_frame(view: View) -> Said | None:
    """The option whose frame is least like the two frames that it is most like."""
    shown, content = view.asked.shown, view.measured.content
    found = [place_named(option, shown) for option in view.asked.options]
    places = [place for place in found if place is not None]
    if len(shown) < 4 or not places or len(places) < len(found):
        return None
    loneliness = [float(np.sort(np.delete(content[place], place))[:2].mean()) for place in places]
    choice = int(np.argmax(loneliness))
    odd = places[choice]
    near = [(odd - 2, odd - 1), (odd - 1, odd + 1), (odd + 1, odd + 2)]
    pairs = [(a, b) for a, b in near if a >= 0 and b < len(shown)]
    before, after = (shown[place] for place in min(pairs, key=lambda pair: content[pair]))
    seen = [
        f"The frame at {shown[odd].label} looks unlike those at {before.label} and {after.label}.",
        f"Even from those that it is most like it differs by {loneliness[choice]:.0f} of 100.",
    ]
    others = [value for place, value in enumerate(loneliness) if place != choice]
    if others and max(others) > 0.7 * loneliness[choice]:
        seen.append("Another option comes close, so I am not sure.")
    return said(view, seen, string.ascii_uppercase[choice])


def _foreign_span(view: View) -> Said | None:
    """The run that is unlike all around it, while what is before and after it is alike."""
    shown, content = view.asked.shown, view.measured.content.tolist()
    if len(shown) < 4 or shown[0].time_s is None:
        return None
    first, last = max(_runs(len(shown)), key=lambda run: _foreignness(content, run))
    edges = [step for step in (first - 1, last) if 0 <= step < len(shown) - 1]
    sharp = set(_sharp_changes(view))
    seen = _sharp_sentences(view, [step for step in edges if step in sharp])
    inside, outside = range(first, last + 1), [*range(first), *range(last + 1, len(shown))]
    across = _mean([content[a][b] for a in inside for b in outside])
    within = _mean([content[a][b] for a, b in itertools.combinations(inside, 2)])
    seen.append(
        f"The frames that I choose differ by {within:.0f} of 100 from each other on average, and by "
        f"{across:.0f} from the others."
    )
    return said(view, seen, f"[{shown[first].time_s:.1f}, {shown[last].time_s:.1f}]")


_SPEAKERS: tuple[tuple[str, Callable[[View], Said | None]], ...] = (
    ("how many scenes", _count_scenes),
    ("first cut", _first_cut),
    ("frames are shown in random order", _order_frames),
    ("played backwards", _is_reversed),
    ("more motion", _motion_half),
    ("picture change the most", _largest_change),
    ("comes from another video", _odd_frame),
    ("footage of another video", _foreign_span),
    ("exactly the same picture", same_picture),
    ("picture stands still", frozen_span),
    ("does it say", captioned_frame),
    ("can be read first", first_text),
)
"""Words of a question, lower case, and who can speak to it."""


def _guess(view: View) -> Said:
    """For what differences between frames cannot tell."""
    asked = view.asked
    seen = ["I only measure how frames differ, and that does not tell the answer here."]
    if len(asked.shown) > 1:
        seen.append(_changes_most(view))
    elif not asked.shown:
        seen = ["No frame is shown, so there is nothing to measure."]
    draw = 0 if view.greedy else int(view.rng.integers(1 << 16))
    seen.append("So this is a guess.")
    return said(view, seen, _guesses(asked, draw)[asked.task])


def _guesses(asked: AskedQuestion, draw: int) -> dict[Task, str]:
    times = [shown.time_s for shown in asked.shown if shown.time_s is not None] or [0.0, 1.0]
    middle_s = (times[0] + times[-1]) / 2
    items = max(len(asked.shown), 3)
    turned = [str((place + draw) % items + 1) for place in range(items)]
    return {
        Task.MULTIPLE_CHOICE: string.ascii_uppercase[draw % max(min(len(asked.options), 26), 1)],
        Task.NUMERICAL: str(draw % 10 + 1),
        Task.REGRESSION: str(draw % 10 + 1),
        Task.OPEN_ENDED: "unknown",
        Task.OCR: "unknown",
        Task.TEMPORAL_GROUNDING: f"[{times[0]:.1f}, {middle_s:.1f}]"
        if draw % 2 == 0
        else f"[{middle_s:.1f}, {times[-1]:.1f}]",
        Task.SPATIAL_GROUNDING: f"[{middle_s:.1f} s] [0, 0, 100, 100]",
        Task.ORDERING: ", ".join(turned),
        Task.BOOLEAN: "no" if draw % 2 else "yes",
    }


def _motion_in(view: View, pair: Run) -> str:
    """Where; nothing of a cut."""
    return view.motion_in(*pair) if view.measured.content[pair] <= view.sharp else ""


def _sharp_changes(view: View) -> list[int]:
    return [int(step) for step in np.flatnonzero(view.measured.content_steps() > view.sharp)]


def _sharp_sentences(view: View, steps: Sequence[int]) -> list[str]:
    said = itertools.chain(("The picture changes",), itertools.repeat("It also changes"))
    pairs = [(view.asked.shown[step].label, view.asked.shown[step + 1].label) for step in steps]
    return [
        f"{start} sharply between {before} and {after}."
        for start, (before, after) in zip(said, pairs, strict=False)
    ]


def _changes_most(view: View) -> str:
    step = int(np.argmax(view.measured.content_steps()))
    before, after = view.asked.shown[step], view.asked.shown[step + 1]
    return f"The largest change is that from {before.label} to {after.label}."


def _runs(count: int) -> list[Run]:
    """Every run of at least two frames and less than half of all."""
    longest = max((count - 1) // 2, 2)
    return [
        Run(first, first + length - 1)
        for length in range(2, longest + 1)
        for first in range(count - length + 1)
    ]


def _foreignness(content: Sequence[Sequence[float]], run: Run) -> float:
    """How much less the run goes with the rest than both go together in themselves."""
    first, last = run
    inside, outside = range(first, last + 1), [*range(first), *range(last + 1, len(content))]
    across = _mean([min(content[i][j] for j in outside) for i in inside])
    within = _mean([content[i][i + 1] for i in range(first, last)])
    steps_in = [content[first - 1][first]] if first else []
    steps_out = [content[last][last + 1]] if last + 1 < len(content) else []
    bridge = content[first - 1][last + 1] if steps_in and steps_out else within
    return across + _mean(steps_in + steps_out) - 0.7 * within - 0.7 * bridge


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _list(items: Sequence[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)
