"""Verdicts and splits -> which parts make which shard, and a fingerprint that tells whether its rows changed.

A shard is the rows of a run of consecutive parts, closed by the size of what they hold: neither the policy
nor what comes later moves its bounds. Blocks are looked at one by one; of each, some marks are kept.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from reelproof.pipeline.dataset.block_rows import Piece
from reelproof.pipeline.dataset.blocks import PARTS_A_BLOCK, Block, PartSizes, read_score_schema, read_sizes
from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.dataset.prompt_rows import Places
from reelproof.pipeline.dataset.rows import SAMPLES, table_schema
from reelproof.pipeline.dataset.shard_files import VERSION, file_schema
from reelproof.pipeline.disk.side_by_side import together
from reelproof.pipeline.disk.store import Store

CONFIGS = tuple(SAMPLES)
SPLITS = ("train", "test")
SETS = tuple((config, split) for config in CONFIGS for split in SPLITS)

READ_AT_ONCE_BYTES = 32_000_000
"""Of frames of parts that are read together for a shard."""

_Bytes = npt.NDArray[np.float64]

Verdicts = Callable[[Block], pl.DataFrame]
"""A block -> `sft`, `rl`, `reasons`, `chosen` and `pair_reason` as `decide` gives them and, where rows may
be left out, `published`: one row per trace."""


class Layout(NamedTuple):
    """All parts in their blocks, with their sizes, and the columns that their scores have."""

    blocks: tuple[Block, ...]
    sizes: PartSizes
    scores: pa.Schema

    def share(self, block: Block, parts: range, held_out: frozenset[str]) -> "Share":
        """Some of a block's parts, by their places in it."""
        end = block.first + len(block.parts)
        return Share(block, PartSizes(*(each[block.first : end] for each in self.sizes)), parts, held_out)


class Share(NamedTuple):
    """Consecutive parts of a block that a shard takes rows from."""

    block: Block
    sizes: PartSizes
    """Of all the block's parts."""
    parts: range
    """Their places in the block."""
    held_out: frozenset[str]
    """Videos of the block that are in the split `test`."""


class Shard(NamedTuple):
    """One shard as it is to be."""

    config: str
    split: str
    path: str
    shares: tuple[Share, ...]
    fingerprint: str

    @property
    def shows_much(self) -> bool:
        """Whether its parts hold more frames than are read together, which its rows may show."""
        held = (each.sizes.image_bytes[each.parts.start : each.parts.stop].sum() for each in self.shares)
        return self.config != "rejected" and sum(held) > READ_AT_ONCE_BYTES


class Marks(NamedTuple):
    """What is kept of a block whose rows were looked at."""

    in_test: Places
    """(parts,) traces in the split `test`."""
    held_out: frozenset[str]
    digests: Mapping[tuple[str, str], tuple[bytes, ...]]
    """Config and split -> of each part, a hash of which of its rows are there; empty where none is."""
    reasons: Mapping[str, int]
    """Reason -> traces that it keeps out of `sft`."""


def read_layout(store: Store, blocks: Sequence[Block]) -> Layout:
    """What blocks hold, from their footers. Raises ValueError where they have different columns."""
    sizes, scores = together(
        store, lambda: read_sizes(store, blocks), lambda: read_score_schema(store, blocks)
    )
    return Layout(tuple(blocks), sizes, scores)


def mark_rows(store: Store, share: Share, verdicts: Verdicts, splits: Mapping[str, str]) -> Marks:
    """Look at all rows of a block. Raises ValueError for a video without a split."""
    decided = verdicts(share.block)
    keys = pl.DataFrame(read_columns(store, share.block.measured, ("clip_id", "video_id")))
    videos = keys["video_id"].unique(maintain_order=True).to_list()
    if missing := [each for each in videos if splits.get(each) not in SPLITS]:
        raise ValueError(f"{len(missing)} videos have no split, such as {missing[0]}; expected train or test")
    held_out = frozenset(each for each in videos if splits[each] == "test")
    placed = Placed(keys, decided, share.sizes, held_out)
    reasons = decided["reasons"].list.join(" ")
    pairs = decided.select(pl.concat_str("chosen", "pair_reason", pl.lit(reasons), separator=" "))
    codes = {"rejected": _codes(reasons), "dpo": _codes(pairs.to_series())}
    return Marks(
        in_test=np.add.reduceat(np.append(placed.in_test, 0), placed.starts[:-1]) * (share.sizes.traces > 0),
        held_out=held_out,
        digests={each: tuple(_digests(placed, *each, codes.get(each[0]))) for each in SETS},
        reasons=count_reasons(decided["reasons"]),
    )


