"""What a dataset held before, and holds now -> its next semantic version, in its Croissant file."""

import datetime
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.croissant import bump_version
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.published import DatasetError, Published

CROISSANT = "dataset/croissant.json"
FIRST_VERSION = "1.0.0"
KEPT_CONFIGS = ("sft", "rl", "dpo")

Ids = npt.NDArray[np.uint64]


class Release(NamedTuple):
    """A dataset as it was last described."""

    version: str
    date: str
    """Of that version, `YYYY-MM-DD`."""
    dataset_sha256: str
    kept: Ids | None
    """Of its rows in those; None where a shard cannot be read."""


def read_release(store: Store) -> Release | None:
    """The dataset that lies there; None where it was never described. Reads one narrow column."""
    try:
        dataset = open_dataset(store)
        described: dict[str, Any] = store.read_json(CROISSANT)
        version, date = str(described["version"]), str(described["datePublished"])
        bump_version(version, went=True, came=True)
    except (DatasetError, FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return Release(version, date, dataset.contents.dataset_sha256, _kept_ids(dataset))


def _kept_ids(dataset: Published) -> Ids | None:
    shards = dataset.contents.shards_of(*KEPT_CONFIGS)
    try:
        ids = dataset.columns(shards, ("sample_id",))["sample_id"] if shards else pa.array([], pa.string())
    except (OSError, pa.ArrowException, KeyError):
        return None
    return ids_of([pl.Series(ids, dtype=pl.String)])


def release_of(dataset_sha256: str, before: Release | None, kept: Callable[[], Ids]) -> Release:
    """The dataset as it is now: with a new version and date where the data is not what it was."""
    if before and before.dataset_sha256 == dataset_sha256:
        return before
    now = kept()
    version = FIRST_VERSION
    if before and before.kept is None:
        version = bump_version(before.version, went=True, came=True)
    elif before and before.kept is not None:
        went = np.setdiff1d(before.kept, now, assume_unique=True)
        came = np.setdiff1d(now, before.kept, assume_unique=True)
        version = bump_version(before.version, went=len(went) > 0, came=len(came) > 0)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return Release(version, today, dataset_sha256, now)


def ids_of(series: Iterable[pl.Series]) -> Ids:
    """Numbers that stand for ids in this process, each once."""
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *(each.hash().to_numpy() for each in series)]))
