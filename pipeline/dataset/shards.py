"""Parts and verdicts -> the dataset's shards and manifest; only shards whose rows changed are written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pydantic import Field

from reelproof.pipeline.dataset.blocks import Block
from reelproof.pipeline.dataset.replace import open_staging, read_manifest, replace_files, trusted_files
from reelproof.pipeline.dataset.shard_files import WrittenShard
from reelproof.pipeline.dataset.shard_plan import (
    Layout,
    Marks,
    Shard,
    Verdicts,
    mark_rows,
    plan_shards,
    read_layout,
)
from reelproof.pipeline.dataset.shard_writing import Sources, write_shards
from reelproof.pipeline.disk.side_by_side import Here, Spread, side_by_side, together
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts, Manifest, ManifestFile
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.settings import Settings


class ShardsConfig(Settings):
    """How large shards become."""

    megabytes: int = Field(default=200, ge=1, le=500)
    """Size at which a shard is closed, were everything kept; one part alone may be larger."""


class ShardReceipt(NamedTuple):
    """What writing the dataset came to."""

    written: int
    unchanged: int
    dataset_sha256: str


def publish(
    store: Store,
    blocks: Sequence[Block],
    verdicts: Verdicts,
    splits: Mapping[str, str],
    policy: PolicyConfig,
    cfg: ShardsConfig,
    facts: BuildFacts,
    folder: str = "dataset",
    spread: Spread | None = None,
    until_replaced: Callable[[], object] = lambda: None,
) -> ShardReceipt:
    """Write each config's `data/{config}/{train,test}-…parquet` and `manifest.json` under the `folder`.

    `splits` names each video's split. A shard with the same rows as before is not touched. Shards are written
    by `spread`, each alone, or in this process, those with few frames together: in memory are marks of all
    parts, two blocks' words for those that are written together, and up to 100 MB of frames for each. No file
    that is there is replaced before `until_replaced` returns: it waits for who still reads them.

    Raises ValueError where blocks and verdicts do not fit each other, DiskFull where there is no room; the
    dataset that was there before is then as it was.
    """
    layout, held = together(
        store,
        lambda: read_layout(store, blocks),
        lambda: trusted_files(store, folder, read_manifest(store, folder)),
    )
    marks = side_by_side(store, lambda block: _mark(store, layout, block, verdicts, splits), blocks)
    shards = list(plan_shards(layout, marks, policy.name, cfg.megabytes))
    changed = sorted(
        (each for each in shards if not _is_held(each, held)), key=lambda each: -len(each.shares)
    )
    with open_staging(store, folder) as staging:
        write = partial(write_shards, Sources(store, layout.scores, verdicts, policy.name), staging)
        runs = [(each,) for each in changed] if spread else _sharing(changed)
        written = {path: file for done in (spread or Here(store))(write, runs) for path, file in done.items()}
        entries = tuple(_entry(shard, written.get(shard.path), held) for shard in shards)
        moved = {each.path: f"{staging}/{each.path}" for each in entries if _is_new(each, held)}
        manifest = Manifest(
            dataset_sha256=dataset_sha256(entries),
            policy=policy,
            files=tuple(sorted(entries, key=lambda each: each.path)),
            rejected=add_reasons(each.reasons for each in marks),
            facts=facts,
        )
        until_replaced()
        replace_files(store, folder, moved, manifest)
    return ShardReceipt(len(moved), len(entries) - len(moved), manifest.dataset_sha256)


def dataset_sha256(files: Sequence[ManifestFile]) -> str:
    """One hash for all data: over `{path} {sha256}` lines, sorted by path."""
    lines = "".join(f"{each.path} {each.sha256}\n" for each in sorted(files, key=lambda each: each.path))
    return hashlib.sha256(lines.encode()).hexdigest()


def _sharing(shards: Iterable[Shard]) -> list[tuple[Shard, ...]]:
    """Those with few frames together, so that a block's words are read once; each other one alone."""
    apart: list[tuple[Shard, ...]] = []
    together: list[Shard] = []
    for each in shards:
        if each.shows_much:
            apart.append((each,))
        else:
            together.append(each)
    return [tuple(together), *apart] if together else apart


def _mark(store: Store, layout: Layout, block: Block, verdicts: Verdicts, splits: Mapping[str, str]) -> Marks:
    return mark_rows(store, layout.share(block, range(len(block.parts)), frozenset()), verdicts, splits)


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


def add_reasons(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Reason -> traces, of all together, by name."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))
