"""Published rows -> the files that other projects' trainers read: a writer each, and one table of all."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from reelproof.pipeline.export.lmms_eval import open_task
from reelproof.pipeline.export.media import FrameFolder, save_clip
from reelproof.pipeline.export.rows import PublishedRow, defused, gold_columns, placeholder_text
from reelproof.pipeline.export.tars import TarRows
from reelproof.schemas.question import Task

_ROWS_A_GROUP = 100
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_PART = pa.struct([("type", pa.string()), ("text", pa.string())])
_CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(_PART))]))
_TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_GOLD = [
    ("answer", pa.string()),
    ("task", pa.string()),
    ("options", pa.list_(pa.string())),
    ("tolerance", pa.float64()),
]
_VIDEO_R1_TYPES: Mapping[Task, str] = {
    Task.MULTIPLE_CHOICE: "multiple choice",
    Task.NUMERICAL: "numerical",
    Task.REGRESSION: "regression",
    Task.OPEN_ENDED: "free-form",
    Task.BOOLEAN: "free-form",
    Task.OCR: "OCR",
}


class RowWriter(Protocol):
    """Takes the rows of one config and split."""

    def add(self, row: PublishedRow) -> bool:
        """Write a row. False where the layout has no place for it, and nothing was written."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class Layout(NamedTuple):
    """How one project wants its data."""

    configs: tuple[str, ...]
    """Which of the dataset's configs it has a use for."""
    open: Callable[[Path, str, str], RowWriter]
    """(root, config, split) -> what takes those rows."""


class _JsonLines:
    """One JSON object a line; frames as files beside it."""

    def __init__(self, root: Path, config: str, split: str) -> None:
        self._frames = FrameFolder(root)
        self._file = (root / f"{config}_{split}.jsonl").open("w", encoding="utf-8")

    def add(self, row: PublishedRow) -> bool:
        self._file.write(json.dumps(self._line(row), ensure_ascii=False) + "\n")
        return True

    def close(self) -> None:
        self._file.close()

    def _line(self, row: PublishedRow) -> dict[str, Any]:
        turns = [{"role": turn.role, "content": placeholder_text(turn)} for turn in row.prompt]
        if row.completion is not None:
            turns.append({"role": "assistant", "content": defused(row.completion)})
        return {"messages": turns, "images": self._frames.save(row)}


class _LlamaFactoryLines(_JsonLines):
    """… and in `dpo` both last turns beside the conversation up to them."""

    def _line(self, row: PublishedRow) -> dict[str, Any]:
        line = super()._line(row)
        if row.rejected is not None:
            line["chosen"] = line["messages"].pop()
            line["rejected"] = {"role": "assistant", "content": defused(row.rejected)}
        return line


class _SwiftLines(_JsonLines):
    """… in `dpo` what was rejected, and in `rl` the columns that a reward function is handed."""

    def _line(self, row: PublishedRow) -> dict[str, Any]:
        line = super()._line(row)
        if row.rejected is not None:
            line["rejected_response"] = defused(row.rejected)
        if row.completion is None:
            line |= {"solution": f"<answer>{row.answer}</answer>", **gold_columns(row)}
        return line


