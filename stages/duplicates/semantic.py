"""Vectors of clips -> which show nearly the same, and how near each comes to one before it.

Nothing is quadratic: random hyperplanes put near vectors beside each other, only neighbours are compared by
the planes that part them, and only those by their numbers that few do. The vectors may lie in a file; 128
bytes of each are held.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.stages.duplicates.frames import components

VERSION = 1

Vectors = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]

NEAR = 0.7
"""Vectors whose cosine is less are not told from those that have little in common."""
_PLANES = 1024
_SURE = 2.0
"""Standard deviations by which the number of planes that part two vectors may be above what is expected."""
_WINDOW = 16
_AT_ONCE = 4096


class Embedded(NamedTuple):
    """Clips, in the order that makes one earlier, and the direction of each."""

    vectors: Vectors
    """(N, D), each of length 1; a memory map does."""
    clips: pl.DataFrame
    """`clip_id`, `video_id`, `start_s`, `end_s`, and `is_base`: one of those that make up its film."""


class Likeness(NamedTuple):
    """Which clips come near each other; those of a film that overlap are not compared."""

    nearest: Places
    """(N,) of each clip the earlier one that comes nearest; -1 where none comes within a cosine of `NEAR`."""
    cosine: npt.NDArray[np.float32]
    """(N,) of the two; -1 as above."""
    alike: Places
    """(P, 2) earlier and later one of the pairs that are alike."""


def compare_clips(embedded: Embedded, min_cosine: float) -> Likeness:
    """Clips whose cosine is at least `min_cosine` are alike.

    Two are compared where they lie within 16 places of each other in one of 32 orders.
    Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms"; the sorted lists in
    place of buckets are Ravichandran et al. 2005, "Randomized algorithms and NLP".
    """
    nearest = np.full(len(embedded.clips), -1, np.int64)
    cosine = np.full(len(embedded.clips), -1, np.float32)
    alike = [np.zeros((0, 2), np.int64)]
    candidates = _apart(_neighbours(_sides(embedded.vectors)), embedded.clips)
    for first in range(0, len(candidates), _AT_ONCE):
        pairs = candidates[first : first + _AT_ONCE]
        near = np.einsum("nd,nd->n", *(embedded.vectors[side].astype(np.float32) for side in pairs.T))
        ascending = np.argsort(near, kind="stable")[np.count_nonzero(near < NEAR) :]
        pairs, near = pairs[ascending], near[ascending]  # of a clip's pairs the nearest is written last
        better = near > cosine[pairs[:, 1]]
        nearest[pairs[better, 1]], cosine[pairs[better, 1]] = pairs[better, 0], near[better]
        alike.append(pairs[near >= min_cosine])
    return Likeness(nearest, cosine, np.concatenate(alike))


def nearest_clips(clips: pl.DataFrame, likeness: Likeness) -> pl.DataFrame:
    """`clip_id`, `nearest_clip` (an earlier one; null where none comes near) and `nearest_cosine`."""
    nearest = pl.Series(likeness.nearest).replace(-1, None)
    cosine = pl.Series(likeness.cosine.astype(np.float64)).round(4).clip(-1, 1)
    return clips.select(
        "clip_id",
        pl.col("clip_id").gather(nearest).alias("nearest_clip"),
        pl.when(nearest.is_not_null()).then(cosine).alias("nearest_cosine"),
    )


def alike_clips(clips: pl.DataFrame, likeness: Likeness) -> pl.DataFrame:
    """Clips that are alike, each with the smallest id of those it goes with: `owner`, `group`."""
    return components(likeness.alike, clips["clip_id"], contained=True)


def alike_videos(clips: pl.DataFrame, likeness: Likeness, min_share: float) -> pl.DataFrame:
    """Videos that go together: `owner`, `group`. Two do where at least `min_share` of the clips that make up
    one of them are like clips of the other, which may so hold it.
    """
    ids = clips["video_id"].unique(maintain_order=True)
    film = clips["video_id"].replace_strict(ids, range(len(ids)), return_dtype=pl.Int64).to_numpy()
    is_base = clips["is_base"].to_numpy()
    both = likeness.alike[is_base[likeness.alike].all(axis=1)]
    either_way = np.concatenate([both, both[:, ::-1]])
    clip_and_film = np.unique(np.stack([either_way[:, 0], film[either_way[:, 1]]], axis=1), axis=0)
    pairs, counts = np.unique(
        np.stack([film[clip_and_film[:, 0]], clip_and_film[:, 1]], axis=1), axis=0, return_counts=True
    )
    totals = np.bincount(film[is_base], minlength=len(ids))
    edges = pairs[counts >= min_share * totals[pairs[:, 0]]]
    return components(edges[edges[:, 0] != edges[:, 1]], ids, contained=True)


def merged(groupings: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Several groupings of the same owners, `owner` and `group` each -> one: who is together in any, is."""
    rows = pl.concat(groupings)
    ids = pl.concat([rows["owner"], rows["group"]]).unique().sort()
    edges = rows.select(pl.all().replace_strict(ids, range(len(ids)), return_dtype=pl.Int64))
    return components(edges.to_numpy(), ids, contained=True)


