"""Frames that questions show, in their order -> which questions of a group show nearly the same."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.stages.duplicates.bands import Hashes


def same_views(questions: pl.DataFrame, most_bits: int, min_share: float) -> pl.Series:
    """What each question shows, as the number of the first view of its group that is nearly the same.

    Args:
        questions: Columns `group` and `view` (hashes as numbers, in the frames' order; null for none);
            questions of different groups are not compared.
        most_bits: Bits in which two frames that look alike may differ.
        min_share: See `shared_share`.

    Returns:
        (N,) int64, in the order of `questions`.
    """
    seen = questions.select("group", "view")
    distinct = seen.select("group", "view").unique(maintain_order=True)
    by_group = distinct.group_by("group", maintain_order=True).agg("view")
    firsts = [
        first
        for group in by_group["view"]
        for first in (_firsts(group.to_list(), most_bits, min_share) if len(group) > 1 else (0,))
    ]
    known = by_group.explode("view").with_columns(pl.Series("first", firsts, dtype=pl.Int64))
    on = ["group", "view"]
    return seen.join(known, on=on, how="left", nulls_equal=True, maintain_order="left")["first"]


def shared_share(one: Hashes, other: Hashes, most_bits: int) -> float:
    """Share of the longer of two rows of frames that look alike in the same order. (N,), (M,) -> [0, 1].

    The longest common subsequence: a frame left out or brought in costs one place, another order many.
    """
    if not len(one) or not len(other):
        return float(len(one) == len(other))
    alike = np.bitwise_count(one[:, None] ^ other[None, :]) <= most_bits
    longest: npt.NDArray[np.int64] = np.zeros(len(other) + 1, np.int64)
    for row in alike:
        longest[1:] = np.maximum.accumulate(np.maximum(longest[1:], longest[:-1] + row))
    return float(longest[-1]) / max(len(one), len(other))


def _firsts(views: Sequence[Sequence[int] | None], most_bits: int, min_share: float) -> Iterator[int]:
    """Of each view, the place of the first one that is nearly the same."""
    leaders: dict[int, Hashes] = {}
    for place, view in enumerate(views):
        frames = np.array(view or (), np.uint64)
        same = (at for at, held in leaders.items() if shared_share(held, frames, most_bits) >= min_share)
        first = next(same, place)
        if first == place:
            leaders[place] = frames
        yield first
