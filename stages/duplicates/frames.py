"""Perceptual hashes of frames -> pairs that look alike, and which clips or videos show nearly the same."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]

MOST_BITS = 7
"""Two 64-bit hashes that differ in at most 7 bits differ in at most one bit of one of four quarters: that is
how pairs are found."""
_FLAT_BITS = 6
"""A hash with fewer bits set, or fewer unset, is of a flat picture and tells nothing."""
_AT_ONCE = 20_000


class HashPairs(NamedTuple):
    """Places in the two arrays whose hashes are alike. Each (P,) int64."""

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]


def as_bits(phashes: pl.Series) -> Hashes:
    """16 hex digits each -> (N,) uint64. Raises ValueError for anything else."""
    wrong = phashes.filter(~phashes.str.contains(r"^[0-9a-fA-F]{16}$"))
    if len(wrong):
        raise ValueError(f"perceptual hashes are 16 hex digits, got {wrong[0]!r}")
    return np.array([int(each, 16) for each in phashes], np.uint64)


def tells_something(hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Which hashes are not of flat pictures. (N,) -> (N,)"""
    bits = np.bitwise_count(hashes)
    return (bits >= _FLAT_BITS) & (bits <= 64 - _FLAT_BITS)


def alike(one: Hashes, other: Hashes, most_bits: int) -> HashPairs:
    """All pairs that differ in at most `most_bits` (0 … 7) bits."""
    found = list(_alike(one, other, most_bits))
    if not found:
        return HashPairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    pairs = np.unique(np.concatenate(found), axis=0)
    return HashPairs(pairs[:, 0], pairs[:, 1])


def _alike(one: Hashes, other: Hashes, most_bits: int) -> Iterator[npt.NDArray[np.int64]]:
    for quarter in range(4):
        down = np.uint64(16 * quarter)
        keys = (other >> down) & np.uint64(0xFFFF)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        for flip in (0, *(1 << bit for bit in range(16))):
            for first in range(0, len(one), _AT_ONCE):
                chunk = one[first : first + _AT_ONCE]
                probe = ((chunk >> down) & np.uint64(0xFFFF)) ^ np.uint64(flip)
                low, high = np.searchsorted(keys, probe, "left"), np.searchsorted(keys, probe, "right")
                left = np.repeat(np.arange(len(chunk)), high - low)
                within = np.arange(len(left)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
                right = order[np.repeat(low, high - low) + within]
                near = np.bitwise_count(chunk[left] ^ other[right]) <= most_bits
                yield np.stack([left[near] + first, right[near]], axis=1)


def same_looking(
    frames: pl.DataFrame, owner: str, most_bits: int, min_share: float, *, contained: bool, most_owners: int
) -> pl.DataFrame:
    """Owners (clips, videos) that show nearly the same, each with the smallest id of those it goes with.

    Two go together if at least `min_share` of the frames of each look like one of the other; with
    `contained`, of the frames of either. Flat frames, and frames that more than `most_owners` owners show,
    count for nothing.

    Args:
        frames: Columns `owner` and `phash` (16 hex digits), one row a frame.
        owner: Name of the column that says whose a frame is.
        most_bits: Bits in which two frames that look alike may differ.
        min_share: See above.
        contained: See above.
        most_owners: See above.

    Returns:
        Columns `owner` and `group`, one row for each owner that goes with another.
    """
    shown = _told_frames(frames, owner, most_owners)
    unique = shown.select("bits").unique(maintain_order=True)["bits"].to_numpy()
    pairs = alike(unique, unique, most_bits)
    near = pl.DataFrame({"bits": unique[pairs.one], "like": unique[pairs.other]})
    totals = shown.group_by("owner").agg(pl.len().alias("total"))
    matched = (
        shown.join(near, on="bits")
        .join(shown.rename({"owner": "with", "bits": "like"}), on="like")
        .filter(pl.col("owner") != pl.col("with"))
        .group_by("owner", "with")
        .agg(pl.col("bits").n_unique().alias("matched"))
        .join(totals, on="owner")
        .select("owner", "with", (pl.col("matched") / pl.col("total")).alias("share"))
    )
    both = matched.join(
        matched.rename({"owner": "with", "with": "owner", "share": "back"}), on=["owner", "with"]
    ).with_columns(
        (pl.max_horizontal("share", "back") if contained else pl.min_horizontal("share", "back")).alias(
            "alike"
        )
    )
    edges = both.filter((pl.col("alike") >= min_share) & (pl.col("owner") < pl.col("with")))
    return _components(edges.select("owner", "with").sort("owner", "with")).rename({"owner": owner})


def _told_frames(frames: pl.DataFrame, owner: str, most_owners: int) -> pl.DataFrame:
    bits = as_bits(frames["phash"])
    shown = pl.DataFrame({"owner": frames[owner], "bits": bits}).filter(tells_something(bits)).unique()
    return shown.filter(pl.len().over("bits") <= most_owners).sort("owner", "bits")


def _components(edges: pl.DataFrame) -> pl.DataFrame:
    """Connected components, each called by its smallest member."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for one, other in edges.iter_rows():
        small, large = sorted((find(one), find(other)))
        root[large] = small
    names = sorted(root)
    return pl.DataFrame(
        {"owner": names, "group": [find(name) for name in names]},
        schema={"owner": pl.String, "group": pl.String},
    )
