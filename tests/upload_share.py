"""A dataset of given size, one row of which is decided otherwise -> what the Hub's client then uploads.

The client is the real one, with its own content-defined chunks (64 KiB on average) and its own memory of what
was sent; only its storage is a folder. Shards go there by Xet, the small files whole.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import cv2
import numpy as np
import polars as pl

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.publish.hub import HubTarget
from reelproof.pipeline.publish.publish import publish
from reelproof.schemas.footage import Clip, ClipKind, Footage, Keyframe
from reelproof.schemas.manifest import BuildFacts
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.record import Record
from reelproof.schemas.trace import Trace, TraceClaims
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests import small_parts
from tests.hub_stand_in import LARGE, HubStandIn
from tests.whole_sets import read_measurements, write_card, write_dataset

FRAMES = 12
"""Shown of a clip, in each of its questions."""
CLIPS = 4
QUESTIONS = 4
VIDEOS_A_PART = 8
SIZE = (480, 270)


class UploadShare(NamedTuple):
    """What went after one row had changed, of what lies there."""

    first_bytes: int
    """Of the upload before: frames of `rl` are in `sft` as well, and go once."""
    new_bytes: int
    changed_bytes: int
    """Of files that are not the same as before."""
    all_bytes: int

    @property
    def share(self) -> float:
        return self.new_bytes / self.all_bytes


class FilmedBuild:
    """A build of films with realistic frames: about 4 MB of shards a video."""

    def __init__(self, folder: Path, videos: int, policy: PolicyConfig | None = None) -> None:
        self.store = Store(str(folder))
        starts = range(0, videos, VIDEOS_A_PART)
        numbers = [range(start, min(start + VIDEOS_A_PART, videos)) for start in starts]
        self.parts = [_write_part(self.store, place, own) for place, own in enumerate(numbers)]
        self.measurements = read_measurements(self.store, self.parts)
        self.policy = policy or PolicyConfig()
        self.verdicts = decide(self.measurements, self.policy)

    def write(self, dropped: float | None = None) -> None:
        """Its dataset, all kept rows of `sft` in it but the one at a place between 0 and 1."""
        verdicts = self.verdicts
        if dropped is not None:
            kept = verdicts["sft"].arg_true().to_list()
            row = kept[round(dropped * (len(kept) - 1))]
            out = pl.int_range(pl.len()) == row
            verdicts = verdicts.with_columns(
                sft=pl.col("sft") & ~out,
                reasons=pl.when(out).then(pl.lit(["not_grounded"])).otherwise(pl.col("reasons")),
            )
        splits = dict.fromkeys(self.measurements["video_id"], "train")
        write_dataset(
            self.store,
            self.parts,
            self.measurements,
            verdicts,
            splits,
            self.policy,
            ShardsConfig(),
            BuildFacts(),
        )
        write_card(self.store, self.parts, self.measurements, verdicts, CardConfig())


def measure_upload(build: FilmedBuild, storage: Path, dropped: float) -> UploadShare:
    """Publish, drop a row, publish again. `storage` is a new folder."""
    login = {"HF_TOKEN": "hf_x", "HF_HOME": str(storage / "home")}
    with HubStandIn("hf_x", xet=storage) as hub, mock.patch.dict(os.environ, login):
        build.write()
        publish(build.store, HubTarget("me/films", endpoint=hub.url))
        before = _stored(storage)
        build.write(dropped)
        published = publish(build.store, HubTarget("me/films", endpoint=hub.url))
    small = sum(each.size_bytes for each in published.sent if not each.name.endswith(LARGE))
    shards = Path(build.store.path("dataset/data")).rglob("*.parquet")
    return UploadShare(
        first_bytes=before,
        new_bytes=_stored(storage) - before + small,
        changed_bytes=published.size_bytes,
        all_bytes=sum(path.stat().st_size for path in shards),
    )


def _stored(storage: Path) -> int:
    """Bytes of chunks that the client has uploaded."""
    return sum(
        path.stat().st_size for path in (storage / "xet/xorbs/xorbs").glob("*") if path.suffix != ".tagset"
    )


def _write_part(store: Store, place: int, numbers: range) -> PartFiles:
    films = [_footage(number) for number in numbers]
    clips = [clip for film in films for clip in _clips(film)]
    questions = [question for clip in clips for question in _questions(clip)]
    traces = [trace for question in questions for trace in _traces(question)]
    scores = [small_parts.scores_of(trace, 0) for trace in traces]
    made: dict[str, tuple[list, type[Record]]] = {
        "footage": (films, Footage),
        "clips": (clips, Clip),
        "questions": (questions, Question),
        "traces": (traces, Trace),
        "provenance": ([small_parts.claims_of(each, ()) for each in traces], TraceClaims),
    }
    return small_parts.write_files(store, place, made, scores, "f0")


def _footage(number: int) -> Footage:
    film = small_parts.footage(number, 1)
    frames = tuple(_keyframe(film.candidates[0], number, second) for second in range(CLIPS * FRAMES))
    return film.model_copy(update={"candidates": frames})


def _keyframe(like: Keyframe, number: int, second: int) -> Keyframe:
    """A JPEG of 480 x 270 soft shapes under grain: some 30 kB."""
    rng = np.random.default_rng([number, second])
    soft = cv2.resize(rng.integers(0, 255, (9, 16, 3), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 12, (SIZE[1], SIZE[0], 1))
    _, jpeg = cv2.imencode(
        ".jpg", np.clip(soft + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    content = jpeg.tobytes()
    sha256 = hashlib.sha256(content).hexdigest()
    frame = like.frame.model_copy(
        update={"sha256": sha256, "time_s": float(second), "width": SIZE[0], "height": SIZE[1]}
    )
    return like.model_copy(update={"frame": frame, "jpeg": content})


def _clips(film: Footage) -> list[Clip]:
    whole = small_parts.clip_of(film)
    made = []
    for place in range(CLIPS):
        frames = tuple(each.frame for each in film.candidates[place * FRAMES : (place + 1) * FRAMES])
        clip_id = small_parts.sha(f"{whole.clip_id} {place}")[:16]
        made.append(
            whole.model_copy(
                update={"clip_id": clip_id, "kind": ClipKind.SEGMENT, "keyframes": frames, "timeline": frames}
            )
        )
    return made


def _questions(clip: Clip) -> list[Question]:
    shown = tuple(ShownFrame(frame=frame, shown_s=frame.time_s) for frame in clip.keyframes)
    return [
        Question(
            question_id=small_parts.sha(f"{clip.clip_id} {place}")[:16],
            clip_id=clip.clip_id,
            video_id=clip.video_id,
            source=QuestionSource.ASKED,
            kind="asked",
            task=Task.MULTIPLE_CHOICE,
            text=_words(f"question {clip.clip_id} {place}", 20),
            options=("red", "green", "blue", "white"),
            answer="B",
            frames=shown,
        )
        for place in range(QUESTIONS)
    ]


def _traces(question: Question) -> list[Trace]:
    made = []
    for trace in small_parts.traces_of(question):
        thought = _words(trace.trace_id, 120)
        text = f"<think>{thought}</think><answer>{trace.answer}</answer>"
        made.append(trace.model_copy(update={"thought": thought, "text": text}))
    return made


def _words(seed: str, count: int) -> str:
    """Made-up words, four letters each on average."""
    digest = hashlib.shake_128(seed.encode()).hexdigest(2 * count)
    return " ".join(digest[place : place + 4] for place in range(0, 4 * count, 4))
