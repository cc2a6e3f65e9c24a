"""Shards as they are to be -> their files, in one pass over the blocks whose rows they hold."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa

from reelproof.pipeline.dataset.block_rows import Words, read_words, rows_of
from reelproof.pipeline.dataset.rows import table_schema
from reelproof.pipeline.dataset.shard_files import ShardWriter, WrittenShard
from reelproof.pipeline.dataset.shard_plan import Placed, Shard, Share, Verdicts, shard_pieces
from reelproof.pipeline.disk.side_by_side import together
from reelproof.pipeline.disk.store import Store


class Sources(NamedTuple):
    """Where rows come from, and what they are to look like."""

    store: Store
    scores: pa.Schema
    verdicts: Verdicts
    policy: str
    """Its name."""


def write_shards(sources: Sources, staging: str, shards: Sequence[Shard]) -> dict[str, WrittenShard]:
    """Write shards into the staging folder, each block read once for all of them. Returns path -> file.

    While rows of one block are written, the next one is read.
    """
    with ExitStack() as opened:
        files = {each.path: opened.enter_context(_ShardFile(sources, staging, each)) for each in shards}
        held: _Held | None = None
        for turn, following in _turns(shards):
            jobs: list[Callable[[], Any]] = [partial(_read, sources, following)]
            if held:
                jobs += [partial(files[shard.path].take, held, share) for shard, share in reversed(turn)]
            held, *_ = together(sources.store, *jobs)
        return {path: file.close() for path, file in files.items()}


_Turn = Sequence[tuple[Shard, Share]]
"""Those shards that take rows of a block, and which."""


def _turns(shards: Sequence[Shard]) -> Iterator[tuple[_Turn, _Turn]]:
    """One block after the other, with the one that follows; at the ends there is none."""
    of_block: defaultdict[int, list[tuple[Shard, Share]]] = defaultdict(list)
    for shard in shards:
        for share in shard.shares:
            of_block[share.block.number].append((shard, share))
    turns = [of_block[number] for number in sorted(of_block)]
    return zip([(), *turns], [*turns, ()], strict=True)


class _Held(NamedTuple):
    """A block that was read."""

    words: Words
    placed: Placed


def _read(sources: Sources, turn: _Turn) -> _Held | None:
    """What a block's shards need of it; nothing where there is no block."""
    if not turn:
        return None
    store, share = sources.store, turn[0][1]
    parts = range(min(each.parts.start for _, each in turn), max(each.parts.stop for _, each in turn))
    configs = {shard.config for shard, _ in turn}
    words, decided = together(
        store,
        lambda: read_words(store, share.block, share.sizes, parts, configs, sources.scores),
        lambda: sources.verdicts(share.block),
    )
    return _Held(words, Placed(words.keys, decided, share.sizes, share.held_out))


class _ShardFile:
    """A shard's file, to which one block after the other adds rows; it is whole once it is closed."""

    def __init__(self, sources: Sources, staging: str, shard: Shard) -> None:
        self._sources, self._staging, self._shard = sources, staging, shard
        self._opened = ExitStack()
        self._writer: ShardWriter | None = None
        self._written: WrittenShard | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def take(self, held: _Held, share: Share) -> None:
        """Add a block's rows; with those of its last one, the file is closed."""
        writer, config = self._open(), self._shard.config
        store, scores, _, policy = self._sources
        for piece in shard_pieces(share, held.placed, config, self._shard.split):
            writer.add(rows_of(store, held.words, piece, config, scores, policy))
        if share is self._shard.shares[-1]:
            self.close()

    def close(self) -> WrittenShard:
        """Make the file whole. A shard without rows is a file, too."""
        if self._written is None:
            self._written = self._open().close()
            self._opened.close()
        return self._written

    def _open(self) -> ShardWriter:
        if self._writer is None:
            path = self._opened.enter_context(
                _file(self._sources.store, f"{self._staging}/{self._shard.path}")
            )
            config = self._shard.config
            schema = table_schema(config, self._sources.scores)
            self._writer = ShardWriter(path, schema, with_images=config != "rejected")
            self._opened.callback(self._writer.abandon)
        return self._writer


@contextmanager
def _file(store: Store, name: str) -> Iterator[Path]:
    """A path of this machine; what is written there is the store's file once the block ends well."""
    if store.is_local:
        yield Path(store.path(name))
    else:
        with store.open_write(name) as stream:
            yield Path(stream.name)
