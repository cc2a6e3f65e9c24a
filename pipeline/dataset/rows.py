"""One part's records -> published rows, in Arrow columns, without a Python object a row."""

import functools
import hashlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelproof.pipeline.dataset.part_files import PartFiles, read_aligned, read_columns, read_metadata
from reelproof.pipeline.dataset.prompt_rows import Places, lines_of_questions, lists, prompts_of
from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.side_by_side import side_by_side
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged
from reelproof.pipeline.parts.stored_frames import StoredFrames
from reelproof.schemas.measurements import score_columns
from reelproof.schemas.record import Record
from reelproof.schemas.sample import DpoSample, RejectedSample, RlSample, SftSample
from reelproof.schemas.scores import QuoteScore
from reelproof.schemas.tables import arrow_schema
from reelproof.stages.measurements import QUESTION_SCORES
from reelproof.stages.teachers.prompts import ROLLOUT_WHERE

SAMPLES: dict[str, type[Record]] = {
    "sft": SftSample,
    "rl": RlSample,
    "dpo": DpoSample,
    "rejected": RejectedSample,
}
"""Config -> its published row."""
OF_QUESTIONS = ("rl", "dpo")
"""Configs whose rows are not one trace each: they have the scores that all rollouts of a question share."""

READ_AT_ONCE = 256
"""Frames, shown or not, that are read together: 2 to 6 MB. What a shard shows is held beside them."""
_TRACE_COLUMNS = ("trace_id", "question_id", "prompt_id", "model", "text", "thought", "answer")
_SPEECH = arrow_schema(SftSample).field("speech").type
QUOTES = frozenset(score_columns((QuoteScore,)))
"""Columns of the check that runs wherever a recipe listens."""


class Frames(NamedTuple):
    """Which frames each of some rows shows: row i shows `places[offsets[i]:offsets[i + 1]]` of `jpegs`."""

    offsets: Places
    places: Places
    jpegs: pa.Array
    """binary; each frame of the part once."""

    def of(self, rows: Places) -> "Frames":
        """The frames of some of the rows."""
        counts = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
        return Frames(offsets, self.places[np.repeat(self.offsets[rows], counts) + within], self.jpegs)

    def between(self, start: int, end: int) -> "Frames":
        """The frames of the rows from `start` to before `end`."""
        low, high = self.offsets[start], self.offsets[end]
        return Frames(self.offsets[start : end + 1] - low, self.places[low:high], self.jpegs)


class Rows(NamedTuple):
    """Some rows of one config: all columns but `images`, and what belongs there (nothing in `rejected`)."""

    table: pa.Table
    frames: Frames | None

    def between(self, start: int, end: int) -> "Rows":
        """The rows from `start` to before `end`."""
        frames = None if self.frames is None else self.frames.between(start, end)
        return Rows(self.table.slice(start, end - start), frames)


class PartRows(NamedTuple):
    """One part's columns, without its frames."""

    traces: pa.Table
    """Columns of `TraceRow` and the completion's text and thought, one row per trace."""
    questions: pa.Table
    """Columns of `Row`, and `prompt`, one row per question."""
    question_of_trace: Places
    image_bytes: int
    """Of the frames that the part holds."""


@functools.cache
def table_schema(config: str, scores: pa.Schema) -> pa.Schema:
    """Columns of a config's rows but `images`: those of its record, then every score; all may be null.

    There is a column `speech` where quotes are looked for, as they are wherever somebody listened.
    """
    kept = set(score_columns(QUESTION_SCORES)) if config in OF_QUESTIONS else set(scores.names)
    left_out = {"images"} if QUOTES & set(scores.names) else {"images", "speech"}
    fields = [field for field in arrow_schema(SAMPLES[config]) if field.name not in left_out]
    fields += [field for field in scores if field.name in kept]
    return pa.schema([pa.field(field.name, nullable(field.type)) for field in fields])


def nullable(kind: pa.DataType) -> pa.DataType:
    """The same type with everything inside it nullable, as `datasets` has it."""
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", nullable(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, nullable(each.type)) for each in kind])
    return kind


def read_part(store: Store, part: PartFiles) -> PartRows:
    """Read all that a part's rows are made of but scores and frames.

    Raises ValueError where a record names another that is not in the part.
    """
    traces = read_columns(store, part.traces, _TRACE_COLUMNS)
    claims = read_aligned(store, part.claims, traces["trace_id"], part.traces)
    questions = read_columns(store, part.questions)
    of_trace = _found(traces["question_id"], questions["question_id"], part.traces, "question")
    shown = questions["frames"].combine_chunks()
    offsets = shown.offsets.to_numpy().astype(np.int64)
    flat = shown.values.slice(offsets[0], offsets[-1] - offsets[0])
    offsets = offsets - offsets[0]
    return PartRows(
        traces=_trace_columns(traces.append_column("claims", claims["claims"])),
        questions=_question_columns(store, part, questions, offsets, flat, _put_with_boxes(traces)),
        question_of_trace=of_trace,
        image_bytes=sum(_column_bytes(read_metadata(store, each.path), each.jpegs) for each in part.frames),
    )


def _column_bytes(metadata: pq.FileMetaData, leaf: str) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    columns = [group.column(place) for group in groups for place in range(group.num_columns)]
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema == leaf)


def _put_with_boxes(traces: pa.Table) -> set[str]:
    """Questions whose rollouts were asked to say where things are."""
    asked = traces.filter(pc.equal(traces["prompt_id"], ROLLOUT_WHERE.prompt_id))
    return set(asked["question_id"].to_pylist())


