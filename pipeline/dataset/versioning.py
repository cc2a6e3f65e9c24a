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
from reelproof.schemas.published import DatasetError

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
    kept: Ids
    """Of its rows in those."""


def read_release(store: Store) -> Release | None:
    """The dataset that lies there; None where it was never described. Reads one narrow column."""
    try:
        dataset = open_dataset(store)
        described: dict[str, Any] = store.read_json(CROISSANT)
    except (DatasetError, FileNotFoundError):
        return None
    shards = dataset.contents.shards_of(*KEPT_CONFIGS)
    ids = dataset.columns(shards, ("sample_id",))["sample_id"] if shards else pa.array([], pa.string())
    kept = ids_of([pl.Series(ids, dtype=pl.String)])
    return Release(described["version"], described["datePublished"], dataset.contents.dataset_sha256, kept)


def release_of(dataset_sha256: str, before: Release | None, kept: Callable[[], Ids]) -> Release:
    """The dataset as it is now: with a new version and date where the data is not what it was."""
    if before and before.dataset_sha256 == dataset_sha256:
        return before
    now = kept()
    version = FIRST_VERSION
    if before:
        went, came = np.setdiff1d(before.kept, now), np.setdiff1d(now, before.kept)
        version = bump_version(before.version, went=len(went) > 0, came=len(came) > 0)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return Release(version, today, dataset_sha256, now)


def ids_of(series: Iterable[pl.Series]) -> Ids:
    """Numbers that stand for ids in this process, each once."""
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *(each.hash().to_numpy() for each in series)]))
