"""Verdicts and splits -> which rows make which shard, and a fingerprint that tells whether it changed.

A shard is the rows of a run of consecutive parts, closed by the size of what they hold: neither the policy
nor what comes later moves its bounds. Nothing is read here but narrow columns.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.block_rows import Piece, Starts, starts_of
from reelproof.pipeline.dataset.blocks import (
    PARTS_A_BLOCK,
    Block,
    PartSizes,
    compact,
    read_score_schema,
    read_sizes,
)
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.rows import SAMPLES, Places, table_schema
from reelproof.pipeline.dataset.shard_files import VERSION, file_schema
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store

CONFIGS = tuple(SAMPLES)
SPLITS = ("train", "test")

READ_AT_ONCE_BYTES = 32_000_000
"""Of frames of parts that are read together for a shard."""

_Bytes = npt.NDArray[np.float64]


class Shard(NamedTuple):
    """One shard as it is to be."""

    config: str
    split: str
    path: str
    rows: Places
    """Of the build's traces, counted over all parts; in the order in which they are written."""
    fingerprint: str


class Layout(NamedTuple):
    """All parts in their blocks, with their sizes, and the columns that their scores have."""

    blocks: tuple[Block, ...]
    sizes: PartSizes
    starts: Starts
    scores: pa.Schema

    @property
    def parts(self) -> tuple[PartFiles, ...]:
        """All parts, in order."""
        return tuple(part for block in self.blocks for part in block.parts)


def read_layout(store: Store, parts: Sequence[PartFiles]) -> Layout:
    """The parts' blocks, made where they are not there. Raises ValueError where parts do not fit."""
    blocks = compact(store, parts)
    reads: list[Callable[[], Any]] = [
        lambda: read_sizes(store, blocks),
        lambda: read_score_schema(store, blocks),
    ]
    sizes, scores = side_by_side(store, lambda read: read(), reads)
    return Layout(blocks, sizes, starts_of(sizes), scores)


def plan_shards(
    layout: Layout,
    keys: pl.DataFrame,
    verdicts: pl.DataFrame,
    splits: Mapping[str, str],
    policy: str,
    megabytes: int,
) -> Iterator[Shard]:
    """All shards of all configs and splits, those without rows as well.

    `keys` (`clip_id`, `video_id`) and `verdicts` have one row a trace, parts in order; rows whose verdict, if
    it has that column, says that they are not `published` are in no shard. `policy` is its name.
    Raises ValueError for a video without a split.
    """
    videos = keys["video_id"].unique(maintain_order=True)
    if missing := [each for each in videos.to_list() if splits.get(each) not in SPLITS]:
        raise ValueError(f"{len(missing)} videos have no split, such as {missing[0]}; expected train or test")
    place = keys["video_id"].replace_strict(videos, range(len(videos)), return_dtype=pl.Int64).to_numpy()
    place = place.astype(np.int64)  # an empty column comes as float
    in_test = np.array([splits[each] == "test" for each in videos.to_list()], dtype=bool)[place]
    order, reasons = _side_by_side(keys, layout), _reason_codes(verdicts)
    published = _published(verdicts)
    for config in CONFIGS:
        kept = published & (verdicts["sft" if config != "rl" else "rl"].to_numpy() ^ (config == "rejected"))
        columns = file_schema(table_schema(config, layout.scores), config != "rejected")
        for split in SPLITS:
            inside = in_test == (split == "test")
            rows = order[(kept & inside)[order]]
            runs = part_runs(_part_bytes(layout, config, inside), megabytes * 1e6)
            bounds = np.searchsorted(runs[rows_part(layout, rows)], np.arange(1, runs.max(initial=0) + 1))
            for index, own in enumerate(np.split(rows, bounds)):
                codes = reasons[own] if config == "rejected" else None
                path = f"data/{config}/{split}-{index:05d}.parquet"
                yield Shard(config, split, path, own, _fingerprint(layout, columns, policy, own, codes))


def part_runs(sizes: _Bytes, limit: float) -> Places:
    """Which run each part is in, (parts,): a run is closed before the part that would take it past the limit.

    A part larger than the limit is a run of its own. Parts that follow change nothing.
    """
    runs, run, held = np.zeros(len(sizes), dtype=np.int64), 0, 0.0
    for part, size in enumerate(sizes.tolist()):
        if held and held + size > limit:
            run, held = run + 1, 0.0
        runs[part] = run
        held += size
    return runs


