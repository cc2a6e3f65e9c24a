"""What a step may touch while it works on one part: the files above it, the frames, the completions log."""

import hashlib
import itertools
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import pyarrow.parquet as pq

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.disk.sealed import open_parquet
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import Damaged
from reelproof.pipeline.parts.frame_shelf import FrameShelf
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.parts.step_records import step_records
from reelproof.pipeline.parts.stored_frames import StoredFrames
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.teachers.kinds import TeacherConfig, open_teacher, teacher_price
from reelproof.pipeline.teachers.remembering import RememberingTeacher
from reelproof.schemas.footage import PICTURES, Footage, Keyframe, Quarantine, joined
from reelproof.schemas.question import GivenRow
from reelproof.schemas.record import Record
from reelproof.schemas.source import SourceIdentity, SubtitleFile
from reelproof.schemas.tables import arrow_schema, leaf_paths
from reelproof.stages.teachers.protocol import Teacher

R = TypeVar("R", bound=Record)

_THUMBNAILS = "signals.signature"


class PartInputs(Record):
    """A part with what comes from outside: its files, and the questions that came with them."""

    part: Part
    sources: tuple[SourceIdentity, ...]
    """Of the part's videos that are still among the sources, in the part's order."""
    given: tuple[GivenRow, ...] = ()
    subtitles: tuple[SubtitleFile, ...] = ()
    """Those beside its videos, where the recipe wants to know what is said."""
    asked_again: int = 0
    """How many times its failed requests were asked again."""

    @property
    def name(self) -> str:
        """`part-00007`"""
        return self.part.name

    @cached_property
    def given_key(self) -> str:
        """Tells results that rest on these questions from others: empty, or `-` and 8 hex digits."""
        if not self.given:
            return ""
        content = "\n".join(row.model_dump_json() for row in self.given)
        return "-" + hashlib.sha256(content.encode()).hexdigest()[:8]

    @cached_property
    def subtitles_key(self) -> str:
        """Tells results that rest on these subtitles from others: empty, or `-s` and 8 hex digits."""
        if not self.subtitles:
            return ""
        content = "\n".join(f"{each.video_id} {each.sha256} {each.language}" for each in self.subtitles)
        return "-s" + hashlib.sha256(content.encode()).hexdigest()[:8]

    @property
    def again_key(self) -> str:
        """Tells results that rest on such a round from those before it: empty, or `-again1`."""
        return f"-again{self.asked_again}" if self.asked_again else ""


@dataclass
class PartRun:
    """One part at work, and the count of what the work took."""

    store: Store
    inputs: PartInputs
    above: Mapping[str, str]
    """Step name -> the file that it left for this part."""
    quarantine: list[Quarantine] = field(default_factory=list)
    videos_decoded: int = 0
    counter: UseCounter = field(default_factory=UseCounter)

    def read(self, step: str, record: type[R]) -> Iterator[R]:
        """The records that a step above left for this part."""
        return step_records(self.store, self.above[step], record)

    def read_made(self, step: str, record: type[R]) -> Iterator[R]:
        """The same; nothing where the step is not among those that this one is made from."""
        return self.read(step, record) if step in self.above else iter(())

    def footage(self, with_thumbnails: bool = False) -> Iterator[Footage]:
        """The part's footage, a video at a time, without the bytes of its pictures.

        Nor with the thumbnails of frames, which are most of a long film's signals, unless they are wanted.
        """
        left_out = {"candidates.list.element.jpeg", PICTURES, *(() if with_thumbnails else [_THUMBNAILS])}
        with open_parquet(self.store, self.above["footage"]) as file:
            rows = _rows_without(left_out, file)
            for _, of_film in itertools.groupby(rows, lambda row: row.video.video_id):
                yield joined(of_film)

    def pictures(self, video_id: str) -> Iterator[bytes]:
        """The small pictures that the scan kept of a film's frames, in pieces that follow each other."""
        with open_parquet(self.store, self.above["footage"]) as file:
            for group in range(file.num_row_groups):
                columns = ["video.video_id", PICTURES]
                for row in file.read_row_group(group, columns=columns).to_pylist():
                    if row["video"]["video_id"] == video_id:
                        yield row["signals"]["pictures"]

    def frames(self, wanted: Collection[str]) -> Mapping[str, bytes]:
        """JPEG bytes of the wanted frames of this part, by sha256, which they match. Raises Damaged."""
        stored = [StoredFrames.of_footage(self.above["footage"])]
        if "edited" in self.above:
            stored.append(StoredFrames.of_edited(self.above["edited"]))
        found = FrameShelf()
        for each in stored:
            with open_parquet(self.store, each.path) as file:
                for sha256, jpeg in each.found(file, wanted):
                    if hashlib.sha256(jpeg).hexdigest() != sha256:
                        raise Damaged(self.store.url, each.path, f"frame {sha256} does not match its sha256")
                    found.put(sha256, jpeg)
        return found

    def log(self) -> CompletionLog:
        """What models answered for the part."""
        return CompletionLog(self.store.fs, self.store.path(self.inputs.part.completions))

    @contextmanager
    def open_teacher(self, cfg: TeacherConfig) -> Iterator[Teacher]:
        """The teacher, never asked for what the part's log holds; for failures only in a round for them."""
        with (
            open_teacher(cfg) as teacher,
            self.log() as log,
        ):
            yield RememberingTeacher(
                teacher,
                log,
                self.counter,
                price=teacher_price(cfg),
                ask_failures_again=self.inputs.asked_again > 0,
            )


def _rows_without(left_out: Collection[str], file: pq.ParquetFile) -> Iterator[Footage]:
    columns = [name for name in leaf_paths(arrow_schema(Footage)) if name not in left_out]
    for group in range(file.num_row_groups):
        for row in file.read_row_group(group, columns=columns).to_pylist():
            candidates = tuple(Keyframe.model_validate({**each, "jpeg": b""}) for each in row["candidates"])
            signals = {"signature": b"", **row["signals"]}
            yield Footage.model_validate({**row, "signals": signals, "candidates": candidates})
