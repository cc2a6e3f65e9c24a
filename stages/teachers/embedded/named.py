"""Options of a question -> the frames and the letters that their words name."""

import string
from collections.abc import Sequence
from typing import NamedTuple

from reelproof.stages.teachers.embedded.read import Shown


class Run(NamedTuple):
    """Frames from the first to the last, by their places."""

    first: int
    last: int


def letters_of(options: Sequence[str], words: Sequence[str]) -> list[str] | None:
    """The letter of the option that holds each word; None unless each is in exactly one."""
    found = [[i for i, option in enumerate(options) if word in option.lower()] for word in words]
    if any(len(places) != 1 for places in found):
        return None
    return [string.ascii_uppercase[places[0]] for places in found]


def place_named(option: str, shown: Sequence[Shown]) -> int | None:
    """Which frame an option such as `the frame at 3.1 s` means."""
    for place, each in enumerate(shown):
        if each.time_s is not None and option.endswith(f" {each.time_s:.1f} s"):
            return place
    return None


def pair_named(option: str, shown: Sequence[Shown]) -> Run | None:
    """Which frames an option such as `from 3.1 s to 3.6 s` or `those at 3.1 s and 3.6 s` means."""
    named = option.removeprefix("from ").removeprefix("those at ")
    first, _, last = named.replace(" and ", " to ").partition(" to ")
    places = [place_named(f" {each}", shown) for each in (first, last)]
    return None if places[0] is None or places[1] is None else Run(places[0], places[1])


def pairs_named(options: Sequence[str], shown: Sequence[Shown]) -> list[Run] | None:
    """Which frames each option means; None unless all mean some, and there is a choice."""
    found = [pair for option in options if (pair := pair_named(option, shown)) is not None]
    return found if len(found) == len(options) > 1 else None
