"""Vectors of clips -> a map: each clip a point, where two show much the same near each other.

Across and upwards are the two directions in which the vectors differ most: their principal components
(Hotelling 1933).
"""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import numpy as np

MOST = 1000
"""Points of a map; of more clips, every so many."""

Look = Literal["kept", "rejected", "unasked"]


class Point(NamedTuple):
    """A clip on the map."""

    clip_id: str
    across: float
    """0 … 1, from the left."""
    down: float
    """0 … 1, from the top."""
    look: Look
    """Whether some of its traces are kept, or all are rejected; or none was published."""


def thinned(clip_ids: list[str]) -> list[int]:
    """The places of those that a map has room for, evenly."""
    count = min(len(clip_ids), MOST)
    return [place * len(clip_ids) // count for place in range(count)]


def clip_map(
    vectors: Mapping[str, np.ndarray], kept: Collection[str], rejected: Collection[str]
) -> list[Point]:
    """A point for each clip, in order; none where fewer than three differ.

    Args:
        vectors: clip_id -> its vector, all of one length.
        kept: The clips of which a trace is kept.
        rejected: Those of which one is rejected.
    """
    if len(vectors) < 3:
        return []
    places = principal_places(np.stack(list(vectors.values())))
    spread = np.ptp(places, axis=0)
    if not spread.all():
        return []
    shares = (places - places.min(axis=0)) / spread
    looks: list[Look] = [
        "kept" if clip_id in kept else "rejected" if clip_id in rejected else "unasked" for clip_id in vectors
    ]
    return [
        Point(clip_id, float(across), float(1 - up), look)
        for clip_id, (across, up), look in zip(vectors, shares, looks, strict=True)
    ]


def principal_places(vectors: np.ndarray) -> np.ndarray:
    """(N, D) -> (N, 2): each vector along the two directions in which all of them differ most.

    Of each direction, the end is up or right at which the vector lies that is farthest out.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    values, directions = np.linalg.eigh(centred @ centred.T)
    places: np.ndarray = directions[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    farthest = places[np.abs(places).argmax(axis=0), [0, 1]]
    return places * np.where(farthest < 0, -1.0, 1.0)
