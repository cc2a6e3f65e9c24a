"""Quotas by task over a whole build, decided part by part: counts, then a close look, then exact cut-offs.

Parts say how many of their contenders lie in each bin of quality; the bin in which a quota runs out is looked
at row by row. Nobody holds all contenders, and the outcome is the same for any parts in any order.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

_BIN_BITS = 20
"""Of a quality's 64: sign, exponent and the first 8 bits of the fraction."""

CONTENDERS = pl.Schema({"task": pl.String, "quality": pl.Float64, "tie": pl.String})
"""Columns of rows that only a quota can still keep out; the higher quality wins, then the smaller tie."""
COUNTS = pl.Schema({"task": pl.String, "bin": pl.UInt64, "rows": pl.Int64})


class OpenBin(NamedTuple):
    """Where a task's quota runs out."""

    bin: int
    """Smaller bins hold better rows."""
    room: int
    """Rows of this bin that still fit."""


class Cutoff(NamedTuple):
    """The last row that a task's quota keeps; rows after it in order of quality and tie are over."""

    quality: float
    tie: str


NOTHING = Cutoff(np.inf, "")
"""No row is as good as this."""


def count_bins(contenders: pl.DataFrame, limits: Mapping[str, int]) -> pl.DataFrame:
    """Some parts' contenders -> how many each bin of each task with a quota holds."""
    return (
        _binned(contenders, limits)
        .group_by("task", "bin")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("task", "bin")
    )


def add_counts(counts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The counts of some parts and of others, together."""
    total = pl.concat([COUNTS.to_frame(), *counts])
    return total.group_by("task", "bin").agg(pl.col("rows").sum()).sort("task", "bin")


def open_bins(counts: pl.DataFrame, limits: Mapping[str, int]) -> dict[str, OpenBin]:
    """Task -> the bin in which its quota runs out; tasks that stay within theirs are left out."""
    found: dict[str, OpenBin] = {}
    before: dict[str, int] = {}
    for task, place, rows in counts.sort("task", "bin").iter_rows():
        held = before.get(task, 0)
        if task not in found and held + rows >= limits[task]:
            found[task] = OpenBin(place, limits[task] - held)
        before[task] = held + rows
    return found


def look_closer(
    contenders: pl.DataFrame, limits: Mapping[str, int], opened: Mapping[str, OpenBin]
) -> pl.DataFrame:
    """Some parts' contenders in the bins where quotas run out: of each task as many of the best as fit."""
    if not opened:
        return contenders.clear()
    bins = pl.col("task").replace_strict({task: each.bin for task, each in opened.items()}, default=None)
    room = pl.col("task").replace_strict({task: each.room for task, each in opened.items()}, default=None)
    rows = _binned(contenders, limits).filter(pl.col("bin") == bins)
    return (
        rows.sort("task", "quality", "tie", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("task") < room)
        .select("task", "quality", "tie")
    )


def cutoffs(looked: Iterable[pl.DataFrame], opened: Mapping[str, OpenBin]) -> dict[str, Cutoff]:
    """Task -> the last row that its quota keeps, from what all parts saw."""
    rows = pl.concat([CONTENDERS.to_frame(), *looked])
    best = rows.sort("quality", "tie", descending=[True, False])
    return {
        task: Cutoff(*best.filter(pl.col("task") == task).select("quality", "tie").row(each.room - 1))
        if each.room
        else NOTHING
        for task, each in opened.items()
    }


def is_over(contenders: pl.DataFrame, cuts: Mapping[str, Cutoff]) -> pl.Series:
    """Whether each contender comes after its task's cut-off."""
    quality = pl.col("task").replace_strict(
        {task: each.quality for task, each in cuts.items()}, default=None, return_dtype=pl.Float64
    )
    tie = pl.col("task").replace_strict(
        {task: each.tie for task, each in cuts.items()}, default=None, return_dtype=pl.String
    )
    worse = (pl.col("quality") < quality) | ((pl.col("quality") == quality) & (pl.col("tie") > tie))
    return contenders.select(worse.fill_null(False).alias("over"))["over"]


def _binned(contenders: pl.DataFrame, limits: Mapping[str, int]) -> pl.DataFrame:
    rows = contenders.filter(pl.col("task").is_in(list(limits)))
    return rows.with_columns(pl.Series("bin", _bins(rows["quality"].to_numpy()), dtype=pl.UInt64))


def _bins(quality: np.ndarray) -> np.ndarray:
    """(N,) float64 -> (N,) uint64 that grow as quality falls: the leading bits of -quality, made to sort."""
    bits = (0.0 - quality.astype(np.float64)).view(np.uint64)
    sign = np.uint64(1 << 63)
    ordered = np.where(bits & sign, ~bits, bits | sign)
    return ordered >> np.uint64(64 - _BIN_BITS)
