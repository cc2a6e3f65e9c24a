"""All parts at once, read plainly and without blocks or steps: what tests hold curation against."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from reelproof.pipeline.dataset.card import CardConfig, write_readme
from reelproof.pipeline.dataset.part_files import PartFiles, measured
from reelproof.pipeline.dataset.stats_files import decided_rows, gone_videos, write_stats
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.stats import Stats


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
