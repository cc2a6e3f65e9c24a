"""Where a dataset's counts lie: `stats.json`, and the plots that were drawn from it."""

import hashlib
from collections.abc import Collection, Sequence
from contextlib import suppress

import polars as pl
from pydantic import ValidationError

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.policy_sums import count_policy
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.stats import count_build
from reelproof.pipeline.disk.side_by_side import side_by_side, together
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.record import Record
from reelproof.schemas.stats import Stats

PLOTS = "plots/plots.json"


class Plot(Record):
    """One picture beside the card."""

    file: str
    """From the dataset's folder."""
    caption: str
    sha256: str


class PlotList(Record):
    """What `plots/` holds, and which stats it was drawn from."""

    stats_sha256: str
    plots: tuple[Plot, ...]


def write_stats(
    store: Store,
    parts: Sequence[PartFiles],
    rows: Collection[pl.DataFrame],
    gone: frozenset[str],
) -> Stats:
    """Count decided rows, some parts' at a time, and leave `stats.json`; videos that are `gone` do not count.

    Raises UsageError where there is no manifest.
    """
    manifest, held = together(store, lambda: open_dataset(store).manifest(), lambda: read_stats(store))
    stats = Stats(
        build=count_build(store, parts, gone, held.build if held else None),
        policy=count_policy(rows, manifest.policy, manifest),
    )
    put_file(store, "dataset/stats.json", (stats.model_dump_json(indent=2) + "\n").encode())
    return stats


def decided_rows(measurements: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The rows that count, with `sft`, `rl` and `pair_reason`: what is counted of them."""
    rows = measurements.with_columns(verdicts["sft"], verdicts["rl"], verdicts["pair_reason"])
    return rows.filter(verdicts["published"]) if "published" in verdicts.columns else rows


def gone_videos(measurements: pl.DataFrame, verdicts: pl.DataFrame) -> frozenset[str]:
    """Videos of which no row is published any more."""
    if "published" not in verdicts.columns or verdicts["published"].all():
        return frozenset()
    ids, published = measurements["video_id"], verdicts["published"]
    return frozenset(ids.filter(~published).unique()) - frozenset(ids.filter(published).unique())


def known_stats(store: Store, folder: str = "dataset") -> Stats:
    """The dataset's stats. Raises UsageError where there are none."""
    stats = read_stats(store, folder)
    if stats is None:
        raise UsageError(f"{store.url} holds no {folder}/stats.json that this version reads; refilter first")
    return stats


def read_stats(store: Store, folder: str = "dataset") -> Stats | None:
    """The dataset's stats; None where there are none, or none that this version can read."""
    try:
        return Stats.model_validate_json(store.read_bytes(f"{folder}/stats.json"))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def read_plots(store: Store, stats: Stats) -> tuple[Plot, ...]:
    """The plots that were drawn from just these stats; none where one of them is not as it was."""
    try:
        held = PlotList.model_validate_json(store.read_bytes(f"dataset/{PLOTS}"))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return ()
    whole = held.stats_sha256 == stats_sha256(stats) and all(
        side_by_side(store, lambda plot: _holds(store, f"dataset/{plot.file}", plot.sha256), held.plots)
    )
    return held.plots if whole else ()


def _holds(store: Store, name: str, sha256: str) -> bool:
    try:
        return hashlib.sha256(store.read_bytes(name)).hexdigest() == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def stats_sha256(stats: Stats) -> str:
    """Hash of the stats' content."""
    return hashlib.sha256(stats.model_dump_json().encode()).hexdigest()


def put_file(store: Store, name: str, content: bytes) -> None:
    """Write a file unless it holds the same already."""
    with suppress(FileNotFoundError):
        if store.read_bytes(name) == content:
            return
    store.write_bytes(name, content)