def count_reasons(reasons: pl.Series) -> dict[str, int]:
    """Reason -> rows that it is among the reasons of."""
    return dict(reasons.explode().drop_nulls().value_counts().iter_rows())


def plan_shards(layout: Layout, marks: Sequence[Marks], policy: str, megabytes: int) -> Iterator[Shard]:
    """All shards of all configs and splits, those without rows as well; `policy` is its name."""
    for config, split in SETS:
        columns = file_schema(table_schema(config, layout.scores), config != "rejected")
        digests = [digest for each in marks for digest in each.digests[config, split]]
        runs = part_runs(_part_bytes(layout, marks, config, split), megabytes * 1e6)
        for index in range(int(runs.max(initial=0)) + 1):
            own = range(int(np.searchsorted(runs, index)), int(np.searchsorted(runs, index + 1)))
            yield Shard(
                config,
                split,
                f"data/{config}/{split}-{index:05d}.parquet",
                tuple(_shares(layout, marks, own)),
                _fingerprint(layout, columns, policy, own, digests),
            )


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


def shard_pieces(share: Share, placed: "Placed", config: str, split: str) -> Iterator[Piece]:
    """What of a shard's share is taken together: rows of parts whose frames are not too many."""
    rows = placed.rows(config, split)
    chosen = _chosen_rows(placed, rows) if config == "dpo" else None
    frames = share.sizes.image_bytes * (config != "rejected")
    for parts in _together(np.unique(placed.part[rows]), frames, share.parts):
        low, high = np.searchsorted(placed.part[rows], [parts.start, parts.stop])
        mine = rows[low:high]
        told = placed.verdicts.select("reasons", "pair_reason")[mine]
        yield Piece(share.block, parts, mine, told, None if chosen is None else chosen[low:high])


def _together(parts: Places, frames: Places, inside: range) -> Iterator[range]:
    held: list[int] = []
    size = 0
    for part in parts[(parts >= inside.start) & (parts < inside.stop)].tolist():
        if held and size and size + frames[part] > READ_AT_ONCE_BYTES:
            yield range(held[0], held[-1] + 1)
            held, size = [], 0
        held, size = [*held, part], size + int(frames[part])
    if held:
        yield range(held[0], held[-1] + 1)


class Placed:
    """A block's rows in the order in which shards hold them: a clip's together, within their part."""

    def __init__(
        self, keys: pl.DataFrame, verdicts: pl.DataFrame, sizes: PartSizes, held_out: frozenset[str]
    ) -> None:
        if not len(keys) == len(verdicts) == int(sizes.traces.sum()):
            raise ValueError(
                f"a block of parts holds {int(sizes.traces.sum())} traces, but there are {len(keys)} "
                f"measurements and {len(verdicts)} verdicts; read and decide all parts again"
            )
        self.keys, self.verdicts = keys, verdicts
        self.starts: Places = np.cumsum([0, *sizes.traces])
        self.part: Places = np.repeat(np.arange(len(sizes.traces)), sizes.traces)
        self.in_test = keys["video_id"].is_in(list(held_out)).to_numpy()
        self._order = _clips_together(keys["clip_id"], self.part)
        published = "published" in verdicts.columns
        here = verdicts["published"].to_numpy() if published else np.ones(len(verdicts), dtype=bool)
        sft, rl = verdicts["sft"].to_numpy(), verdicts["rl"].to_numpy()
        paired = verdicts["chosen"].is_not_null().to_numpy()
        self._kept = {"sft": here & sft, "rl": here & rl, "dpo": here & paired, "rejected": here & ~sft}

    def rows(self, config: str, split: str) -> Places:
        """Those of a config and split, counted from the block's first."""
        inside = self.in_test == (split == "test")
        rows: Places = self._order[(self._kept[config] & inside)[self._order]]
        return rows


