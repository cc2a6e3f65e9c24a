"""A part's files -> rows that are compared over all parts: what questions ask and show, and its frames."""

import string
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.dataset.part_files import read_columns
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.answers.scores import GRADED_TASKS
from reelproof.schemas.question import WHEN, Task

_QUESTION_COLUMNS = (
    *("question_id", "clip_id", "video_id", "source", "kind", "task", "text", "options", "answer"),
)
_COMPARED = (
    *("question_id", "clip_id", "video_id", "task", "options", "answer", "proof", "right"),
    *("first_s", "last_s"),
)
_SHOWN = tuple(f"frames.list.element.frame.{field}" for field in ("phash", "time_s"))
_ASKED = pl.col("text").str.strip_prefix(WHEN)
"""Without what all sentences of a grounding set are asked with: it would make them alike."""
_OPTIONS = (
    pl.when(pl.col("task") == Task.MULTIPLE_CHOICE)
    .then(pl.col("options").list.eval(pl.element().str.to_lowercase()).list.sort())
    .otherwise("options")
)
"""In an order of their own, since a question asks the same whichever of them comes first."""
_LETTERS = pl.DataFrame({"answer": list(string.ascii_uppercase), "place": range(26)})


class CurrentPart(NamedTuple):
    """A part as far as it counts: names of its files in the build's store, and its videos."""

    footage: str
    clips: str
    questions: str
    video_ids: tuple[str, ...]
    """Those that are among the sources now, and that no later part tried again."""
    meanings: str | None = None
    """Vectors of questions, where they have some."""


def read_asked(store: Store, part: CurrentPart) -> pl.DataFrame:
    """What questions are compared by.

    Columns: `question_id`, `clip_id`, `video_id`, `text` (with its options), `asked` (without), `task`,
    `options`, `answer`, `proof` and `right` (see `_with_proof`), `view` (hashes of the frames that it shows,
    as numbers, in their order; null where it shows none), `first_s` and `last_s` (times of the first and the
    last of them); where questions have vectors also `vector`.
    """
    table = read_columns(store, part.questions, (*_QUESTION_COLUMNS, *_SHOWN))
    frames = table["frames"].combine_chunks()
    shown = pl.Series(_of_shown(frames, "phash"), dtype=pl.List(pl.String))
    view = shown.list.eval(pl.element().str.to_integer(base=16, dtype=pl.UInt64))
    times_s = pl.Series(_of_shown(frames, "time_s"), dtype=pl.List(pl.Float64))
    rows = pl.DataFrame(table.drop_columns(["frames"])).with_columns(
        view.alias("view"), first_s=times_s.list.first(), last_s=times_s.list.last()
    )
    text = pl.concat_str(_ASKED, _OPTIONS.list.join(" "), separator=" ")
    view_or_none = pl.when(pl.col("view").list.len() > 0).then("view")
    wanted = [text, _ASKED.alias("asked"), view_or_none, *map(pl.col, _COMPARED)]
    if part.meanings is not None:
        vectors = pl.DataFrame(read_columns(store, part.meanings, ("question_id", "vector")))
        rows = rows.join(vectors, on="question_id", how="left", maintain_order="left")
        wanted.append(pl.col("vector"))
    return _current(_with_proof(rows), part).select(*wanted)


def read_questions(store: Store, part: CurrentPart) -> pl.DataFrame:
    """`question_id`, `clip_id`, `video_id`, `video` (the name of its file) and `text`."""
    rows = pl.DataFrame(read_columns(store, part.questions, ("question_id", "clip_id", "video_id", "text")))
    videos = read_columns(store, part.footage, ("video.video_id", "video.name"))["video"].combine_chunks()
    names = pl.DataFrame(
        {
            "video_id": pl.Series(pc.struct_field(videos, "video_id"), dtype=pl.String),
            "video": pl.Series(pc.struct_field(videos, "name"), dtype=pl.String),
        }
    )
    names = names.unique("video_id", maintain_order=True)
    asked = rows.with_columns(_ASKED).join(names, on="video_id", how="left", maintain_order="left")
    return _current(asked, part)


def read_frames(store: Store, part: CurrentPart) -> pl.DataFrame:
    """`video_id`, `clip_id`, `phash`: one row a keyframe of a clip."""
    clips = read_columns(store, part.clips, ("clip_id", "video_id", "keyframes.list.element.phash"))
    keyframes = clips["keyframes"].combine_chunks()
    owner = pc.list_parent_indices(keyframes)
    columns = {name: clips[name].combine_chunks().take(owner) for name in ("video_id", "clip_id")}
    phash = pc.struct_field(pc.list_flatten(keyframes), "phash")
    return _current(pl.DataFrame(pa.table({**columns, "phash": phash})), part)


def _with_proof(rows: pl.DataFrame) -> pl.DataFrame:
    """Two columns of what two questions must have in common to ask the same.

    `proof`: a computed answer follows from what is shown: where it is another, so is what is shown. `right`:
    the answer as anybody would give it, empty where that is a degree, and two may say the same otherwise.
    """
    right = pl.coalesce(pl.col("options").list.get(pl.col("place"), null_on_oob=True), "answer")
    number = pl.col("answer").cast(pl.Float64, strict=False).cast(pl.String)
    plain = pl.coalesce(pl.when(pl.col("task") == Task.NUMERICAL).then(number), right)
    return rows.join(_LETTERS, on="answer", how="left", maintain_order="left").with_columns(
        proof=pl.when(pl.col("source") == "computed")
        .then(pl.concat_str("kind", right, separator="\x00"))
        .otherwise(pl.lit("")),
        right=pl.when(pl.col("task").is_in(GRADED_TASKS))
        .then(pl.lit(""))
        .otherwise(plain.str.strip_chars().str.to_lowercase()),
    )


def _of_shown(frames: pa.ListArray, field: str) -> pa.ListArray:
    """Lists of shown frames -> lists of one field of those frames."""
    lengths = pc.fill_null(pc.list_value_length(frames), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))])
    values = pc.struct_field(pc.list_flatten(frames), ["frame", field])
    return pa.LargeListArray.from_arrays(offsets, values)


def _current(rows: pl.DataFrame, part: CurrentPart) -> pl.DataFrame:
    return rows.filter(pl.col("video_id").is_in(part.video_ids))
