"""64-bit hashes -> all pairs that differ in few bits, band by band, without comparing all with all.

A hash is cut into blocks. Of two that differ in at most b bits, at least k of b + k blocks are the same: a
band is a choice of k blocks, by which hashes are sorted, and only neighbours with equal blocks are compared.
Source: the tables of Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling" (2007).
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

MOST_BITS = 7
_MOST_ALIKE = 8
"""Hashes that agree by chance in a band; where there were more, bands of more blocks are taken."""
_FEWEST_BLOCKS, _MOST_BLOCKS = 3, 5
_WINDOW = 512
"""Of more hashes that agree in a band, each is compared with so many that follow it in order."""
_AT_ONCE = 1 << 16
"""Hashes that a processor holds near by."""
_MANY = 8
"""One in so many."""


class Band(NamedTuple):
    """Blocks of a hash that two must have in common."""

    chosen: tuple[int, ...]
    """Which blocks, ascending."""
    lows: tuple[int, ...]
    """The lowest bit of each block, chosen or not."""
    widths: tuple[int, ...]

    @property
    def bits(self) -> int:
        """How many bits all chosen blocks have together."""
        return sum(self.widths[block] for block in self.chosen)


@lru_cache
def bands(most_bits: int, among: int) -> tuple[Band, ...]:
    """The bands in one of which any two of `among` hashes meet that differ in at most `most_bits` bits."""
    kept = _FEWEST_BLOCKS
    while kept < _MOST_BLOCKS and among > _MOST_ALIKE << (64 * kept // (most_bits + kept)):
        kept += 1
    edges = [64 * place // (most_bits + kept) for place in range(most_bits + kept + 1)]
    widths = tuple(high - low for low, high in pairwise(edges))
    return tuple(Band(chosen, tuple(edges[:-1]), widths) for chosen in combinations(range(len(widths)), kept))


def pairs_alike(hashes: Hashes, most_bits: int) -> Iterator[npt.NDArray[np.uint64]]:
    """(P, 2) arrays of hashes that differ in at most `most_bits` bits, each pair once, the smaller first.

    Where more than 512 agree in a band, not all are compared with all: time grows with the number of hashes,
    whatever they are.

    Args:
        hashes: Distinct, (N,).
        most_bits: 0 … 7.
    """
    if most_bits:
        for band in bands(most_bits, len(hashes)):
            yield from pairs_in_band(hashes, band, most_bits)


def pairs_in_band(hashes: Hashes, band: Band, most_bits: int) -> Iterator[npt.NDArray[np.uint64]]:
    """Those pairs whose first blocks in common are this band's. Bands share nothing, and run in any order."""
    arranged = _sorted(hashes, band)
    differ = np.uint64(1) << np.uint64(64 - band.bits)
    for first in range(0, len(arranged), _AT_ONCE):
        some = arranged[first : first + _AT_ONCE + _WINDOW]
        near = _near_neighbours(some, min(_AT_ONCE, len(some)), differ, most_bits)
        near = near[_meets_here_first(_restored(near[:, 0] ^ near[:, 1], band), band)]
        yield np.sort(_restored(near, band), axis=1)


def _near_neighbours(some: Hashes, count: int, differ: np.uint64, most_bits: int) -> npt.NDArray[np.uint64]:
    """Pairs of the first `count` of sorted hashes with those that follow: alike in all above `differ`, and
    apart in at most `most_bits`. (P, 2)

    While many agree with what follows them, all are compared: reading one after the other is a third of the
    time of picking some.
    """
    at: npt.NDArray[np.int64] | None = None
    found = [np.zeros((0, 2), np.uint64)]
    for offset in range(1, min(_WINDOW, len(some) - 1) + 1):
        if at is None:
            one = some[: min(count, len(some) - offset)]
            other = some[offset : offset + len(one)]
        else:
            at = at[: np.searchsorted(at, len(some) - offset)]
            one, other = some[at], some[at + offset]
        apart = one ^ other
        same = apart < differ
        near = np.flatnonzero(same & (np.bitwise_count(apart) <= most_bits))
        found.append(np.stack([one[near], other[near]], axis=1))
        if at is not None:
            at = at[same]
        elif np.count_nonzero(same) < len(one) // _MANY:
            at = np.flatnonzero(same)
        if at is not None and not len(at):
            break
    return np.concatenate(found)


