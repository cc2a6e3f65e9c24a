"""A published dataset's folder -> its rows as examples, in a seeded order that can be resumed anywhere.

Only the manifest is trusted: every shard's sha256 is checked before a row is read. Rows come a few row groups
at a time, so memory depends on the window and never on the size of the dataset.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage
from reelproof.schemas.settings import Settings


class DatasetError(ValueError):
    """The folder is no dataset that can be trained on; the message says why and what to do."""


class ShardsConfig(Settings):
    """Which rows of a dataset are read, and in what order."""

    subset: str = Field(default="sft", pattern=r"^[a-z_]+$")
    """The dataset's config: `sft` or `rl`."""
    split: str = Field(default="train", pattern=r"^[a-z_]+$")
    seed: int = 0
    """Of the order; each epoch has its own."""
    window_groups: int = Field(default=4, ge=1, le=64)
    """Row groups that are mixed with each other, and the most that are in memory."""


class Shard(NamedTuple):
    """One Parquet file of the manifest."""

    path: Path
    sha256: str
    rows: int


class Shards(NamedTuple):
    """The checked files of one subset and split, and what the manifest says of the whole dataset."""

    files: tuple[Shard, ...]
    dataset_sha256: str
    policy: str
    """The policy's full text, as the manifest has it."""

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(shard.rows for shard in self.files)


class Example(NamedTuple):
    """One published row, as training and evaluation use it."""

    sample_id: str
    question_id: str
    task: Task
    question: str
    options: tuple[str, ...]
    answer: str
    """Gold."""
    tolerance: float | None
    clip_start_s: float
    clip_end_s: float
    images: tuple[bytes, ...]
    """JPEG files in the order shown: what the teacher saw."""
    prompt: tuple[ChatMessage, ...]
    completion: tuple[ChatMessage, ...] | None
    """Null in subsets that hold questions only."""
    scores: Mapping[str, float | None]
    """The row's numeric columns by name: pass counts, probes, checks."""


class _Group(NamedTuple):
    shard: int
    group: int
    rows: int


def open_shards(dataset: Path, cfg: ShardsConfig) -> Shards:
    """Read the manifest and check every shard of the subset and split against it.

    Raises DatasetError for a folder without a manifest, a missing or changed shard, and an empty split.
    """
    manifest_file = dataset / "manifest.json"
    if not manifest_file.is_file():
        raise DatasetError(f"{dataset} holds no manifest.json; give the `dataset` folder of a finished build")
    text = manifest_file.read_bytes()
    manifest = json.loads(text)
    files = tuple(
        _checked(dataset, each)
        for each in manifest["files"]
        if each["path"].startswith(f"data/{cfg.subset}/{cfg.split}-")
    )
    if not sum(shard.rows for shard in files):
        held = sorted({str(Path(each["path"]).parent.name) for each in manifest["files"] if each["rows"]})
        raise DatasetError(
            f"{dataset} has no rows in subset {cfg.subset}, split {cfg.split}; subsets with rows: "
            f"{', '.join(held) or 'none'}. Choose another split, or a policy that keeps more"
        )
    policy = json.dumps(manifest.get("policy"), sort_keys=True)
    return Shards(files, manifest.get("dataset_sha256") or hashlib.sha256(text).hexdigest(), policy)


def stream_examples(shards: Shards, cfg: ShardsConfig, start: int = 0) -> Iterator[Example]:
    """Examples for ever, epoch after epoch, from row `start` of the order on; those before are not read."""
    epoch, skip = divmod(start, shards.rows)
    while True:
        yield from stream_epoch(shards, cfg, epoch, skip)
        epoch, skip = epoch + 1, 0


def stream_epoch(shards: Shards, cfg: ShardsConfig, epoch: int = 0, skip: int = 0) -> Iterator[Example]:
    """Every row once, in the order that seed and epoch decide: windows of row groups, mixed within."""
    rng = np.random.default_rng([cfg.seed, epoch])
    groups = _groups(shards)
    order = [groups[place] for place in rng.permutation(len(groups))]
    for first in range(0, len(order), cfg.window_groups):
        window = order[first : first + cfg.window_groups]
        places = rng.permutation(sum(group.rows for group in window))
        if skip >= len(places):
            skip -= len(places)
            continue
        table = pa.concat_tables([_read(shards, group) for group in window])
        for place in places[skip:]:
            yield example_of(table.slice(int(place), 1).to_pylist()[0])
        skip = 0


def stream_in_order(shards: Shards) -> Iterator[Example]:
    """Every row once, as it lies in the files."""
    for group in _groups(shards):
        table = _read(shards, group)
        for place in range(table.num_rows):
            yield example_of(table.slice(place, 1).to_pylist()[0])


def read_rows(shards: Shards, places: Sequence[int]) -> list[Example]:
    """The rows at these places of the files' order, in the order asked for; reads only their row groups."""
    groups = _groups(shards)
    ends = np.cumsum([group.rows for group in groups])
    found: dict[int, Example] = {}
    wanted = np.searchsorted(ends, places, side="right")
    for number in sorted(set(wanted.tolist())):
        table = _read(shards, groups[number])
        start = int(ends[number]) - groups[number].rows
        for place in (place for place, group in zip(places, wanted, strict=True) if group == number):
            found[place] = example_of(table.slice(place - start, 1).to_pylist()[0])
    return [found[place] for place in places]


def example_of(row: Mapping[str, Any]) -> Example:
    """A published row, as a dict, as an example."""
    return Example(
        sample_id=row["sample_id"],
        question_id=row["question_id"],
        task=Task(row["task"]),
        question=row["question"],
        options=tuple(row["options"]),
        answer=row["answer"],
        tolerance=row["tolerance"],
        clip_start_s=row["clip_start_s"],
        clip_end_s=row["clip_end_s"],
        images=tuple(image["bytes"] for image in row["images"]),
        prompt=_messages(row["prompt"]),
        completion=_messages(row["completion"]) if row.get("completion") else None,
        scores={name: value for name, value in row.items() if isinstance(value, int | float)},
    )


def _messages(turns: list[dict[str, Any]]) -> tuple[ChatMessage, ...]:
    return tuple(ChatMessage.model_validate(turn) for turn in turns)


def _groups(shards: Shards) -> list[_Group]:
    found: list[_Group] = []
    for number, shard in enumerate(shards.files):
        metadata = pq.read_metadata(shard.path)
        rows = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        found.extend(_Group(number, group, count) for group, count in enumerate(rows))
    return found


def _read(shards: Shards, group: _Group) -> pa.Table:
    with pq.ParquetFile(shards.files[group.shard].path, pre_buffer=False) as file:
        return file.read_row_group(group.group)


def _checked(dataset: Path, entry: Mapping[str, Any]) -> Shard:
    path = dataset / entry["path"]
    if not path.is_file():
        raise DatasetError(f"{path} is named by the manifest but missing; build or fetch the dataset again")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != entry["sha256"]:
        raise DatasetError(
            f"{path} has sha256 {found[:16]}…, the manifest says {entry['sha256'][:16]}…: "
            "it was changed or damaged; build or fetch the dataset again"
        )
    return Shard(path, found, entry["rows"])
