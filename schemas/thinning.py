"""Many of something, in order -> at most so many of them, evenly."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def thinned(items: Sequence[T], most: int) -> list[T]:
    """Each the middle of one of `most` equal runs; all, where there are no more."""
    if len(items) <= most:
        return list(items)
    return [items[(2 * place + 1) * len(items) // (2 * most)] for place in range(most)]


def thinned_to_ends(items: Sequence[T], most: int) -> list[T]:
    """The first and the last among them, or the middle one alone; all, where there are no more."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[len(items) // 2]]
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
