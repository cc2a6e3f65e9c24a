"""What a dataset held before, and holds now -> its next semantic version, in its Croissant file."""

import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.dataset.croissant import bump_version
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.dataset.replace import read_manifest
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store

CROISSANT = "dataset/croissant.json"
FIRST_VERSION = "1.0.0"
KEPT_CONFIGS = ("sft", "rl")


class Release(NamedTuple):
    """A dataset as it was last described."""

    version: str
    date: str
    """Of that version, `YYYY-MM-DD`."""
    dataset_sha256: str
    kept: frozenset[str]
    """Ids of its rows in `sft` and `rl`."""


def read_release(store: Store) -> Release | None:
    """The dataset that lies there; None where it was never described. Reads one narrow column."""
    manifest = read_manifest(store)
    if manifest is None:
        return None
    try:
        described: dict[str, Any] = store.read_json(CROISSANT)
    except FileNotFoundError:
        return None
    files = [file for file in manifest.files if file.config in KEPT_CONFIGS and file.rows]
    tables = side_by_side(
        store, lambda file: read_columns(store, f"dataset/{file.path}", ("sample_id",)), files
    )
    kept = frozenset(each for table in tables for each in table["sample_id"].to_pylist())
    return Release(described["version"], described["datePublished"], manifest.dataset_sha256, kept)


def release_of(dataset_sha256: str, before: Release | None, kept: Callable[[], frozenset[str]]) -> Release:
    """The dataset as it is now: with a new version and date where the data is not what it was."""
    if before and before.dataset_sha256 == dataset_sha256:
        return before
    now = kept()
    version = bump_version(before.version, before.kept, now) if before else FIRST_VERSION
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return Release(version, today, dataset_sha256, now)


def kept_ids(measurements: pl.DataFrame, verdicts: pl.DataFrame) -> frozenset[str]:
    """Ids of the rows that verdicts publish in `sft` and `rl`."""
    sft = verdicts["trace_id"].filter(verdicts["published"] & verdicts["sft"])
    rl = measurements["question_id"].filter(verdicts["published"] & verdicts["rl"])
    return frozenset(sft) | frozenset(rl)
