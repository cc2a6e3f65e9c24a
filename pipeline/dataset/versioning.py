"""What a dataset held before, and holds now -> its next semantic version, in its Croissant file."""

import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from reelproof.pipeline.dataset.croissant import bump_version
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.published import DatasetError

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
    try:
        dataset = open_dataset(store)
        described: dict[str, Any] = store.read_json(CROISSANT)
    except (DatasetError, FileNotFoundError):
        return None
    shards = dataset.contents.shards_of(*KEPT_CONFIGS)
    kept = frozenset(dataset.columns(shards, ("sample_id",))["sample_id"].to_pylist() if shards else ())
    return Release(described["version"], described["datePublished"], dataset.contents.dataset_sha256, kept)


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
