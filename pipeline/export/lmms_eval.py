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
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.sample import ChatMessage
from reelproof.stages.teachers.messages import request_text
from reelproof.stages.teachers.prompts import DIRECT

UTILS = '''\
"""Frames, prompts and scores of the tasks in this folder; `lenient` and `strict` are reelproof's own.

The scorer needs few of reelproof's libraries, and the others may not suit lmms-eval's:
    pip install --no-deps reelproof-*.whl && pip install rapidfuzz
"""

import os
from pathlib import Path

from PIL import Image

from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.answers.scores import lenient_score, strict_score
from reelproof.schemas.question import Task

HERE = Path(__file__).parent


def media(doc):
    """The frames as pictures, or the path of the video: REELPROOF_VIDEOS names its folder where it moved."""
    if doc["frames"]:
        return [Image.open(HERE / name).convert("RGB") for name in doc["frames"]]
    moved = os.path.join(os.environ.get("REELPROOF_VIDEOS", ""), doc["video"])
    return [doc["path"] if os.path.exists(doc["path"]) or not os.path.exists(moved) else moved]


def doc_to_visual(doc, lmms_eval_specific_kwargs=None):
    return media(doc)


def text_of(parts):
    return "\\n".join(part["text"] for part in parts if part["type"] == "text")


def messages_of(doc, parts):
    """Pictures and times in their order, for models that take messages."""
    seen = iter(media(doc))
    kind = "image" if doc["frames"] else "video"
    content = [
        part if part["type"] == "text" else {"type": kind, "url": next(seen)} for part in parts
    ]
    return [{"role": "user", "content": content}]


def score(doc, text, style):
    said = read_answer(text, style)
    gold = (doc["answer"], tuple(doc["options"] or ()), doc["tolerance"])
    task = Task(doc["task"])
    return {
        "lenient": lenient_score(task, said.stated, *gold),
        "strict": strict_score(task, said.answer, *gold),
    }


def thought_to_text(doc, lmms_eval_specific_kwargs=None):
    return text_of(doc["thought"])


def thought_to_messages(doc, lmms_eval_specific_kwargs=None):
    return messages_of(doc, doc["thought"])


def score_thought(doc, results):
    return score(doc, results[0], "published")


def direct_to_text(doc, lmms_eval_specific_kwargs=None):
    return text_of(doc["direct"])


def direct_to_messages(doc, lmms_eval_specific_kwargs=None):
    return messages_of(doc, doc["direct"])


def score_direct(doc, results):
    return score(doc, results[0], "direct")
'''

_TASK = """\
# lmms_eval --model qwen2_5_vl --tasks {task} --include_path FOLDER_OF_THIS_FILE
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
task: {task}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.{style}_to_text
doc_to_messages: !function utils.{style}_to_messages
doc_to_target: answer
process_results: !function utils.score_{style}
generation_kwargs:
  max_new_tokens: {tokens}
  temperature: 0
  do_sample: false
  until: []
metric_list:
  - metric: lenient
    aggregation: mean
    higher_is_better: true
  - metric: strict
    aggregation: mean
    higher_is_better: true
metadata:
  - version: 1.0
"""

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
        for ending, style, tokens in (("", "thought", 1024), ("_direct", "direct", 64)):
            text = _TASK.format(file=file, task=task + ending, style=style, tokens=tokens)
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
