"""Perceptual hashes of frames -> which clips or videos show nearly the same.

Frames are held as numbers: a million of them are 20 MB, whatever their clips are called, and some 80 MB while
they are compared. Looks are compared once, for clips and videos alike.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.stages.duplicates.bands import Hashes, pairs_alike

Places = npt.NDArray[np.integer]

_FLAT_BITS = 6
"""A hash with fewer bits set, or fewer unset, is of a flat picture and tells nothing."""
_AT_ONCE = 2_000_000
"""Rows (frame of one, owner of a frame like it) in memory."""
_NO_LOOK = np.uint32(0xFFFFFFFF)
"""The look of a frame that tells nothing."""


class Owned(NamedTuple):
    """Whose each frame is: clips', or videos'."""

    owner: Places
    """(F,) places among the ids."""
    ids: pl.Series


class Looks(NamedTuple):
    """Distinct looks of frames, and which of them are alike."""

    of_frame: npt.NDArray[np.uint32]
    """(F,) which look each frame has; one that tells nothing has none."""
    number: int
    """Of distinct looks, L."""
    near: "Rows"
    """Of each look the others that are alike."""


class Rows(NamedTuple):
    """Rows of different lengths: row i is `values[starts[i]:starts[i + 1]]`."""

    values: Places
    starts: npt.NDArray[np.int64]


def as_bits(phashes: pl.Series) -> Hashes:
    """16 hex digits each -> (N,) uint64. Raises ValueError for anything else."""
    wrong = phashes.filter(~phashes.str.contains(r"^[0-9a-fA-F]{16}$"))
    if len(wrong):
        raise ValueError(f"perceptual hashes are 16 hex digits, got {wrong[0]!r}")
    return phashes.str.to_integer(base=16, dtype=pl.UInt64).to_numpy()


def tells_something(hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Which hashes are not of flat pictures. (N,) -> (N,)"""
    bits = np.bitwise_count(hashes)
    return (bits >= _FLAT_BITS) & (bits <= 64 - _FLAT_BITS)


def compare_looks(hashes: Hashes, most_bits: int) -> Looks:
    """Frames' hashes, (F,) -> distinct looks that tell something, and which of them are alike."""
    told = hashes[tells_something(hashes)]
    told.sort()
    distinct = _distinct(told)
    del told
    found = [np.zeros((0, 2), np.uint32)]
    found += [
        np.searchsorted(distinct, pairs).astype(np.uint32) for pairs in pairs_alike(distinct, most_bits)
    ]
    one, other = np.concatenate(found).T
    near = _by_row(np.concatenate([one, other]), np.concatenate([other, one]), len(distinct))
    return Looks(_looks_of(hashes, distinct), len(distinct), near)


def _looks_of(hashes: Hashes, distinct: Hashes) -> npt.NDArray[np.uint32]:
    """Where each hash is among the distinct ones."""
    found = np.full(len(hashes), _NO_LOOK)
    for first in range(0, len(hashes), _AT_ONCE):
        some = hashes[first : first + _AT_ONCE]
        told = np.flatnonzero(tells_something(some))
        told = told[np.argsort(some[told])]  # looked up in order, each lies beside the one before
        found[first + told] = np.searchsorted(distinct, some[told])
    return found


def same_looking(
    looks: Looks, whose: Owned, min_share: float, *, contained: bool, most_owners: int
) -> pl.DataFrame:
    """Owners that show nearly the same, each with the smallest id of those it goes with.

    Two go together if at least `min_share` of the looks of each are like one of the other; with
    `contained`, of the looks of either. Flat frames, and looks that more than `most_owners` owners show,
    count for nothing.

    Args:
        looks: Of all frames.
        whose: Owners of the same frames.
        min_share: See above.
        contained: See above.
        most_owners: See above.

    Returns:
        Columns `owner` and `group`, one row for each owner that goes with another, by owner.
    """
    told = looks.of_frame != _NO_LOOK
    owner, look = _unpacked(_distinct(_packed(whose.owner[told], looks.of_frame[told])))
    rare = (np.bincount(look, minlength=looks.number) <= most_owners)[look]
    owner, look = owner[rare], look[rare]
    totals = np.bincount(owner, minlength=len(whose.ids))
    edges = [
        pairs[counts / totals[pairs[:, 0]] >= min_share] for pairs, counts in _matched(owner, look, looks)
    ]
    return components(np.concatenate(edges) if edges else np.zeros((0, 2), np.int64), whose.ids, contained)


