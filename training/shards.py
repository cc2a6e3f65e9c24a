"""A published dataset's folder -> its rows as examples, in a seeded order that can be resumed anywhere.

Every shard's sha256 is checked before a row is read. Rows come a few row groups at a time, so memory depends
on the window and never on the size of the dataset.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from reelproof.schemas.manifest import ManifestFile
from reelproof.schemas.place import Place
from reelproof.schemas.published import DatasetError, Published, open_folder
from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage
from reelproof.schemas.speech import SpeechLine
from reelproof.training.settings.rows import ShardsConfig


class Shards(NamedTuple):
    """The checked files of one subset and split."""

    published: Published
    """The dataset that they are of."""
    files: tuple[ManifestFile, ...]

    @property
    def rows(self) -> int:
        """How many rows all files have together."""
        return sum(shard.rows for shard in self.files)

    @property
    def dataset_sha256(self) -> str:
        """Which dataset it is."""
        return self.published.contents.dataset_sha256

    @property
    def policy(self) -> str:
        """The policy's full text, as the manifest has it."""
        return json.dumps(self.published.contents.policy, sort_keys=True)


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
    video_id: str
    video: str
    """The file's name."""
    frame_times_s: tuple[float | None, ...]
    """As shown; null where frames go by their places."""
    frame_source_times_s: tuple[float | None, ...]
    """In the films that they are of."""
    images: tuple[bytes, ...]
    """JPEG files in the order shown: what the teacher saw."""
    prompt: tuple[ChatMessage, ...]
    completion: tuple[ChatMessage, ...] | None
    """Of a pair the chosen one; null in subsets that hold questions only."""
    scores: Mapping[str, float | None]
    """The row's numeric columns by name: pass counts, probes, checks."""
    rejected: tuple[ChatMessage, ...] | None = None
    """The worse completion of a pair; null in other subsets."""
    key_places: tuple[Place, ...] = ()
    """What proves the answer, and where in which frame, as far as it came with the question."""
    labels: Mapping[str, str] = MappingProxyType({})
    """What its set sorts it by, such as `kind`."""
    speech: tuple[SpeechLine, ...] = ()
    """What is said, as it stands among the frames in its prompt."""


class _Group(NamedTuple):
    shard: int
    group: int
    rows: int


def open_shards(folder: Path, cfg: ShardsConfig) -> Shards:
    """Open the dataset in a build's folder, or in its own, and check every shard of the subset and split.

    Raises DatasetError for a folder without a dataset, a missing or changed shard, and an empty split.
    """
    published = open_folder(folder)
    files = published.contents.shards_of(cfg.subset, split=cfg.split)
    if not files:
        held = {f"{file.config} {file.split}": None for file in published.contents.shards if file.rows}
        raise DatasetError(
            f"{published.place} has no rows in subset {cfg.subset}, split {cfg.split}; it has some in "
            f"{', '.join(held) or 'none'}. Choose one of these (shards.subset, shards.split), or `reelproof "
            "refilter` with a policy that keeps more or splits that hold out less (splits.test_share)"
        )
    for shard in files:
        published.check(shard)
    return Shards(published, files)


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
    for shard in shards.files:
        yield from map(example_of, shards.published.rows(shard))


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
        video_id=row["video_id"],
        video=row["video"],
        frame_times_s=tuple(row["frame_times_s"]),
        frame_source_times_s=tuple(row["frame_source_times_s"]),
        images=tuple(image["bytes"] for image in row["images"]),
        prompt=_messages(row["prompt"]),
        completion=_messages(said) if (said := row.get("completion") or row.get("chosen")) else None,
        scores={name: value for name, value in row.items() if isinstance(value, int | float)},
        rejected=_messages(row["rejected"]) if row.get("rejected") else None,
        key_places=tuple(Place.model_validate(each) for each in row.get("key_places") or ()),
        labels={"kind": row["question_kind"]},
        speech=tuple(SpeechLine.model_validate(each) for each in row.get("speech") or ()),
    )


def _messages(turns: list[dict[str, Any]]) -> tuple[ChatMessage, ...]:
    return tuple(ChatMessage.model_validate(turn) for turn in turns)


def _groups(shards: Shards) -> list[_Group]:
    found: list[_Group] = []
    for number, shard in enumerate(shards.files):
        with shards.published.open(shard) as file:
            rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        found.extend(_Group(number, group, count) for group, count in enumerate(rows))
    return found


def _read(shards: Shards, group: _Group) -> pa.Table:
    with shards.published.open(shards.files[group.shard]) as file:
        return file.read_row_group(group.group)
