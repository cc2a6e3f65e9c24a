"""A published dataset's folder -> its rows, one at a time, for whoever writes them down in another layout."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from pydantic import ValidationError

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.manifest import Manifest, ManifestFile
from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage

_ROWS_AT_ONCE = 16
_PLAIN = re.compile(r"[\w-]{1,200}", re.ASCII)
_PLACEHOLDER = re.compile(r"<(image|video|audio)>")


class PublishedRow(NamedTuple):
    """One row of `sft` or `rl`, as it was published."""

    config: str
    split: str
    sample_id: str
    question_id: str
    kind: str
    task: Task
    question: str
    options: tuple[str, ...]
    answer: str
    """Gold, in the strict form of its task."""
    tolerance: float | None
    video: str
    license: str
    frame_times_s: tuple[float, ...]
    frame_sha256: tuple[str, ...]
    jpegs: tuple[bytes, ...]
    """JPEG files in the order shown; `frame_sha256` are their hashes."""
    prompt: tuple[ChatMessage, ...]
    completion: str | None
    """`<think>…</think><answer>…</answer>`; null in `rl`."""
    thought: str | None


def read_manifest_file(dataset: Path) -> Manifest:
    """What the dataset's folder says that it holds. Raises UsageError where there is none."""
    file = dataset / "manifest.json"
    if not file.is_file():
        raise UsageError(f"{dataset} holds no dataset (no manifest.json there); name the folder of a build")
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{file} is not a manifest of reelproof's ({where}: {first['msg']}); fetch the dataset again"
        ) from None


def read_rows(dataset: Path, shard: ManifestFile) -> Iterator[PublishedRow]:
    """A shard's rows, a few in memory at a time.

    Raises UsageError where the file is not the one that the manifest names, and for ids that are no names.
    """
    path = dataset / shard.path
    _check(path, shard)
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(batch_size=_ROWS_AT_ONCE, columns=_columns(parquet)):
            for row in batch.to_pylist():
                yield _row(row, shard)


def placeholder_text(message: ChatMessage) -> str:
    """A message as one text, `<image>` where a frame stands and nowhere else."""
    return "".join(
        "<image>" if part.type == "image" else defused(part.text or "") for part in message.content
    )


def defused(text: str) -> str:
    """Text with `(image)` for `<image>` and so on, so that no loader takes what was said for media."""
    return _PLACEHOLDER.sub(r"(\1)", text)


def _check(path: Path, shard: ManifestFile) -> None:
    if not path.is_file():
        raise UsageError(f"{path} is missing, though the manifest names it; build or fetch the dataset again")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != shard.sha256:
        raise UsageError(f"{path} is not the file that the manifest names; build or fetch the dataset again")


def _columns(parquet: pq.ParquetFile) -> list[str]:
    """Those that a row needs; scores stay where they are."""
    wanted = (
        "sample_id", "question_id", "question_kind", "task", "question", "options", "answer", "tolerance",
        "video", "license", "frame_times_s", "frame_sha256", "images", "prompt", "completion", "thought",
    )  # fmt: skip
    return [name for name in wanted if name in parquet.schema_arrow.names]


def _checked(name: str, shard: ManifestFile) -> str:
    """An id or a hash of a row that will name a file. Raises UsageError where it could lead elsewhere."""
    if not _PLAIN.fullmatch(name):
        raise UsageError(
            f"{shard.path} has a row whose id or frame hash is {name!r}; expected letters, digits, - and _. "
            "Somebody changed this dataset, or it is not of reelproof's making: fetch it again"
        )
    return name


def _row(row: dict[str, Any], shard: ManifestFile) -> PublishedRow:
    completion = row.get("completion")
    return PublishedRow(
        config=shard.config,
        split=shard.split,
        sample_id=_checked(row["sample_id"], shard),
        question_id=row["question_id"],
        kind=row["question_kind"],
        task=Task(row["task"]),
        question=row["question"],
        options=tuple(row["options"]),
        answer=row["answer"],
        tolerance=row["tolerance"],
        video=row["video"],
        license=row["license"],
        frame_times_s=tuple(row["frame_times_s"]),
        frame_sha256=tuple(_checked(each, shard) for each in row["frame_sha256"]),
        jpegs=tuple(image["bytes"] for image in row["images"]),
        prompt=tuple(ChatMessage.model_validate(turn) for turn in row["prompt"]),
        completion=None if completion is None else "".join(part["text"] for part in completion[0]["content"]),
        thought=row.get("thought"),
    )