def part_slices(layout: Layout, rows: Places) -> Iterator[tuple[int, Places]]:
    """A shard's rows, part by part: the part's place, and rows counted from its first trace."""
    found = rows_part(layout, rows)
    edges = np.flatnonzero(np.diff(found)) + 1
    for own in np.split(rows, edges) if len(rows) else ():
        part = int(np.searchsorted(layout.starts.traces, own[0], side="right")) - 1
        yield part, own - layout.starts.traces[part]


def shard_pieces(layout: Layout, shard: Shard) -> Iterator[Piece]:
    """What of a shard is read together: rows of one block, and of parts whose frames are not too many."""
    held: list[int] = []
    frames, block = 0, -1
    for part in np.unique(rows_part(layout, shard.rows)).tolist():
        size = 0 if shard.config == "rejected" else int(layout.sizes.image_bytes[part])
        if held and (part // PARTS_A_BLOCK != block or (frames and frames + size > READ_AT_ONCE_BYTES)):
            yield _piece(layout, shard, held)
            held, frames = [], 0
        held, frames, block = [*held, part], frames + size, part // PARTS_A_BLOCK
    if held:
        yield _piece(layout, shard, held)


def _piece(layout: Layout, shard: Shard, parts: Sequence[int]) -> Piece:
    low, high = np.searchsorted(rows_part(layout, shard.rows), [parts[0], parts[-1] + 1])
    return Piece(
        layout.blocks[parts[0] // PARTS_A_BLOCK], range(parts[0], parts[-1] + 1), shard.rows[low:high]
    )


def rows_part(layout: Layout, rows: Places) -> Places:
    """Which part each row is of."""
    return np.searchsorted(layout.starts.traces, rows, side="right") - 1


def _published(verdicts: pl.DataFrame) -> npt.NDArray[np.bool_]:
    if "published" not in verdicts.columns:
        return np.ones(len(verdicts), dtype=bool)
    return verdicts["published"].to_numpy()


def _side_by_side(keys: pl.DataFrame, layout: Layout) -> Places:
    """All rows in an order in which those of one clip follow each other, within their part."""
    clips = keys["clip_id"]
    natural = np.arange(len(clips))
    if not len(clips) or int(clips.rle_id()[-1]) + 1 == clips.n_unique():
        return natural
    firsts = keys.select(pl.int_range(pl.len()).first().over("clip_id").alias("first"))["first"].to_numpy()
    return np.lexsort((natural, firsts, rows_part(layout, natural)))


def _reason_codes(verdicts: pl.DataFrame) -> npt.NDArray[np.uint64]:
    """A stable number for each row's list of reasons."""
    told = verdicts["reasons"].list.join(" ")
    distinct = told.unique()
    codes = [_stable_hash(each) for each in distinct.to_list()]
    return told.replace_strict(distinct, codes, return_dtype=pl.UInt64).to_numpy()


def _part_bytes(layout: Layout, config: str, inside: npt.NDArray[np.bool_]) -> _Bytes:
    """(parts,) bytes of a config and split before compression if everything were kept."""
    counted = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])
    share = np.diff(counted[layout.starts.traces]) / np.maximum(layout.sizes.traces, 1)
    images = 0 if config == "rejected" else layout.sizes.image_bytes
    texts = 0 if config == "rl" else layout.sizes.text_bytes
    wanted: _Bytes = (images + texts) * share
    return wanted


def _fingerprint(
    layout: Layout, columns: pa.Schema, policy: str, rows: Places, codes: npt.NDArray[np.uint64] | None
) -> str:
    parts = layout.parts
    digest = hashlib.sha256(f"{VERSION} {pa.__version__} {policy}\n{columns.to_string()}\n".encode())
    for part, own in part_slices(layout, rows):
        digest.update(parts[part].identity.encode())
        digest.update(own.astype("<i8").tobytes())
    if codes is not None:
        digest.update(codes.astype("<u8").tobytes())
    return digest.hexdigest()[:32]


def _stable_hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