def _matched(owner: Places, look: Places, looks: Looks) -> Iterator[tuple[Places, npt.NDArray[np.int64]]]:
    """(P, 2) owners, and how many of the looks of the first are like one of the second; every pair once.

    `owner` is ascending. Rows are taken a bounded number at once, and counts of an owner that lies across
    two goes are added up.
    """
    owners_of = _by_row(look, owner, looks.number)
    upto = np.cumsum(_owners_near(looks.near, np.diff(owners_of.starts))[look])
    first, open_pairs, open_counts = 0, np.zeros(0, np.uint64), np.zeros(0, np.int64)
    while first < len(owner):
        base = upto[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(upto, base + _AT_ONCE, "right")))
        pairs, counts = _matched_by(owner[first:last], look[first:last], looks.near, owners_of)
        open_pairs, counts = _added(
            np.concatenate([open_pairs, pairs]), np.concatenate([open_counts, counts])
        )
        goes_on = last < len(owner) and owner[last] == owner[last - 1]
        done = np.searchsorted(open_pairs, np.uint64(owner[last - 1] + (not goes_on)) << np.uint64(32))
        yield np.stack(_unpacked(open_pairs[:done]), axis=1), counts[:done]
        open_pairs, open_counts, first = open_pairs[done:], counts[done:], last


def _owners_near(near: Rows, held: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many owners each look has together with those that are alike; `held` are its own. (L,) -> (L,)"""
    some = np.flatnonzero(np.diff(near.starts))
    reached = held.copy()
    if len(some):
        reached[some] += np.add.reduceat(held[near.values], near.starts[some])
    return reached


def _matched_by(
    owner: Places, look: Places, near: Rows, owners_of: Rows
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Pairs of owners as one number each, and in how many of these frames they meet."""
    like, frame = _taken(near, look)
    frame = np.concatenate([np.arange(len(look)), frame])
    other, step = _taken(owners_of, np.concatenate([look, like]))
    frame = frame[step]
    elsewhere = other != owner[frame]
    frame, other = _unpacked(_distinct(_packed(frame[elsewhere], other[elsewhere])))
    both = _packed(owner[frame], other)
    return _added(both, np.ones(len(both), np.int64))


def _added(
    keys: npt.NDArray[np.uint64], counts: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Each key once, ascending, with the sum of its counts."""
    distinct, place = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(place, counts, minlength=len(distinct)).astype(np.int64)


def components(edges: Places, ids: pl.Series, contained: bool) -> pl.DataFrame:
    """Connected components of owners, each called by its smallest id."""
    from scipy.sparse import coo_array  # a fifth of a second, which only this is worth
    from scipy.sparse.csgraph import connected_components

    size = len(ids)
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(size, size)).tocsr()
    kept = graph if contained else graph.multiply(graph.T)
    _, labels = connected_components(kept, directed=False)
    ids = ids.rename("owner")
    grouped = pl.DataFrame({"owner": ids, "label": labels}).filter(pl.len().over("label") > 1)
    return grouped.select("owner", pl.col("owner").min().over("label").alias("group")).sort("owner")


def _by_row(row: Places, value: Places, count: int) -> Rows:
    """Values by the row that each belongs to, ascending. (N,), (N,) -> `count` rows"""
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=count), out=starts[1:])
    return Rows(_unpacked(_packed(row, value))[1], starts)


def _taken(rows: Rows, which: Places) -> tuple[Places, Places]:
    """The values of some rows one after the other, and for each the place in `which` that it comes from."""
    lengths = rows.starts[which.astype(np.int64) + 1] - rows.starts[which]
    place = np.repeat(np.arange(len(which)), lengths)
    within = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows.values[rows.starts[which][place] + within], place


def _packed(high: Places, low: Places) -> npt.NDArray[np.uint64]:
    """Pairs of numbers below 2^32 as one each, ascending."""
    packed = high.astype(np.uint64)
    packed <<= np.uint64(32)
    packed |= low.astype(np.uint32, copy=False)
    packed.sort()
    return packed


def _distinct(ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending


def _unpacked(packed: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """What `_packed` packed."""
    low = packed.astype(np.uint32)  # the lower half of each
    return (packed >> np.uint64(32)).astype(np.uint32), low
