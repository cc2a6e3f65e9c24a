"""A finished build -> what the study trains and asks: as many raw as curated rows, all test questions."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from reelproof.pipeline.parts.stored_frames import StoredFrames
from reelproof.schemas.edited import EditedQuestion
from reelproof.schemas.footage import Clip
from reelproof.schemas.manifest import BuildFacts, Manifest, ManifestFile
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.published import MANIFEST
from reelproof.schemas.question import Question
from reelproof.schemas.sample import ChatMessage, ChatPart, Image, RlSample, SftSample
from reelproof.schemas.tables import from_table, to_table
from reelproof.schemas.trace import Trace
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.shards import Example, open_shards


class Asked(NamedTuple):
    """A question with all that the study needs of it."""

    film: str
    question: Question
    clip: Clip
    images: tuple[bytes, ...]
    traces: tuple[Trace, ...]
    edits: tuple[str, ...] = ()
    """Of each frame, where the question is about edited ones."""


class ArmRows(NamedTuple):
    """The rows of every SFT arm, one list each."""

    raw: list[SftSample]
    raw_same_budget: list[SftSample]
    random: list[SftSample]
    curated: list[SftSample]


def read_asked(build: Path) -> list[Asked]:
    """Every question of a build with its frames and traces, in order of film and question."""
    found: list[Asked] = []
    footage = _step(build, "footage")
    for file in sorted(footage.glob("part-*.parquet")):
        found += _read_part(build, file)
    return sorted(found, key=lambda each: (each.film, each.question.question_id))


def choose_rows(asked: Sequence[Asked], build: Path, rows: int, seed: int) -> ArmRows:
    """Draw each arm's rows. Films are taken in a seeded order until curation has kept `rows` of their traces.

    `raw`: as many traces as `curated`, drawn from all traces of those films; `raw_same_budget`: all of them,
    which is what curation looked at; `random`: of each curated question any trace.
    """
    rng = np.random.default_rng([seed, 17])
    shards = open_shards(build, ShardsConfig(subset="sft"))
    kept = set(shards.published.columns(shards.files, ("request_id",))["request_id"].to_pylist())
    train = [each for each in asked if each.film.startswith("train-")]
    films = sorted({each.film for each in train})
    curated: list[SftSample] = []
    looked_at: list[Asked] = []
    for film in (films[place] for place in rng.permutation(len(films))):
        mine = [each for each in train if each.film == film]
        looked_at += mine
        curated += [sample(each, trace) for each in mine for trace in each.traces if trace.trace_id in kept]
        if len(curated) >= rows:
            break
    curated = curated[:rows]
    budget = [sample(each, trace) for each in looked_at for trace in each.traces]
    by_question = {each.question.question_id: each for each in train}
    random = []
    for row in curated:
        each = by_question[row.question_id]
        random.append(sample(each, each.traces[int(rng.integers(len(each.traces)))]))
    return ArmRows(
        raw=[budget[place] for place in rng.permutation(len(budget))[: len(curated)]],
        raw_same_budget=budget,
        random=random,
        curated=curated,
    )


def write_rows(rows: Sequence[SftSample] | Sequence[RlSample], folder: Path, config: str = "sft") -> Path:
    """The rows, which are of one kind, as a dataset folder that training reads."""
    file = folder / f"data/{config}/train-00000.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(to_table(rows, type(rows[0])), file, row_group_size=100)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    shard = ManifestFile(
        path=str(file.relative_to(folder)),
        config=config,
        split="train",
        rows=len(rows),
        size_bytes=file.stat().st_size,
        sha256=sha256,
        fingerprint=sha256,
    )
    manifest = Manifest(
        dataset_sha256=sha256, policy=PolicyConfig(), files=(shard,), rejected={}, facts=BuildFacts()
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json())
    return folder


def example(each: Asked) -> Example:
    """The question as evaluation asks it."""
    question = each.question
    return Example(
        sample_id=question.question_id,
        question_id=question.question_id,
        task=question.task,
        question=question.text,
        options=question.options,
        answer=question.answer,
        tolerance=question.tolerance,
        clip_start_s=each.clip.start_s,
        clip_end_s=each.clip.end_s,
        video_id=question.video_id,
        video=each.film,
        frame_times_s=tuple(shown.shown_s for shown in question.frames),
        frame_source_times_s=tuple(shown.frame.time_s for shown in question.frames),
        images=each.images,
        prompt=(_prompt(question),),
        completion=None,
        scores={},
    )


def sample(each: Asked, trace: Trace) -> SftSample:
    """A trace as a published row, kept or not."""
    question, clip = each.question, each.clip
    return SftSample(
        sample_id=trace.trace_id,
        video_id=question.video_id,
        video=each.film,
        license="CC0-1.0",
        clip_id=clip.clip_id,
        clip_start_s=clip.start_s,
        clip_end_s=clip.end_s,
        frame_times_s=tuple(shown.shown_s for shown in question.frames),
        frame_source_times_s=tuple(shown.frame.time_s for shown in question.frames),
        frame_sha256=tuple(shown.frame.sha256 for shown in question.frames),
        question_id=question.question_id,
        question_kind=question.kind,
        question_source=question.source,
        task=question.task,
        question=question.text,
        options=question.options,
        answer=question.answer,
        tolerance=question.tolerance,
        evidence=question.evidence,
        policy="study",
        thought=trace.thought,
        prediction=trace.answer,
        teacher=trace.model,
        prompt_id=trace.prompt_id,
        request_id=trace.trace_id,
        claims=(),
        images=tuple(Image(bytes=jpeg) for jpeg in each.images),
        prompt=(_prompt(question),),
        completion=(ChatMessage(role="assistant", content=(ChatPart(type="text", text=trace.text),)),),
    )


def _prompt(question: Question) -> ChatMessage:
    parts: list[ChatPart] = []
    for shown in question.frames:
        parts += [ChatPart(type="text", text=f"[{shown.shown_s:.1f} s]"), ChatPart(type="image", text=None)]
    return ChatMessage(role="user", content=tuple(parts))


def _read_part(build: Path, footage: Path) -> Iterator[Asked]:
    clips = {clip.clip_id: clip for clip in _records(build, "clips", footage.name, Clip)}
    questions = list(_records(build, "questions", footage.name, Question))
    traces: dict[str, list[Trace]] = {}
    for trace in _records(build, "traces", footage.name, Trace):
        traces.setdefault(trace.question_id, []).append(trace)
    wanted = {shown.frame.sha256 for question in questions for shown in question.frames}
    file = pq.ParquetFile(footage)
    frames = dict(StoredFrames.of_footage(str(footage)).found(file, wanted))
    edited = list(_records(build, "edited", footage.name, EditedQuestion)) if _has(build, "edited") else []
    frames |= {each.frame.sha256: each.jpeg for question in edited for each in question.frames}
    edits = {each.question.question_id: each.edits for each in edited}
    names = {
        row["video"]["video_id"]: row["video"]["name"] for row in file.read(columns=["video"]).to_pylist()
    }
    for question in questions:
        images = tuple(frames[shown.frame.sha256] for shown in question.frames)
        mine = tuple(traces.get(question.question_id, ()))
        done = edits.get(question.question_id, ())
        yield Asked(names[question.video_id], question, clips[question.clip_id], images, mine, done)


def _records(build: Path, step: str, name: str, record):  # type: ignore[no-untyped-def]
    file = next(_step(build, step).glob(name.partition(".")[0] + "*.parquet"))
    return from_table(pq.read_table(file), record)


def _has(build: Path, step: str) -> bool:
    return any((build / "parts").glob(f"{step}-*"))


def _step(build: Path, step: str) -> Path:
    """The newest folder of a step's results."""
    folders = sorted((build / "parts").glob(f"{step}-*"), key=lambda folder: folder.stat().st_mtime)
    return folders[-1]
