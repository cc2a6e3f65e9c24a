"""A published dataset -> its rows, one at a time, for whoever writes them down in another layout."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from reelproof.pipeline.errors import UsageError
from reelproof.schemas.manifest import ManifestFile
from reelproof.schemas.published import Published
from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage

_PLAIN = re.compile(r"[\w-]{1,200}", re.ASCII)
_PLACEHOLDER = re.compile(r"<(image|video|audio)>")


class PublishedRow(NamedTuple):
    """One row of `sft`, `rl` or `dpo`, as it was published."""

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
    frame_times_s: tuple[float | None, ...]
    """As shown; null where frames are called by their places."""
    frame_sha256: tuple[str, ...]
    jpegs: tuple[bytes, ...]
    """JPEG files in the order shown; `frame_sha256` are their hashes."""
    prompt: tuple[ChatMessage, ...]
    completion: str | None
    """`<think>…</think><answer>…</answer>`, of a pair the chosen one; null in `rl`."""
    rejected: str | None
    """The same of a pair's rejected trace; null elsewhere."""
    thought: str | None


_COLUMNS = (
    "sample_id", "question_id", "question_kind", "task", "question", "options", "answer", "tolerance",
    "video", "license", "frame_times_s", "frame_sha256", "images", "prompt", "completion", "thought",
    "chosen", "rejected",
)  # fmt: skip
"""Those that a row needs; scores stay where they are."""


def read_rows(dataset: Published, shard: ManifestFile) -> Iterator[PublishedRow]:
    """A shard's rows, a few in memory at a time.

    Raises UsageError where the file is not the one that the manifest names, and for ids that are no names.
    """
    dataset.check(shard)
    for row in dataset.rows(shard, _COLUMNS):
        yield _row(row, shard)


def placeholder_text(message: ChatMessage) -> str:
    """A message as one text, `<image>` where a frame stands and nowhere else."""
    return "".join(
        "<image>" if part.type == "image" else defused(part.text or "") for part in message.content
    )


def defused(text: str) -> str:
    """Text with `(image)` for `<image>` and so on, so that no loader takes what was said for media."""
    return _PLACEHOLDER.sub(r"(\1)", text)


def gold_columns(row: PublishedRow) -> dict[str, Any]:
    """What scoring an answer needs, a column each."""
    return {
        "answer": row.answer,
        "task": row.task.value,
        "options": list(row.options),
        "tolerance": row.tolerance,
    }


def _checked(name: str, shard: ManifestFile) -> str:
    """An id or a hash of a row that will name a file. Raises UsageError where it could lead elsewhere."""
    if not _PLAIN.fullmatch(name):
        raise UsageError(
            f"{shard.path} has a row whose id or frame hash is {name!r}; expected letters, digits, - and _. "
            "Somebody changed this dataset, or it is not of reelproof's making: fetch it again"
        )
    return name


def _text(turns: Sequence[dict[str, Any]] | None) -> str | None:
    return None if turns is None else "".join(part["text"] for part in turns[0]["content"])


def _row(row: dict[str, Any], shard: ManifestFile) -> PublishedRow:
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
        completion=_text(row.get("completion") or row.get("chosen")),
        rejected=_text(row.get("rejected")),
        thought=row.get("thought"),
    )
