"""A published dataset -> the same rows in another project's layout, with what it takes to start its
trainer.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.export.layouts import LAYOUTS, Layout
from reelproof.pipeline.export.rows import read_rows
from reelproof.pipeline.export.starts import STARTS, learns_from, start_text
from reelproof.schemas.manifest import ManifestFile
from reelproof.schemas.published import Contents, Published, open_folder


class Exported(NamedTuple):
    """What an export left."""

    target: Path
    rows: Mapping[str, int]
    """`sft/train` -> rows."""
    skipped: Mapping[str, int]
    """`sft/train` -> rows that the layout has no place for."""
    starts: tuple[str, ...]
    """Files that show how to start the trainer."""


def export(folder: Path, target: Path, layout: str) -> Exported:
    """Write a dataset's rows to a new folder in a layout of `LAYOUTS`; the folder is there whole or not at
    all.

    Every row passes through memory once, a few at a time. `folder` is that of a build or its
    `dataset` folder. Raises UsageError for an unknown layout, a folder that is no dataset, a target that
    holds something, and a dataset without rows for the layout.
    """
    if layout not in LAYOUTS:
        raise UsageError(f"there is no layout {layout!r}; it may be one of: {', '.join(LAYOUTS)}")
    dataset = open_folder(folder)
    shards = _shards(dataset.contents, layout)
    with new_folder(target) as staging:
        rows, skipped = _write(dataset, shards, staging, LAYOUTS[layout])
        starts = _write_starts(staging, layout, rows)
    return Exported(target, rows, skipped, starts)


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which is `target` once it is whole. Raises UsageError where that holds something."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already and not empty; name a new folder for the export")
    staging = target.with_name(f".{target.name}.export-{os.getpid()}")
    try:
        staging.mkdir(parents=True)
        yield staging
        if target.exists():
            target.rmdir()
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _shards(contents: Contents, layout: str) -> list[ManifestFile]:
    wanted = LAYOUTS[layout].configs
    shards = contents.shards_of(*wanted)
    if not shards:
        raise UsageError(
            f"layout {layout} takes rows of {' and '.join(wanted)}; this dataset has rows in "
            f"{', '.join(contents.configs) or 'none of its configs'}"
        )
    return sorted(shards, key=lambda file: (file.config, file.split, file.path))


def _write(
    dataset: Published, shards: list[ManifestFile], root: Path, layout: Layout
) -> tuple[dict[str, int], dict[str, int]]:
    rows: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for config, split in dict.fromkeys((shard.config, shard.split) for shard in shards):
        writer = layout.open(root, config, split)
        for shard in shards:
            if (shard.config, shard.split) == (config, split):
                for row in read_rows(dataset, shard):
                    (rows if writer.add(row) else skipped)[f"{config}/{split}"] += 1
        writer.close()
    return dict(rows), dict(skipped)


def _write_starts(root: Path, layout: str, rows: Mapping[str, int]) -> tuple[str, ...]:
    """Those that have rows of the split `train` to start on."""
    configs = {config for config, _, split in (each.partition("/") for each in rows) if split == "train"}
    starts = tuple(name for name in STARTS[layout] if learns_from(name) in (None, *configs))
    for name in starts:
        (root / name).write_text(start_text(layout, name, configs), encoding="utf-8")
    return starts
