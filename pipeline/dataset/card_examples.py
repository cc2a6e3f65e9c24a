"""The first kept rows of a dataset -> examples for its card, with their frames as files."""

from pathlib import PurePosixPath
from typing import Any, NamedTuple

from reelproof.pipeline.dataset.boxed_frames import drawn, places_on_frames
from reelproof.pipeline.dataset.stats_files import put_file
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.published import Published

_FOLDER = "examples"
_FRAMES = 8
"""Shown of one example, evenly picked."""
_LOOKED_AT = 100
"""Rows among which examples are found."""


class ExampleFrame(NamedTuple):
    """A frame as a file beside the card."""

    file: str
    caption: str


class Example(NamedTuple):
    """One row, for people."""

    video: str
    clip_start_s: float
    clip_end_s: float
    task: str
    question: str
    options: tuple[str, ...]
    thought: str
    answer: str
    frames: tuple[ExampleFrame, ...]


def write_examples(store: Store, dataset: Published, wanted: int) -> list[Example]:
    """The first row of `sft` of as many tasks, their frames as files in `examples/`; older ones go."""
    rows = _first_rows(dataset, wanted)
    jpegs: dict[str, bytes] = {}
    examples = []
    for row in rows:
        boxed = places_on_frames(row)
        picked = sorted({*_picked(len(row["images"])), *boxed})
        names = []
        for place in picked:
            name, jpeg = row["frame_sha256"][place][:16], row["images"][place]["bytes"]
            if place in boxed:
                name, jpeg = f"{name}-{row['sample_id'][:8]}", drawn(jpeg, boxed[place])
            names.append(f"{_FOLDER}/{name}.jpg")
            jpegs[names[-1]] = jpeg
        captions = [_caption(place, row["frame_times_s"][place]) for place in picked]
        examples.append(
            Example(
                video=row["video"],
                clip_start_s=row["clip_start_s"],
                clip_end_s=row["clip_end_s"],
                task=row["task"],
                question=row["question"],
                options=tuple(row["options"]),
                thought=row["thought"],
                answer=row["prediction"] or row["answer"],
                frames=tuple(
                    ExampleFrame(name, caption) for name, caption in zip(names, captions, strict=True)
                ),
            )
        )
    held = {f"{_FOLDER}/{name}" for name in store.names(f"dataset/{_FOLDER}")}
    old = [name for name in held - set(jpegs) if PurePosixPath(name).suffix == ".jpg"]
    side_by_side(store, lambda name: store.remove(f"dataset/{name}"), old)
    side_by_side(store, lambda name: put_file(store, f"dataset/{name}", jpegs[name]), jpegs)
    return examples


def _first_rows(dataset: Published, wanted: int) -> list[dict[str, Any]]:
    """Rows with frames, from the first row group of the first shard that has any: one per task."""
    for shard in dataset.contents.shards_of("sft") if wanted else ():
        with dataset.open(shard) as file:
            rows = next(file.iter_batches(_LOOKED_AT, row_groups=[0])).to_pylist()
        by_task = {row["task"]: row for row in reversed(rows) if row["images"]}
        if by_task:
            return list(by_task.values())[::-1][:wanted]
    return []


def _caption(place: int, time_s: float | None) -> str:
    return f"Frame {place + 1}" if time_s is None else f"{time_s:.1f} s"


def _picked(count: int) -> list[int]:
    return sorted({round(place * (count - 1) / max(_FRAMES - 1, 1)) for place in range(min(count, _FRAMES))})
