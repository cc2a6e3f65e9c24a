"""All parts' vectors -> a memory map of them, and what each is of: nobody holds all."""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.disk.store import Store
from reelproof.stages.duplicates.semantic import Embedded

_COLUMNS = ("clip_id", "video_id", "start_s", "end_s", "is_base")


@contextmanager
def embedded_clips(store: Store, parts: Iterable[tuple[str, Collection[str]]]) -> Iterator[Embedded]:
    """The clips of all parts in their order: of each part a file of embeddings, and its videos that count.

    Their vectors lie in a temporary file, as float16: 2.5 MB for a thousand clips of 1280 numbers.
    """
    with tempfile.TemporaryDirectory(prefix="reelproof-vectors-") as folder:
        path = Path(folder, "vectors")
        clips, width = [], 0
        with path.open("wb") as file:
            for name, video_ids in parts:
                rows = pl.DataFrame(read_columns(store, name, (*_COLUMNS, "vector")))
                rows = rows.filter(pl.col("video_id").is_in(list(video_ids)))
                clips.append(rows.select(_COLUMNS))
                vectors = rows["vector"].explode().to_numpy().astype(np.float16)
                width = len(vectors) // len(rows) if len(rows) else width
                file.write(vectors.tobytes())
        every = pl.concat(clips)
        held = np.memmap(path, np.float16, "r") if len(every) else np.zeros(0, np.float16)
        yield Embedded(held.reshape(len(every), width), every)
        del held  # before its file goes