def _chosen_rows(placed: Placed, rows: Places) -> Places:
    """The row of each paired row's chosen trace: that of its own part, where a video was tried again."""
    part = placed.part
    every = placed.keys.select("trace_id").with_columns(part=pl.Series(part)).with_row_index("place")
    wanted = pl.DataFrame({"trace_id": placed.verdicts["chosen"].gather(rows), "part": part[rows]})
    found = wanted.join(
        every.unique(["trace_id", "part"]), on=["trace_id", "part"], how="left", maintain_order="left"
    )["place"]
    if found.has_nulls():
        raise ValueError("verdicts pair a trace with one that its part does not hold; decide again")
    return found.to_numpy().astype(np.int64)


def _clips_together(clips: pl.Series, part: Places) -> Places:
    natural: Places = np.arange(len(clips))
    if not len(clips) or int(clips.rle_id()[-1]) + 1 == clips.n_unique():
        return natural
    rows = clips.to_frame("clip").select(pl.int_range(pl.len()).first().over("clip").alias("first"))
    return np.lexsort((natural, rows["first"].to_numpy(), part))


def _codes(told: pl.Series) -> npt.NDArray[np.uint64]:
    """A stable number for each row's words; 0 where there are none."""
    distinct = told.drop_nulls().unique()
    codes = [int.from_bytes(hashlib.sha256(each.encode()).digest()[:8]) for each in distinct.to_list()]
    numbers = told.replace_strict(distinct, codes, default=None, return_dtype=pl.UInt64)
    return numbers.fill_null(0).to_numpy()


def _digests(
    placed: Placed, config: str, split: str, codes: npt.NDArray[np.uint64] | None
) -> Iterator[bytes]:
    """Of each part of a block: which of its rows, counted from its first, are there, and what they tell."""
    rows = placed.rows(config, split)
    bounds = np.searchsorted(placed.part[rows], np.arange(1, len(placed.starts) - 1))
    for part, own in enumerate(np.split(rows, bounds)):
        digest = hashlib.sha256((own - placed.starts[part]).astype("<i8").tobytes())
        if codes is not None:
            digest.update(codes[own].astype("<u8").tobytes())
        yield digest.digest() if len(own) else b""


def _part_bytes(layout: Layout, marks: Sequence[Marks], config: str, split: str) -> _Bytes:
    """(parts,) bytes of a config and split before compression if everything were kept."""
    traces = np.maximum(layout.sizes.traces, 1)
    in_test = np.concatenate([[], *(each.in_test for each in marks)])
    share = (in_test if split == "test" else layout.sizes.traces - in_test) / traces
    images = 0 if config == "rejected" else layout.sizes.image_bytes
    texts = layout.sizes.text_bytes * {"rl": 0, "dpo": 2}.get(config, 1)
    wanted: _Bytes = (images + texts) * share
    return wanted


def _shares(layout: Layout, marks: Sequence[Marks], parts: range) -> Iterator[Share]:
    for number in range(parts.start // PARTS_A_BLOCK, -(-parts.stop // PARTS_A_BLOCK)):
        block = layout.blocks[number]
        low, high = max(parts.start - block.first, 0), min(parts.stop - block.first, len(block.parts))
        yield layout.share(block, range(low, high), marks[number].held_out)


def _fingerprint(
    layout: Layout, columns: pa.Schema, policy: str, parts: range, digests: Sequence[bytes]
) -> str:
    digest = hashlib.sha256(f"{VERSION} {pa.__version__} {policy}\n{columns.to_string()}\n".encode())
    for part in parts:
        if digests[part]:
            files = layout.blocks[part // PARTS_A_BLOCK].parts[part % PARTS_A_BLOCK]
            digest.update(files.identity.encode() + digests[part])
    return digest.hexdigest()[:32]
