"""Verdicts and splits -> which rows make which shard, and a fingerprint that tells whether it changed.

A shard is the rows of a run of consecutive parts, closed by the size of what they hold: neither the policy
nor what comes later moves its bounds. Nothing is read here but narrow columns.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.part_files import PartFiles, read_metadata
from reelproof.pipeline.dataset.rows import SAMPLES, Places, table_schema
from reelproof.pipeline.dataset.shard_files import VERSION, file_schema
from reelproof.pipeline.disk.store import Store

CONFIGS = tuple(SAMPLES)
SPLITS = ("train", "test")

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
    """Parts with their number of traces and their sizes, and the columns that their scores have."""

    parts: tuple[PartFiles, ...]
    starts: Places
    """(parts + 1,) the first trace of each part, and the number of all."""
    image_bytes: _Bytes
    """(parts,) of candidate frames."""
    text_bytes: _Bytes
    """(parts,) of completions."""
    scores: pa.Schema


def read_layout(store: Store, parts: Sequence[PartFiles]) -> Layout:
    """From the footers of the parts' files. Raises ValueError where parts differ in their scores' columns."""
    traces = [read_metadata(store, part.traces) for part in parts]
    schemas = [_score_schema(store, part) for part in parts]
    for part, schema in zip(parts, schemas, strict=True):
        if not schema.equals(schemas[0]):
            raise ValueError(
                f"the scores of {part.traces} have the columns {', '.join(schema.names)}, those of "
                f"{parts[0].traces} {', '.join(schemas[0].names)}; build, so that all have the same checks"
            )
    footages = [read_metadata(store, part.footage) for part in parts]
    return Layout(
        parts=tuple(parts),
        starts=np.cumsum([0, *(each.num_rows for each in traces)]),
        image_bytes=np.array([_column_bytes(each, ("candidates.list.element.jpeg",)) for each in footages]),
        text_bytes=np.array([_column_bytes(each, ("text", "thought")) for each in traces]),
        scores=schemas[0] if schemas else pa.schema([]),
    )


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
    bounds = np.searchsorted(rows_part(layout, rows), np.arange(len(layout.parts) + 1))
    for part, (low, high) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        if high > low:
            yield part, rows[low:high] - layout.starts[part]


def rows_part(layout: Layout, rows: Places) -> Places:
    """Which part each row is of."""
    return np.searchsorted(layout.starts, rows, side="right") - 1


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
    traces = np.diff(layout.starts)
    counted = np.concatenate([[0], np.cumsum(inside, dtype=np.int64)])
    share = (counted[layout.starts[1:]] - counted[layout.starts[:-1]]) / np.maximum(traces, 1)
    images = 0.0 if config == "rejected" else layout.image_bytes
    texts = 0.0 if config == "rl" else layout.text_bytes
    wanted: _Bytes = (images + texts) * share
    return wanted


def _fingerprint(
    layout: Layout, columns: pa.Schema, policy: str, rows: Places, codes: npt.NDArray[np.uint64] | None
) -> str:
    digest = hashlib.sha256(f"{VERSION} {pa.__version__} {policy}\n{columns.to_string()}\n".encode())
    for part, own in part_slices(layout, rows):
        digest.update(layout.parts[part].identity.encode())
        digest.update(own.astype("<i8").tobytes())
    if codes is not None:
        digest.update(codes.astype("<u8").tobytes())
    return digest.hexdigest()[:32]


def _stable_hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def _score_schema(store: Store, part: PartFiles) -> pa.Schema:
    schemas = [read_metadata(store, path).schema.to_arrow_schema() for path in part.scores.values()]
    return pa.schema(
        [field.remove_metadata() for schema in schemas for field in schema if field.name != "trace_id"]
    )


def _column_bytes(metadata: "pa.parquet.FileMetaData", names: tuple[str, ...]) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    columns = [group.column(place) for group in groups for place in range(group.num_columns)]
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema in names)
