"""Parts and verdicts -> the dataset's shards and manifest; only shards whose rows changed are written."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.replace import open_staging, replace_files, trusted_files
from reelproof.pipeline.dataset.rows import PartRows, Places, Rows, read_part, table_schema
from reelproof.pipeline.dataset.shard_files import ShardWriter, WrittenShard
from reelproof.pipeline.dataset.shard_plan import Layout, Shard, part_slices, plan_shards, read_layout
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts, Manifest, ManifestFile
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.settings import Settings


class ShardsConfig(Settings):
    """How large shards become."""

    megabytes: int = Field(default=200, ge=1, le=500)
    """Size at which a shard is closed, were everything kept; one part alone may be larger."""


_Work = dict[int, dict[str, list[tuple[Shard, Places]]]]
"""Part -> config -> the shards that get rows from it, and which."""


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

    `measurements` (of `read_measurements`) and `verdicts` (of `decide`) have one row a trace, parts in order;
    `splits` names each video's split. A shard with the same rows as before is not touched. In memory are
    one part, the next one, and up to a row group for each shard that is being written.

    Raises ValueError where tables and parts do not fit each other, DiskFull where there is no room; the
    dataset that was there before is then as it was.
    """
    layout = read_layout(store, parts)
    _check_fit(layout, measurements, verdicts)
    shards = list(plan_shards(layout, measurements, verdicts, splits, policy.name, cfg.megabytes))
    held = trusted_files(store, folder)
    changed = [shard for shard in shards if not _is_held(shard, held)]
    judged = measurements.select(*layout.scores.names, verdicts["reasons"])
    with open_staging(store, folder) as staging:
        written = _write_shards(store, layout, changed, judged, policy.name, staging) if changed else {}
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
    if not len(measurements) == len(verdicts) == layout.starts[-1]:
        raise ValueError(
            f"the parts hold {layout.starts[-1]} traces, but there are {len(measurements)} measurements and "
            f"{len(verdicts)} verdicts; read and decide all parts again"
        )
    if len(verdicts) and not verdicts["trace_id"].equals(measurements["trace_id"]):
        raise ValueError("verdicts are not in the order of the measurements; decide again")


def _write_shards(
    store: Store, layout: Layout, shards: Sequence[Shard], judged: pl.DataFrame, policy: str, staging: Path
) -> dict[str, WrittenShard]:
    """Write shards side by side, each in the order of the parts; at most two parts are being written."""
    work = _work_by_part(layout, shards)
    writers = {shard.path: _open_writer(layout, shard, staging) for shard in shards}
    last: dict[str, Future[None]] = {}
    before: list[Future[None]] = []
    try:
        with ThreadPoolExecutor(1 + max(2, os.cpu_count() or 1)) as pool:
            for part, rows in _read_ahead(store, layout, work, judged, pool):
                first, now = int(layout.starts[part]), []
                for config, pieces in work[part].items():
                    wanted = np.concatenate([own for _, own in pieces])
                    told = judged["reasons"].gather(wanted + first) if config == "rejected" else None
                    taking = pool.submit(_take, rows, config, wanted, told, policy)
                    ends = np.cumsum([len(own) for _, own in pieces]).tolist()
                    for (shard, own), end in zip(pieces, ends, strict=True):
                        after = last.get(shard.path)
                        span = slice(end - len(own), end)
                        last[shard.path] = pool.submit(_add, writers[shard.path], taking, span, after)
                        now.append(last[shard.path])
                for each in before:
                    each.result()
                before = now
            for each in before:
                each.result()
            closed = {path: pool.submit(writer.close) for path, writer in writers.items()}
            return {path: each.result() for path, each in closed.items()}
    finally:
        for writer in writers.values():
            writer.abandon()


def _work_by_part(layout: Layout, shards: Sequence[Shard]) -> _Work:
    """Which rows of which part go to which shard; parts without any are left out."""
    work: _Work = {}
    for shard in sorted(shards, key=lambda each: -len(each.rows)):  # what takes longest begins first
        for part, rows in part_slices(layout, shard.rows):
            work.setdefault(part, {}).setdefault(shard.config, []).append((shard, rows))
    return dict(sorted(work.items()))


def _read_ahead(
    store: Store,
    layout: Layout,
    work: _Work,
    judged: pl.DataFrame,
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[int, PartRows]]:
    def read(part: int) -> Future[PartRows]:
        start, end = layout.starts[part : part + 2].tolist()
        scores = judged[start:end].select(layout.scores.names).to_arrow().cast(layout.scores)
        images = any(config != "rejected" for config in work[part])
        return pool.submit(read_part, store, layout.parts[part], scores, images)

    reading: Future[PartRows] | None = None
    wanted = list(work)
    for part, following in zip_longest(wanted, wanted[1:]):
        rows = (reading or read(part)).result()
        reading = None if following is None else read(following)
        yield part, rows


def _open_writer(layout: Layout, shard: Shard, staging: Path) -> ShardWriter:
    schema = table_schema(shard.config, layout.scores)
    return ShardWriter(staging / shard.path, schema, with_images=shard.config != "rejected")


def _take(part: PartRows, config: str, rows: Places, reasons: pl.Series | None, policy: str) -> Rows:
    told = None if reasons is None else reasons.to_arrow().cast(pa.list_(pa.string()))
    return part.take(config, rows, told, policy)


def _add(writer: ShardWriter, taking: Future[Rows], span: slice, after: Future[None] | None) -> None:
    """Add a span of a part's rows to a shard, after the part before. What it waits for began earlier."""
    rows = taking.result().between(span.start, span.stop)
    if after is not None:
        after.result()
    writer.add(rows)


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
