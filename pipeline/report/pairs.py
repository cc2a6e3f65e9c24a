"""A row of `dpo` -> its two traces as its page shows them side by side."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reelproof.pipeline.report.shown import Piece
from reelproof.pipeline.report.view import cite
from reelproof.schemas.answers.reading import read_completion


class ShownSide(NamedTuple):
    """One of a pair's traces."""

    caption: str
    thought: tuple[Piece, ...]
    prediction: str | None
    teacher: str
    sample_id: str
    """Of its own row, in `sft` or in `rejected`."""


def show_pair(row: Mapping[str, Any]) -> tuple[ShownSide, ...]:
    """The chosen trace and the rejected one; nothing for a row of another config."""
    return tuple(_sides(row)) if row["config"] == "dpo" else ()


def _sides(row: Mapping[str, Any]) -> Iterator[ShownSide]:
    for side, caption in (("chosen", "Chosen"), ("rejected", "Rejected")):
        text = row[side][0]["content"][0]["text"]
        yield ShownSide(
            caption=caption,
            thought=tuple(cite(read_completion(text).thought, row["frame_times_s"])),
            prediction=row[f"{side}_prediction"],
            teacher=row[f"{side}_teacher"],
            sample_id=row[f"{side}_request_id"],
        )
