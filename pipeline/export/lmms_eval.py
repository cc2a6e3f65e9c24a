"""Questions -> a task folder of lmms-eval: with a thought and at once, and our own scorer in both.

Source: docs/guides/task_guide.md of EvolvingLMMs-Lab/lmms-eval; `--include_path` finds the folder.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reelproof.pipeline.export.media import FrameFolder
from reelproof.pipeline.export.rows import PublishedRow
from reelproof.pipeline.export.starts import start_text
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.sample import ChatMessage
from reelproof.stages.teachers.messages import request_text
from reelproof.stages.teachers.prompts import DIRECT

LAYOUT = "lmms-eval"

Parts = Sequence[tuple[str, str]]
"""What a prompt is made of, in order: (`text`, the text), or (`media`, nothing)."""


class TaskWriter:
    """`NAME.jsonl` with a question a line, and the two tasks that ask them."""

    def __init__(self, root: Path, name: str) -> None:
        """`name` is that of the files; the tasks are `reelproof_NAME` and `reelproof_NAME_direct`."""
        self._root, self._name = root, re.sub(r"\W+", "_", name)
        self._file = (root / f"{self._name}.jsonl").open("w", encoding="utf-8")

    def write(self, facts: dict[str, Any], thought: Parts, direct: Parts) -> None:
        """A question: its facts, and how it is put with a thought and at once."""
        prompts = {
            name: [{"type": kind, "text": text} for kind, text in parts]
            for name, parts in (("thought", thought), ("direct", direct))
        }
        self._file.write(json.dumps(facts | prompts, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Finish the file, and write the tasks."""
        self._file.close()
        file, task = f"{self._name}.jsonl", f"reelproof_{self._name}"
        template = start_text(LAYOUT, "task.yaml")
        for ending, style, tokens in (("", "thought", 1024), ("_direct", "direct", 64)):
            text = template.format(file=file, task=task + ending, style=style, tokens=tokens)
            (self._root / f"{self._name}{ending}.yaml").write_text(text, encoding="utf-8")


class _DatasetTask:
    """The questions of one config and split, with the frames that they show."""

    def __init__(self, root: Path, config: str, split: str) -> None:
        self._frames = FrameFolder(root)
        self._task = TaskWriter(root, f"{config}_{split}")

    def add(self, row: PublishedRow) -> bool:
        facts = {
            "question_id": row.question_id,
            "video": row.video,
            "path": "",
            "frames": self._frames.save(row),
            "kind": row.kind,
            "task": row.task.value,
            "question": row.question,
            "options": list(row.options),
            "answer": row.answer,
            "tolerance": row.tolerance,
        }
        thought = _parts(row.prompt)
        at_once = request_text(DIRECT, Posed(row.task, row.question, row.options))
        self._task.write(facts, thought, [*thought[:-1], ("text", at_once)])
        return True

    def close(self) -> None:
        self._task.close()


def open_task(root: Path, config: str, split: str) -> _DatasetTask:
    """(root, config, split) -> what takes those rows."""
    return _DatasetTask(root, config, split)


def _parts(prompt: Sequence[ChatMessage]) -> list[tuple[str, str]]:
    return [
        ("media", "") if part.type == "image" else ("text", part.text or "")
        for turn in prompt
        for part in turn.content
    ]
