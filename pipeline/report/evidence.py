"""A published row -> what the build's parts still know of it: the request as sent, and its frames.

A dataset without its build, as one from the Hub, has no parts: then there is nothing to tell beyond the row.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.stored_frames import StoredFrames
from reelproof.pipeline.report.clip_map import thinned
from reelproof.pipeline.report.rows import ReportRows
from reelproof.pipeline.teachers.kinds import teacher_identity
from reelproof.pipeline.workplace import PLAN, RECIPE, Workplace, open_workplace
from reelproof.schemas.chat import ChatRequest
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record
from reelproof.schemas.speech import ClipSound, SpeechLine, shows_clip
from reelproof.schemas.tables import from_table
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.traces import ClipQuestion, rollout_requests
from reelproof.stages.teachers.protocol import TeacherUnavailable

R = TypeVar("R", bound=Record)


class Sent(NamedTuple):
    """A request to a teacher, made again from what it followed from."""

    request: ChatRequest
    is_proven: bool
    """Its hash is the row's `request_id`: this is what was sent, to the letter."""


class Evidence:
    """The parts behind a dataset. Safe to ask from several threads."""

    def __init__(self, store: Store, rows: ReportRows, fingerprints: Mapping[str, str]) -> None:
        """`fingerprints` are those of the steps that made the dataset, as its manifest has them."""
        self._store = store
        self._fingerprints = fingerprints
        self._rows = rows
        self._lock = Lock()
        """So that the pictures of one page, asked for at once, are read once."""
        self._row_images = lru_cache(maxsize=64)(rows.images)
        self._clip_rows = lru_cache(maxsize=64)(rows.numbers_of_clip)
        self._group = lru_cache(maxsize=4)(self._read_group)
        self._places = lru_cache(maxsize=16)(self._read_places)

    @cached_property
    def has_parts(self) -> bool:
        """Whether the build that made the dataset is here."""
        return self._store.exists(RECIPE) and self._store.exists(PLAN)

    def request(self, row: Mapping[str, Any]) -> Sent | None:
        """What a trace answers, or the first one of the question of another row; None where no part tells."""
        key = ("trace_id", row["sample_id"]) if "request_id" in row else ("question_id", row["question_id"])
        trace = self._record(row, "traces", Trace, *key)
        question = self._record(row, "questions", Question, "question_id", row["question_id"])
        clip = self._record(row, "clips", Clip, "clip_id", row["clip_id"])
        if trace is None or question is None or clip is None or self._workplace is None:
            return None
        cfg, asked = self._workplace.recipe.rollouts, ClipQuestion(clip, question, lines_of(row))
        sound = self._sound(row, question)
        tried = [asked, *([asked._replace(sound=sound)] if sound else [])]
        requests = [
            request
            for model in self._models(trace)
            for each in tried
            for request in rollout_requests(each, model, [trace.sample_index], cfg)
        ]
        proven = next((each for each in requests if each.request_id == trace.trace_id), None)
        return Sent(proven or requests[0], proven is not None)

    def frame(self, number: int, sha256: str) -> bytes | None:
        """A frame that a row shows: from the row, its part's files, or another row of its clip.

        Raises IndexError where there is no such row.
        """
        row = next(self._rows.read([number], ("frame_sha256", "clip_id", "video_id")))
        if sha256 not in row["frame_sha256"]:
            return None
        with self._lock:
            held = self._row_images(number).get(sha256)
            if held is None:
                held = self._from_part(row["video_id"], sha256)
            if held is None:
                held = self._from_same_clip(row["clip_id"], sha256)
        return held

    def vectors(self) -> dict[str, np.ndarray]:
        """clip_id -> what it looks like, of clips that are a scene's or a segment's, as many as a map holds;
        none where the recipe has no `embedding`, or no part is here.
        """
        workplace = self._workplace
        if workplace is None or all(step.name != "embedding" for step in workplace.dag.steps):
            return {}
        files = [self._file("embedding", part, workplace) for part in workplace.parts]
        tables = [self._store.read_table(each, columns=["clip_id", "is_base", "vector"])
                  for each in files if self._store.exists(each)]  # fmt: skip
        if not tables:
            return {}
        table = pa.concat_tables(tables).filter(pc.field("is_base"))
        chosen = table.take(thinned(table["clip_id"].to_pylist()))
        vectors = chosen["vector"].combine_chunks().flatten().to_numpy().reshape(len(chosen), -1)
        return dict(zip(chosen["clip_id"].to_pylist(), vectors, strict=True))

    def _from_part(self, video_id: str, sha256: str) -> bytes | None:
        part = self._part(video_id)
        if part is None or self._workplace is None:
            return None
        for stored in self._stored(part, self._workplace):
            if (group := self._places(stored).get(sha256)) is not None:
                return self._group(stored, group).get(sha256)
        return None

    def _stored(self, part: PartInputs, workplace: Workplace) -> Iterator[StoredFrames]:
        yield StoredFrames.of_footage(self._file("footage", part, workplace))
        if any(step.name == "edited" for step in workplace.dag.steps):
            yield StoredFrames.of_edited(self._file("edited", part, workplace))

    def _from_same_clip(self, clip_id: str, sha256: str) -> bytes | None:
        found = (self._row_images(number).get(sha256) for number in self._clip_rows(clip_id))
        return next((jpeg for jpeg in found if jpeg is not None), None)

    def _read_places(self, stored: StoredFrames) -> Mapping[str, int]:
        """sha256 -> row group of every frame that the file holds."""
        if not self._store.exists(stored.path):
            return {}
        with open_parquet(self._store, stored.path) as file:
            groups = [
                file.read_row_group(each, columns=[stored.hashes]) for each in range(file.num_row_groups)
            ]
        return {
            sha256: group
            for group, table in enumerate(groups)
            for sha256 in pc.struct_field(stored.flat(table), ["frame", "sha256"]).to_pylist()
        }

    def _read_group(self, stored: StoredFrames, group: int) -> Mapping[str, bytes]:
        with open_parquet(self._store, stored.path) as file:
            frames = stored.flat(file.read_row_group(group, columns=[stored.hashes, stored.jpegs]))
        hashes, jpegs = pc.struct_field(frames, ["frame", "sha256"]), pc.struct_field(frames, "jpeg")
        return dict(zip(hashes.to_pylist(), jpegs.to_pylist(), strict=True))

    def _sound(self, row: Mapping[str, Any], question: Question) -> str | None:
        """sha256 of what the clip sounds like, where a teacher listened."""
        if self._workplace is None or self._workplace.recipe.longest_sound_s is None:
            return None
        held = self._record(row, "clip_sound", ClipSound, "clip_id", row["clip_id"])
        return held.sha256 if held and shows_clip(question) else None

    def _models(self, trace: Trace) -> Iterator[str]:
        """Who may have been asked, as requests name them."""
        yield trace.model
        for each in self._workplace.recipe.teachers if self._workplace else ():
            try:
                yield teacher_identity(each.teacher)
            except TeacherUnavailable:
                continue

    def _record(
        self, row: Mapping[str, Any], step: str, record: type[R], column: str, value: str
    ) -> R | None:
        """The first record of a row's part in which a column has a value; None where no part tells."""
        part = self._part(row["video_id"])
        if part is None or self._workplace is None:
            return None
        path = self._file(step, part, self._workplace)
        if not self._store.exists(path):
            return None
        table = self._store.read_table(path)
        return next(iter(from_table(table.filter(pc.equal(table[column], value)), record)), None)

    def _file(self, step: str, part: PartInputs, workplace: Workplace) -> str:
        """What the dataset was made from: a recipe changed since then asks for other files."""
        now = workplace.dag.named(step)
        folder = f"parts/{step}-{self._fingerprints.get(step, now.fingerprint)}"
        return f"{folder}/{now.file(part).rpartition('/')[2]}"

    def _part(self, video_id: str) -> PartInputs | None:
        return self._parts.get(video_id)

    @cached_property
    def _parts(self) -> Mapping[str, PartInputs]:
        """video_id -> the part that holds it."""
        parts = self._workplace.parts if self._workplace else ()
        return {source.video_id: part for part in parts for source in part.sources}

    @cached_property
    def _workplace(self) -> Workplace | None:
        if not self.has_parts:
            return None
        try:
            return open_workplace(self._store.url)
        except UsageError:
            return None  # made by another version: its rows can be shown all the same


def lines_of(row: Mapping[str, Any]) -> tuple[SpeechLine, ...]:
    """What is said, as the row shows it."""
    return tuple(SpeechLine.model_validate(each) for each in row.get("speech") or ())
