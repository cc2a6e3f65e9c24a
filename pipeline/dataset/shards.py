"""Parts and verdicts -> the dataset's shards and manifest; only shards whose rows changed are written."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
from pydantic import Field

from reelproof.pipeline.dataset.block_rows import read_rows
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.replace import open_staging, read_manifest, replace_files, trusted_files
from reelproof.pipeline.dataset.rows import table_schema
from reelproof.pipeline.dataset.shard_files import ShardWriter, WrittenShard
from reelproof.pipeline.dataset.shard_plan import Layout, Shard, plan_shards, read_layout, shard_pieces
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts, Manifest, ManifestFile
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.settings import Settings

SHARDS_AT_ONCE = 4
"""That are written to an object store side by side: each holds frames in memory."""


class ShardsConfig(Settings):
    """How large shards become."""

    megabytes: int = Field(default=200, ge=1, le=500)
    """Size at which a shard is closed, were everything kept; one part alone may be larger."""


class SplitRows(NamedTuple):
    """How many rows a split has."""

    config: str
    split: str
    rows: int


class ShardReceipt(NamedTuple):
    """What writing the dataset came to."""

    written: int
    unchanged: int
    dataset_sha256: str
    rows: tuple[SplitRows, ...]


def write_dataset(
    store: Store,
    parts: Sequence[PartFiles],
    measurements: pl.DataFrame,
    verdicts: pl.DataFrame,
    splits: Mapping[str, str],
    policy: PolicyConfig,
    cfg: ShardsConfig,
    facts: BuildFacts,
    folder: str = "dataset",
) -> ShardReceipt:
    """Write `data/{sft,rl,rejected}/{train,test}-…parquet` and `manifest.json` under the store's `folder`.

    `measurements` (of `read_block_measurements`) and `verdicts` (of `decide`) have one row a trace, parts in
    order; `splits` names each video's split. A shard with the same rows as before is not touched. In memory
    are a block's words and up to 100 MB of frames for each shard that is being written.

    Raises ValueError where tables and parts do not fit each other, DiskFull where there is no room; the
    dataset that was there before is then as it was.
    """
    reads: list[Callable[[], Any]] = [
        lambda: read_layout(store, parts),
        lambda: trusted_files(store, folder, read_manifest(store, folder)),
    ]
    layout, held = side_by_side(store, lambda read: read(), reads)
    _check_fit(layout, measurements, verdicts)
    shards = list(plan_shards(layout, measurements, verdicts, splits, policy.name, cfg.megabytes))
    changed = [shard for shard in shards if not _is_held(shard, held)]
    with open_staging(store, folder) as staging:
        written = (
            _write_shards(store, layout, changed, verdicts["reasons"], policy.name, staging)
            if changed
            else {}
        )
        entries = tuple(_entry(shard, written.get(shard.path), held) for shard in shards)
        moved = {each.path: staging / each.path for each in entries if _is_new(each, held)}
        manifest = Manifest(
            dataset_sha256=dataset_sha256(entries),
            policy=policy,
            files=tuple(sorted(entries, key=lambda each: each.path)),
            rejected=reason_counts(verdicts),
            facts=facts,
        )
        replace_files(store, folder, moved, manifest)
    return ShardReceipt(len(moved), len(entries) - len(moved), manifest.dataset_sha256, _split_rows(entries))


def dataset_sha256(files: Sequence[ManifestFile]) -> str:
    """One hash for all data: over `{path} {sha256}` lines, sorted by path."""
    lines = "".join(f"{each.path} {each.sha256}\n" for each in sorted(files, key=lambda each: each.path))
    return hashlib.sha256(lines.encode()).hexdigest()


def _check_fit(layout: Layout, measurements: pl.DataFrame, verdicts: pl.DataFrame) -> None:
    traces = int(layout.starts.traces[-1])
    if not len(measurements) == len(verdicts) == traces:
        raise ValueError(
            f"the parts hold {traces} traces, but there are {len(measurements)} measurements and "
            f"{len(verdicts)} verdicts; read and decide all parts again"
        )
    if len(verdicts) and not verdicts["trace_id"].equals(measurements["trace_id"]):
        raise ValueError("verdicts are not in the order of the measurements; decide again")


def _write_shards(
    store: Store, layout: Layout, shards: Sequence[Shard], reasons: pl.Series, policy: str, staging: Path
) -> dict[str, WrittenShard]:
    """Write shards side by side, each from the blocks of its own parts."""
    largest_first = sorted(shards, key=lambda each: -len(each.rows))

    def write(shard: Shard) -> WrittenShard:
        return _write_shard(store, layout, shard, reasons, policy, staging)

    written = side_by_side(store, write, largest_first, SHARDS_AT_ONCE)
    return dict(zip((shard.path for shard in largest_first), written, strict=True))


def _write_shard(
    store: Store, layout: Layout, shard: Shard, reasons: pl.Series, policy: str, staging: Path
) -> WrittenShard:
    schema = table_schema(shard.config, layout.scores)
    writer = ShardWriter(staging / shard.path, schema, with_images=shard.config != "rejected")
    try:
        for piece in shard_pieces(layout, shard):
            told = reasons.gather(piece.rows) if shard.config == "rejected" else None
            why = None if told is None else told.to_arrow().cast(pa.list_(pa.string()))
            writer.add(read_rows(store, piece, shard.config, layout.scores, layout.starts, policy, why))
        return writer.close()
    finally:
        writer.abandon()


def _is_held(shard: Shard, held: Mapping[str, ManifestFile]) -> bool:
    return shard.path in held and held[shard.path].fingerprint == shard.fingerprint


def _entry(shard: Shard, written: WrittenShard | None, held: Mapping[str, ManifestFile]) -> ManifestFile:
    if written is None:
        return held[shard.path]
    return ManifestFile(
        path=shard.path,
        config=shard.config,
        split=shard.split,
        rows=written.rows,
        size_bytes=written.size_bytes,
        sha256=written.sha256,
        fingerprint=shard.fingerprint,
    )


def _is_new(entry: ManifestFile, held: Mapping[str, ManifestFile]) -> bool:
    return entry.path not in held or held[entry.path].sha256 != entry.sha256


def reason_counts(verdicts: pl.DataFrame) -> dict[str, int]:
    """Reason -> traces that it keeps out of `sft`; a trace counts for each of its reasons."""
    counted = verdicts["reasons"].explode().drop_nulls().value_counts(name="traces").sort("reasons")
    return dict(counted.iter_rows())


def _split_rows(entries: Sequence[ManifestFile]) -> tuple[SplitRows, ...]:
    splits = dict.fromkeys((each.config, each.split) for each in entries)
    return tuple(
        SplitRows(
            config, split, sum(each.rows for each in entries if (each.config, each.split) == (config, split))
        )
        for config, split in splits
    )