def which_are_near(hashes: Hashes, known: Hashes, most_bits: int) -> npt.NDArray[np.bool_]:
    """Which of some hashes differ from one of those known in at most `most_bits` bits. (N,), (M,) -> (N,)"""
    found = np.isin(hashes, known)
    for band in bands(most_bits, len(known)) if most_bits and len(known) else ():
        among = _sorted(known, band)
        rest = np.flatnonzero(~found)
        for first in range(0, len(rest), _AT_ONCE):
            at = rest[first : first + _AT_ONCE]
            found[at] = _near_in_band(_arranged(hashes[at], band), among, band, most_bits)
    return found


def _near_in_band(asked: Hashes, among: Hashes, band: Band, most_bits: int) -> npt.NDArray[np.bool_]:
    below = (np.uint64(1) << np.uint64(64 - band.bits)) - np.uint64(1)
    low = np.searchsorted(among, asked & ~below, "left")
    high = np.searchsorted(among, asked | below, "right")
    near = np.zeros(len(asked), bool)
    at = np.flatnonzero(high > low)
    while len(at):
        near[at] |= np.bitwise_count(asked[at] ^ among[low[at]]) <= most_bits
        low[at] += 1
        at = at[(low[at] < high[at]) & ~near[at]]
    return near


def _sorted(hashes: Hashes, band: Band) -> Hashes:
    """All hashes as `_arranged` has them, ascending."""
    arranged = np.empty_like(hashes)
    for first in range(0, len(hashes), _AT_ONCE):
        arranged[first : first + _AT_ONCE] = _arranged(hashes[first : first + _AT_ONCE], band)
    arranged.sort()
    return arranged


def _arranged(hashes: Hashes, band: Band) -> Hashes:
    """The same bits, the band's blocks first."""
    result, top = np.zeros_like(hashes), 64
    for low, width in _spans(band):
        top -= width
        result |= _moved(hashes, low, width, top)
    return result


def _restored(arranged: Hashes, band: Band) -> Hashes:
    """What `_arranged` arranged."""
    result, top = np.zeros_like(arranged), 64
    for low, width in _spans(band):
        top -= width
        result |= _moved(arranged, top, width, low)
    return result


def _meets_here_first(apart: Hashes, band: Band) -> npt.NDArray[np.bool_]:
    """Whether the first blocks in which nothing differs are the band's. (P,) -> (P,)"""
    here = np.ones(len(apart), bool)
    for block in set(range(band.chosen[-1])) - set(band.chosen):
        here &= apart & _mask(band.lows[block], band.widths[block]) != 0
    return here


@lru_cache(maxsize=1024)
def _spans(band: Band) -> tuple[tuple[int, int], ...]:
    """(lowest bit, width) of what is moved, the band's blocks first; blocks side by side move as one."""
    spans: list[tuple[int, int]] = []
    others = set(range(len(band.widths))) - set(band.chosen)
    for block in (*reversed(band.chosen), *sorted(others, reverse=True)):
        low, width = band.lows[block], band.widths[block]
        if spans and spans[-1][0] == low + width:
            spans[-1] = (low, spans[-1][1] + width)
        else:
            spans.append((low, width))
    return tuple(spans)


def _moved(hashes: Hashes, low: int, width: int, target: int) -> Hashes:
    """So many bits from the `low`est on, moved to where `target` is the lowest; nothing else."""
    moved = hashes & _mask(low, width)
    if target > low:
        moved <<= np.uint64(target - low)
    else:
        moved >>= np.uint64(low - target)
    return moved


def _mask(low: int, width: int) -> np.uint64:
    return np.uint64(((1 << width) - 1) << low)