class _Sides(NamedTuple):
    """On which side of each plane vectors lie, and how many planes part two that are near at most."""

    bits: npt.NDArray[np.uint64]
    """(N, 16)"""
    most: int


def _sides(vectors: Vectors) -> _Sides:
    """Planes go through the mean of all vectors (N, D): they part evenly what has nothing in common."""
    parts = [vectors[at : at + _AT_ONCE] for at in range(0, len(vectors), _AT_ONCE)]
    total = sum((part.sum(axis=0, dtype=np.float64) for part in parts), np.zeros(vectors.shape[1]))
    mean = (total / max(len(vectors), 1)).astype(np.float32)
    planes = np.random.default_rng(0).standard_normal((vectors.shape[1], _PLANES), dtype=np.float32)
    bits = [np.packbits(part.astype(np.float32) @ planes > mean @ planes, axis=1) for part in parts]
    in_common = float(mean @ mean)
    share = np.arccos(max(-1.0, (NEAR - in_common) / max(1 - in_common, 1e-6))) / np.pi
    most = _PLANES * share + _SURE * np.sqrt(_PLANES * share * (1 - share))
    empty = np.zeros((0, _PLANES // 8), np.uint8)
    return _Sides(np.concatenate([empty, *bits]).view(np.uint64), int(most))


def _neighbours(sides: _Sides) -> Places:
    """(P, 2) pairs, earlier and later, that few planes part, each once, in order."""
    found = np.zeros(0, np.uint64)
    for order in _orders(sides.bits):
        starts = range(0, len(order), _AT_ONCE)
        near = [_near_by(order[first : first + _AT_ONCE + _WINDOW], sides) for first in starts]
        found = np.unique(np.concatenate([found, *near]))
    return np.stack([found >> np.uint64(32), found & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)


def _orders(bits: npt.NDArray[np.uint64]) -> Iterator[Places]:
    """Near vectors beside each other, in as many ways as there are runs of 32 planes."""
    for key in bits.view(np.uint32).T:
        yield np.argsort(key, kind="stable")


def _near_by(order: Places, sides: _Sides) -> npt.NDArray[np.uint64]:
    """Pairs within a window that few planes part, as one number each: the earlier one's place first."""
    found = [np.zeros(0, np.uint64)]
    rows = sides.bits[order]
    for offset in range(1, min(_WINDOW, len(order) - 1) + 1):
        parted = np.bitwise_count(rows[:-offset] ^ rows[offset:]).sum(axis=1)
        at = np.flatnonzero(parted <= sides.most)
        pairs = np.sort(np.stack([order[at], order[at + offset]]), axis=0).astype(np.uint64)
        found.append(pairs[0] << np.uint64(32) | pairs[1])
    return np.concatenate(found)


def _apart(pairs: Places, clips: pl.DataFrame) -> Places:
    """Those of two films, or of two stretches of one that do not overlap."""
    film = clips["video_id"].rank("dense").to_numpy()
    start_s, end_s = (clips[name].to_numpy() for name in ("start_s", "end_s"))
    one, other = pairs.T
    overlap = (start_s[one] < end_s[other]) & (start_s[other] < end_s[one])
    apart: Places = pairs[(film[one] != film[other]) | ~overlap]
    return apart