class _Parquet:
    """Rows in row groups of a hundred, frames inline."""

    def __init__(
        self, path: Path, schema: pa.Schema, as_columns: Callable[[PublishedRow], dict[str, Any]]
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._schema, self._as_columns = schema, as_columns
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def add(self, row: PublishedRow) -> bool:
        self._waiting.append(self._as_columns(row))
        if len(self._waiting) == _ROWS_A_GROUP:
            self._flush()
        return True

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
        self._waiting = []


class _VideoR1List:
    """One JSON list in Video-R1's own columns; the frames as a Motion-JPEG video each."""

    def __init__(self, root: Path, config: str, split: str) -> None:
        self._root = root
        self._file: IO[str] = (root / f"{config}_{split}.json").open("w", encoding="utf-8")
        self._count = 0

    def add(self, row: PublishedRow) -> bool:
        if row.task not in _VIDEO_R1_TYPES or not row.jpegs:
            return False
        self._file.write(",\n" if self._count else "[\n")
        self._file.write(json.dumps(self._item(row), ensure_ascii=False))
        self._count += 1
        return True

    def close(self) -> None:
        self._file.write("\n]\n" if self._count else "[]\n")
        self._file.close()

    def _item(self, row: PublishedRow) -> dict[str, Any]:
        item: dict[str, Any] = {
            "problem_id": self._count,
            "problem": row.question,
            "data_type": "video",
            "problem_type": _VIDEO_R1_TYPES[row.task],
            "options": [f"{chr(ord('A') + place)}. {text}" for place, text in enumerate(row.options)],
            "solution": f"<answer>{row.answer}</answer>",
            "path": f"./{save_clip(self._root, row)}",
            "data_source": row.kind,
        }
        return item if row.thought is None else {**item, "process": f"<think>{row.thought}</think>"}


def _open_trl(root: Path, config: str, split: str) -> RowWriter:
    columns = [("prompt", _CHAT), ("images", pa.list_(_IMAGE))]
    chats = {"sft": ("completion",), "dpo": ("chosen", "rejected")}.get(config, ())
    columns += [(name, _CHAT) for name in chats] or _GOLD
    features = {
        **dict.fromkeys(("prompt", *chats), _CHAT_FEATURE),
        "images": _list_feature({"_type": "Image"}),
    }
    features |= {"options": _list_feature(_value("string")), "tolerance": _value("float64")}
    known = {name: features.get(name, _value("string")) for name, _ in columns}
    schema = pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": known}})})
    return _Parquet(root / config / f"{split}.parquet", schema, lambda row: _trl_columns(row, config))


def _trl_columns(row: PublishedRow, config: str) -> dict[str, Any]:
    columns: dict[str, Any] = {"prompt": [turn.model_dump() for turn in row.prompt], "images": _images(row)}
    if config == "rl":
        return columns | gold_columns(row)
    if config == "dpo":
        return columns | {"chosen": _turn(row.completion), "rejected": _turn(row.rejected)}
    return columns | {"completion": _turn(row.completion)}


def _turn(text: str | None) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]


def _open_verl(root: Path, config: str, split: str) -> RowWriter:
    del config  # it trains with rewards only
    known = pa.struct([("split", pa.string()), ("index", pa.int64()), ("question", pa.string()), *_GOLD])
    schema = pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", _TURNS),
            ("images", pa.list_(_IMAGE)),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", known),
        ]
    )
    counter = iter(range(1 << 62))
    return _Parquet(root / f"{split}.parquet", schema, lambda row: _verl_columns(row, next(counter)))


def _verl_columns(row: PublishedRow, index: int) -> dict[str, Any]:
    return {
        "data_source": "reelproof",
        "prompt": [{"role": turn.role, "content": placeholder_text(turn)} for turn in row.prompt],
        "images": _images(row),
        "ability": row.task.value,
        "reward_model": {"style": "rule", "ground_truth": row.answer},
        "extra_info": {"split": row.split, "index": index, "question": row.question, **gold_columns(row)},
    }


def _images(row: PublishedRow) -> list[dict[str, Any]]:
    return [{"bytes": jpeg, "path": None} for jpeg in row.jpegs]


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def _list_feature(feature: Any) -> dict[str, Any]:
    return {"feature": feature, "_type": "List"}


_CHAT_FEATURE = _list_feature(
    {
        "role": _value("string"),
        "content": _list_feature({"type": _value("string"), "text": _value("string")}),
    }
)

LAYOUTS: dict[str, Layout] = {
    "trl": Layout(("sft", "rl", "dpo"), _open_trl),
    "llama-factory": Layout(("sft", "dpo"), _LlamaFactoryLines),
    "ms-swift": Layout(("sft", "rl", "dpo"), _SwiftLines),
    "verl": Layout(("rl",), _open_verl),
    "video-r1": Layout(("sft", "rl"), _VideoR1List),
    "webdataset": Layout(("sft", "rl"), TarRows),
    "lmms-eval": Layout(("rl",), open_task),
}
