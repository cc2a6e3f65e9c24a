"""Moments with a length and a value, and a time budget -> those that are together worth the most. Exact."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

_FINEST_S = 0.02
_MOST_CELLS = 100_000_000
"""Bytes of memory for what is remembered of the choices."""
_COUNTED = 4
"""As many moments of one look are told apart; each further one counts as the last of them."""


class Candidate(NamedTuple):
    """What may be picked."""

    length_s: float
    value: float
    """Of all of it; from 0 down it is never picked."""
    look: int
    """Candidates of one number look alike."""


class _Item(NamedTuple):
    place: int
    ticks: int
    value: float
    look: int


def pick(candidates: Sequence[Candidate], budget_s: float, again: float) -> list[int]:
    """The places, in order, of the candidates that fit the budget and are worth the most together.

    Of those of one look the most valuable counts whole, the next `again` times, the next `again` squared, …:
    a knapsack whose value of an item depends on how many of its look are in, solved by dynamic programming
    over time and that number. Lengths are rounded up to ticks, so that the budget holds. Ties go to what
    comes first.
    """
    hopeful = [place for place, each in enumerate(candidates) if each.value > 0 and each.length_s > 0]
    finest = _MOST_CELLS // (max(len(hopeful), 1) * (_COUNTED + 1))
    tick_s = max(_FINEST_S, budget_s / max(finest, 1))
    room = int(budget_s / tick_s + 1e-6)
    items = [
        _Item(place, int(np.ceil(round(candidates[place].length_s / tick_s, 6))), *candidates[place][1:])
        for place in hopeful
    ]
    items = [each for each in items if each.ticks <= room]
    items.sort(key=lambda each: (each.look, -each.value, each.place))
    return sorted(_best(items, room, again))


class _Turn(NamedTuple):
    """What was decided of a look's items, for each time that may be used."""

    items: Sequence[_Item]
    taken: np.ndarray
    """(items, counts, room + 1) uint8: 0 is out, 1 is in as the last of so many, 2 as a further one."""
    counts: np.ndarray
    """(room + 1,) how many of the look are in."""


def _best(items: Sequence[_Item], room: int, again: float) -> list[int]:
    worth = np.zeros(room + 1)
    turns: list[_Turn] = []
    for _, group in groupby(items, key=lambda each: each.look):
        turn, worth = _add_look(list(group), worth, again)
        turns.append(turn)
    left, picked = int(np.argmax(worth)), []
    for turn in reversed(turns):
        count = int(turn.counts[left])
        for item, taken in zip(reversed(turn.items), turn.taken[::-1], strict=True):
            if how := int(taken[count, left]):
                picked.append(item.place)
                left -= item.ticks
                count -= how == 1
    return picked


def _add_look(items: Sequence[_Item], worth: np.ndarray, again: float) -> tuple[_Turn, np.ndarray]:
    """What is worth the most once these may be in as well, the most valuable first."""
    room, most = len(worth) - 1, min(len(items), _COUNTED)
    levels = np.full((most + 1, room + 1), -np.inf)
    levels[0] = worth
    taken = np.zeros((len(items), most + 1, room + 1), np.uint8)
    for place, item in enumerate(items):
        before = levels.copy()
        for count in range(1, most + 1):
            further = [(1, count - 1), (2, count)] if count == most else [(1, count - 1)]
            for how, earlier in further:
                there = before[earlier, : room + 1 - item.ticks] + item.value * again**earlier
                here = levels[count, item.ticks :]
                better = there > here
                here[better] = there[better]
                taken[place, count, item.ticks :][better] = how
    return _Turn(items, taken, np.argmax(levels, axis=0)), levels.max(axis=0)
