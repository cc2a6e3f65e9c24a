"""A small published dataset made by hand, for tests of those who read it."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image as Picture

from reelproof.schemas.manifest import BuildFacts, Manifest, ManifestFile
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.question import QuestionSource, Task
from reelproof.schemas.record import Record
from reelproof.schemas.sample import ChatMessage, ChatPart, DpoSample, Image, RlSample, SftSample
from reelproof.schemas.tables import to_table

GOLDS = {
    Task.MULTIPLE_CHOICE: ("B", ("red", "blue")),
    Task.NUMERICAL: ("3", ()),
    Task.ORDERING: ("2, 1", ()),
    Task.OPEN_ENDED: ("a <image> of a ball", ()),
    Task.BOOLEAN: ("yes", ()),
}


def jpeg(number: int) -> bytes:
    """A 36 x 36 picture that is not another's."""
    picture = Picture.new("RGB", (36, 36), (number * 37 % 256, number * 91 % 256, number * 53 % 256))
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=90)
    return sink.getvalue()


def text(content: str) -> ChatPart:
    return ChatPart(type="text", text=content)


def sample(kind: type[Record], number: int, task: Task, frames: int = 3) -> Record:
    """Sample `number` of a config."""
    gold, options = GOLDS[task]
    jpegs = [jpeg(number % 5 + place) for place in range(frames)]
    shown = [
        part
        for place in range(frames)
        for part in (text(f"[{place}.5 s]"), ChatPart(type="image", text=None))
    ]
    fields = {
        "sample_id": f"{number:032x}",
        "video_id": f"{number // 2:064x}",
        "video": "ball é.mp4",
        "license": "CC0-1.0",
        "clip_id": f"clip{number}",
        "clip_start_s": 0.0,
        "clip_end_s": 9.0,
        "frame_times_s": tuple(place + 0.5 for place in range(frames)),
        "frame_source_times_s": tuple(place + 0.5 for place in range(frames)),
        "frame_sha256": tuple(hashlib.sha256(each).hexdigest() for each in jpegs),
        "question_id": f"question{number}",
        "question_kind": "given-set",
        "question_source": QuestionSource.GIVEN,
        "task": task,
        "question": "Which <video> is it?",
        "options": options,
        "answer": gold,
        "tolerance": None,
        "evidence": (),
        "policy": "default",
        "images": tuple(Image(bytes=each) for each in jpegs),
        "prompt": (
            ChatMessage(role="user", content=(text("Frames:"), *shown, text("Which <video> is it?"))),
        ),
    }
    if kind is SftSample:
        completion = f"<think>At [0.5 s] I see {number}.</think><answer>{gold}</answer>"
        fields |= {
            "thought": f"At [0.5 s] I see {number}.",
            "prediction": gold,
            "teacher": "signals@1",
            "prompt_id": "p",
            "request_id": f"{number:032x}",
            "claims": (),
            "completion": (ChatMessage(role="assistant", content=(text(completion),)),),
        }
    if kind is DpoSample:
        sides = {"chosen": gold, "rejected": "none of <video>"}
        for side, answer in sides.items():
            said = f"<think>At [0.5 s] I see {number}.</think><answer>{answer}</answer>"
            fields |= {
                f"{side}_request_id": f"{number:032x}",
                f"{side}_teacher": "signals@1",
                f"{side}_prediction": answer,
                side: (ChatMessage(role="assistant", content=(text(said),)),),
            }
        fields |= {"pair_reason": "wrong_answer", "reasons": ("wrong_answer", "ungrounded")}
    return kind.model_validate(fields)


def publish(folder: Path, rows: int = 10) -> Path:
    """Write `rows` samples of each config but `rejected`, a tenth of them in `test`, in two shards each."""
    files = []
    for config, kind in (("sft", SftSample), ("rl", RlSample), ("dpo", DpoSample)):
        samples = [sample(kind, number, list(GOLDS)[number % len(GOLDS)]) for number in range(rows)]
        cut = rows - max(1, rows // 10)
        shards = {
            "train-00000": samples[: cut // 2],
            "train-00001": samples[cut // 2 : cut],
        }
        for name, held in {**shards, "test-00000": samples[cut:]}.items():
            path = folder / "data" / config / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(to_table(held, kind), path)
            files.append(path)
    return write_manifest(folder, files)


def write_manifest(folder: Path, files: Sequence[Path], **policy: object) -> Path:
    """Leave a manifest that names shards `data/{config}/{split}-….parquet` as they are now."""
    entries = tuple(
        ManifestFile(
            path=file.relative_to(folder).as_posix(),
            config=file.parent.name,
            split=file.name.partition("-")[0],
            rows=pq.read_metadata(file).num_rows,
            size_bytes=file.stat().st_size,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            fingerprint="f",
        )
        for file in files
    )
    manifest = Manifest(
        dataset_sha256="d" * 64,
        policy=PolicyConfig(**policy),
        files=entries,
        rejected={},
        facts=BuildFacts(),
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder
