"""A clip with a vector -> the clips of the build that show most nearly what it shows."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.steps.embedding import EMBEDDING
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.embedding import ClipEmbedding
from reelproof.schemas.footage import Clip
from reelproof.schemas.tables import arrow_schema

SHOWN_ALIKE = 5
_COLUMNS = ("clip_id", "video_id", "start_s", "end_s", "vector")


class Other(NamedTuple):
    """Another clip, the nearest first in order."""

    cosine: float
    clip_id: str
    where: str
    """Its stretch, and of which film."""


def tell_alike(workplace: Workplace, part: PartInputs, clip: Clip) -> Iterator[str]:
    """A line for each of the nearest clips, of other films or of other stretches of its own.

    Nothing where the recipe makes no vectors, or the build is not that far.
    """
    mine = _vectors(workplace, part).filter(pl.col("clip_id") == clip.clip_id)
    if not len(mine):
        return
    others = (each for other in workplace.parts for each in _others(workplace, other, clip, mine))
    for each in heapq.nlargest(SHOWN_ALIKE, others):
        yield f"  like it: clip {each.clip_id}, {each.where}: cosine {each.cosine:.2f}"


def _others(workplace: Workplace, part: PartInputs, clip: Clip, mine: pl.DataFrame) -> Iterator[Other]:
    """The clips of a part that do not overlap this one, and how near each comes."""
    overlaps = (
        (pl.col("video_id") == clip.video_id)
        & (pl.col("start_s") < clip.end_s)
        & (pl.col("end_s") > clip.start_s)
    )
    names = {source.video_id: source.file.name for source in part.sources}
    rows = _vectors(workplace, part).filter(~overlaps & pl.col("video_id").is_in(list(names)))
    cosines = np.stack(rows["vector"].to_list()) @ np.asarray(mine["vector"][0]) if len(rows) else ()
    for (clip_id, video_id, start_s, end_s), cosine in zip(rows.drop("vector").rows(), cosines, strict=True):
        yield Other(float(cosine), clip_id, f"[{start_s:.2f}, {end_s:.2f}) s of {names[video_id]}")


def _vectors(workplace: Workplace, part: PartInputs) -> pl.DataFrame:
    """Of the part's clips; no rows where it is not that far."""
    step = next((each for each in workplace.dag.steps if each.name == EMBEDDING.name), None)
    if step is None or not workplace.store.exists(step.file(part)):
        return pl.DataFrame(arrow_schema(ClipEmbedding).empty_table().select(_COLUMNS))
    return pl.DataFrame(read_columns(workplace.store, step.file(part), _COLUMNS))