def _trace_columns(traces: pa.Table) -> pa.Table:
    renamed = {"answer": "prediction", "model": "teacher", "trace_id": "request_id"}
    traces = traces.drop_columns(["question_id"])
    return traces.rename_columns([renamed.get(name, name) for name in traces.column_names])


def _question_columns(
    store: Store,
    part: PartFiles,
    questions: pa.Table,
    offsets: Places,
    shown: pa.Array,
    with_boxes: Collection[str],
) -> pa.Table:
    clips = read_columns(store, part.clips, ("clip_id", "start_s", "end_s"))
    clip = clips.take(_found(questions["clip_id"], clips["clip_id"], part.questions, "clip"))
    videos = pa.Table.from_struct_array(read_columns(store, part.footage, ("video",))["video"])
    video = videos.take(_found(questions["video_id"], videos["video_id"], part.questions, "video"))
    text = questions["text"].combine_chunks()
    columns = {
        "video_id": questions["video_id"],
        "video": video["name"],
        "license": _licenses(part, video),
        "clip_id": questions["clip_id"],
        "clip_start_s": clip["start_s"],
        "clip_end_s": clip["end_s"],
        "frame_times_s": lists(offsets, pc.struct_field(shown, "shown_s")),
        "frame_source_times_s": lists(offsets, _source_times(store, part, shown)),
        "frame_sha256": lists(offsets, pc.struct_field(shown, ["frame", "sha256"])),
        "question_id": questions["question_id"],
        "question_kind": questions["kind"],
        "question_source": questions["source"],
        "task": questions["task"],
        "question": text,
        "options": questions["options"],
        "answer": questions["answer"],
        "tolerance": questions["tolerance"],
        "evidence": questions["evidence"],
        "key_places": questions["key_places"],
    }
    lines = None
    if part.lines:
        lines = lines_of_questions(questions, read_columns(store, part.lines))
        columns["speech"] = pa.array([[each.model_dump() for each in said] for said in lines], _SPEECH)
    columns["prompt"] = prompts_of(
        questions, clip, offsets, pc.struct_field(shown, "shown_s"), lines, with_boxes
    )
    return pa.table(columns)


def _source_times(store: Store, part: PartFiles, shown: pa.Array) -> pa.Array:
    times = pc.struct_field(shown, ["frame", "time_s"])
    if part.edited is None:
        return times
    stored = StoredFrames.of_edited(part.edited)
    edited = pc.struct_field(
        stored.flat(read_columns(store, stored.path, (stored.hashes,))), ["frame", "sha256"]
    )
    hashes = pc.struct_field(shown, ["frame", "sha256"])
    return pc.if_else(pc.is_in(hashes, value_set=edited), pa.scalar(None, times.type), times)


def _licenses(part: PartFiles, videos: pa.Table) -> pa.Array:
    rows = zip(videos["video_id"].to_pylist(), videos["license"].to_pylist(), strict=True)
    return pa.array([part.licenses.get(video_id, stated) for video_id, stated in rows], pa.string())


def read_frames(store: Store, parts: Sequence[PartFiles], hashes: pa.Array, offsets: Places) -> Frames:
    """The frames of some questions, given by hash one after the other, from the parts that show them.

    Raises ValueError for a frame that is in none of the parts, Damaged for one that its hash does not fit.
    """
    if not len(hashes):
        return Frames(offsets, np.zeros(0, dtype=np.int64), pa.array([], pa.binary()))
    stored = [each for part in parts for each in part.frames]
    held = side_by_side(store, lambda each: _shown_of(store, each, hashes), stored)
    known = pa.concat_arrays([pc.struct_field(each, ["frame", "sha256"]) for each in held])
    jpegs = pa.concat_arrays([pc.struct_field(each, "jpeg") for each in held])
    places = _found(hashes, known, parts[0].questions, "frame")
    ends = np.cumsum([len(each) for each in held])
    for place in np.unique(places):
        if hashlib.sha256(jpegs[place].as_buffer()).hexdigest() != known[place].as_py():
            file = stored[np.searchsorted(ends, place, side="right")].path
            raise Damaged(store.url, file, f"frame {known[place]} does not match its sha256")
    return Frames(offsets, places, jpegs)


def _shown_of(store: Store, stored: StoredFrames, hashes: pa.Array) -> pa.StructArray:
    """A file's frames that are among the hashes, each once; of all others few are in memory at a time."""
    missing, shown = hashes.unique(), []
    with open_parquet(store, stored.path) as file:
        filled = np.cumsum(stored.counts(file.metadata)) // READ_AT_ONCE
        for groups in np.split(np.arange(len(filled)), np.flatnonzero(np.diff(filled)) + 1):
            frames = stored.flat(file.read_row_groups(groups.tolist(), columns=[stored.hashes, stored.jpegs]))
            places = pc.index_in(missing, pc.struct_field(frames, ["frame", "sha256"]))
            shown.append(frames.take(places.drop_null().sort()))
            missing = missing.filter(pc.is_null(places))
        return pa.concat_arrays(shown)


def _found(keys: pa.Array, among: pa.Array, file: str, what: str) -> Places:
    """Place of each key among others. Raises ValueError for one that is not there."""
    places = pc.index_in(keys, value_set=among)
    if places.null_count:
        missing = keys.filter(pc.is_null(places))[0].as_py()
        raise ValueError(
            f"{file} names the {what} {missing}, which its part does not hold ({places.null_count} of "
            f"{len(keys)} do not fit): these files are of different builds; delete the file and build again"
        )
    found: Places = places.to_numpy().astype(np.int64)
    return found
