"""All parts at once, read plainly and without blocks or steps: what tests hold curation against."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
import pytest

from reelproof.pipeline.dataset.blocks import PARTS_A_GROUP, Block, compact, read_sizes
from reelproof.pipeline.dataset.card import CardConfig, write_readme
from reelproof.pipeline.dataset.part_files import PartFiles, measured
from reelproof.pipeline.dataset.shards import ShardReceipt, ShardsConfig, publish
from reelproof.pipeline.dataset.stats_files import decided_rows, gone_videos, write_stats
from reelproof.pipeline.disk.side_by_side import Spread
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.schemas.stats import Stats
from reelproof.stages.policy import PolicyConfig

PARTS_A_BLOCK = 2 * PARTS_A_GROUP


@contextmanager
def small_blocks() -> Iterator[None]:
    """Blocks of two groups of parts, where a build's have eight: two of them are soon made."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("blocks", "shard_plan"):
            patch.setattr(f"reelproof.pipeline.dataset.{module}.PARTS_A_BLOCK", PARTS_A_BLOCK)
        yield


def read_measurements(store: Store, parts: Sequence[PartFiles]) -> pl.DataFrame:
    """Keys and scores of every trace, and its part's place; parts in order and rows as in their files."""
    frames = [
        pl.DataFrame(measured(store, part).rows).with_columns(part=pl.lit(index, pl.UInt32))
        for index, part in enumerate(parts)
    ]
    return pl.concat(frames, how="vertical_relaxed", rechunk=True) if frames else pl.DataFrame()


def write_card(
    store: Store,
    parts: Sequence[PartFiles],
    measurements: pl.DataFrame,
    verdicts: pl.DataFrame,
    cfg: CardConfig,
    study: Mapping[str, Any] | None = None,
) -> Stats:
    """Leave `stats.json`, `README.md` and the examples' frames beside the shards."""
    rows, gone = decided_rows(measurements, verdicts), gone_videos(measurements, verdicts)
    stats = write_stats(store, parts, [rows], gone)
    write_readme(store, cfg, study)
    return stats


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
    spread: Spread | None = None,
    until_replaced: Callable[[], object] = lambda: None,
) -> ShardReceipt:
    """`publish` for tables in memory, which have one row per trace, parts in order."""
    assert verdicts["trace_id"].equals(measurements["trace_id"])
    blocks = compact(store, parts)
    ends = np.cumsum([0, *(read_sizes(store, [each]).traces.sum() for each in blocks)]).tolist()

    def of(block: Block) -> pl.DataFrame:
        return verdicts[ends[block.number] : ends[block.number + 1]]

    return publish(store, blocks, of, splits, policy, cfg, facts, folder, spread, until_replaced)
