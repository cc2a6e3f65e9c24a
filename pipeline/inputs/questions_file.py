"""A manifest's raw rows, ours or Video-R1's -> videos and what is asked of them, each with its line."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from reelproof.pipeline.inputs.formats import FORMATS, Cell, kind_of
from reelproof.schemas.answers.normalise import normalise
from reelproof.schemas.openai_reply import message_text
from reelproof.schemas.question import GivenQuestion, Task
from reelproof.schemas.text import clean_json

_THOUGHTS = ("reasoning_content", "reasoning")
_COLUMNS = {"video", "question", "options", "answer", "task", "start_s", "end_s", "license", "split"} | {
    "kind",
    "completion",
    *_THOUGHTS,
}
_VIDEO_R1_COLUMNS = {
    "problem_id",
    "problem",
    "data_type",
    "problem_type",
    "options",
    "process",
    "solution",
} | {
    "path",
    "data_source",
}
_TASK_NAMES: dict[str, Task | None] = {
    "free_form": Task.OPEN_ENDED,
    "math": None,  # its answers are numbers, letters or formulas
    "mcq": Task.MULTIPLE_CHOICE,
    "yes_no": Task.BOOLEAN,
}
_SPLITS = {"train": "train", "training": "train", "test": "test", "val": "test", "validation": "test"}
_ANSWER_BLOCK = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)


class ManifestRow(NamedTuple):
    """One row that can be used: a video, and what is asked about it, where something is."""

    number: int
    """Its line (CSV: where it starts), item or row, from 1."""
    video: str
    license: str | None
    question: GivenQuestion | None


class ManifestProblem(NamedTuple):
    """A row that cannot be used, and why."""

    number: int
    reason: str


class Manifest(NamedTuple):
    """What a manifest holds: rows, what is wrong with the others, and how many were left out on purpose."""

    unit: str
    """What its rows are called: `line`, `item` or `row`."""
    rows: tuple[ManifestRow, ...]
    problems: tuple[ManifestProblem, ...]
    skipped: Mapping[str, int]
    """Reason -> rows: `image_row`, …"""
    ignored: tuple[str, ...]
    """Columns that mean nothing here, in order of the alphabet."""


def read_manifest(name: str, content: bytes) -> Manifest:
    """Every row of a manifest; `name` gives its format by its ending, and the set's name.

    Raises ValueError where the file as a whole cannot be read; a broken line becomes one of `problems`.
    """
    stem, _, ending = name.rpartition("/")[2].rpartition(".")
    if ending.casefold() not in FORMATS:
        raise ValueError(f"a manifest ends in {', '.join(f'.{each}' for each in FORMATS)}, got {name!r}")
    unit, cells = FORMATS[ending.casefold()]
    rows: list[ManifestRow] = []
    problems: list[ManifestProblem] = []
    skipped: Counter[str] = Counter()
    columns: set[str] = set()
    for cell in map(_cleaned, cells(content)):
        columns.update(map(str, cell.value) if isinstance(cell.value, dict) else ())
        try:
            row = _read_row(cell, stem)
        except ValueError as error:
            problems.append(ManifestProblem(cell.number, str(error)))
            continue
        if row is None:
            skipped["image_row"] += 1
        else:
            rows.append(row)
    ignored = sorted(columns - _COLUMNS - _VIDEO_R1_COLUMNS)
    return Manifest(unit, tuple(rows), tuple(problems), dict(skipped), tuple(ignored))


def _cleaned(cell: Cell) -> Cell:
    """Without halves of characters, which JSON can spell and no file can hold."""
    return cell._replace(value=clean_json(cell.value))


def _read_row(cell: Cell, set_name: str) -> ManifestRow | None:
    """None for a row about an image. Raises ValueError for one that cannot be used."""
    if cell.problem is not None:
        raise ValueError(cell.problem)
    if not isinstance(cell.value, dict):
        raise ValueError(f"a row is an object with a `video`, got {kind_of(cell.value)}")
    row = {name: value for name, value in cell.value.items() if value is not None}
    if "video" not in row and ("path" in row or "problem" in row):
        return _read_video_r1(row, cell.number, set_name)
    video = _text(row, "video")
    asked = [name for name in ("question", "answer") if row.get(name, "") != ""]
    if not asked:
        return ManifestRow(cell.number, video, _optional_text(row, "license"), None)
    if len(asked) == 1:
        raise ValueError(f"a question and its answer come together, got only `{asked[0]}`")
    question = _question(
        text=_text(row, "question"),
        options=_options(row.get("options")),
        answer=row["answer"],
        task=_optional_text(row, "task"),
        kind=_optional_text(row, "kind") or set_name,
    )
    start_s, end_s = _seconds(row, "start_s"), _seconds(row, "end_s")
    if end_s is not None and end_s <= (start_s or 0):
        raise ValueError(f"end_s={end_s:g} must be after start_s={start_s or 0:g}")
    given = question.model_copy(
        update={
            "start_s": start_s,
            "end_s": end_s,
            "split": _split(row),
            "completion": _completion(row),
        }
    )
    return ManifestRow(cell.number, video, _optional_text(row, "license"), given)


def _completion(row: dict[str, Any]) -> str | None:
    """A trace that came along: text, its thought perhaps beside it, a chat message, or the last of some."""
    said = row.get("completion")
    if isinstance(said, list):
        said = next((each for each in reversed(said) if isinstance(each, dict)), said)
    if not isinstance(said, dict):
        said = {"content": _optional_text(row, "completion")}
    apart = {name: row[name] for name in _THOUGHTS if name in row and not any(map(said.get, _THOUGHTS))}
    return message_text({**said, **apart}).strip() or None


def _read_video_r1(row: dict[str, Any], number: int, set_name: str) -> ManifestRow | None:
    """One row of Video-R1-260k or Video-R1-CoT-165k, whose `process` holds a thought (arXiv 2503.21776)."""
    data_type = row.get("data_type", "video")
    if data_type == "image":
        return None
    if data_type != "video":
        raise ValueError(f"`data_type` is `video` or `image`, got {data_type!r}")
    solution = _text(row, "solution")
    match = _ANSWER_BLOCK.fullmatch(solution)
    if match is None:
        raise ValueError(f"`solution` stands in <answer>…</answer>, got {solution[:80]!r}")
    question = _question(
        text=_text(row, "problem"),
        options=_options(row.get("options")),
        answer=match[1],
        task=_optional_text(row, "problem_type"),
        kind=_optional_text(row, "data_source") or set_name,
    )
    process = _optional_text(row, "process")
    completion = f"{process}\n{solution}" if process else None
    return ManifestRow(
        number, _text(row, "path"), None, question.model_copy(update={"completion": completion})
    )


def _question(text: str, options: tuple[str, ...], answer: Any, task: str | None, kind: str) -> GivenQuestion:
    form = normalise(text, options, answer, None if task is None else _task(task))
    return GivenQuestion(
        kind=kind, question=text.strip(), options=form.options, answer=form.answer, task=form.task
    )


def _task(name: str) -> Task | None:
    """`multiple choice`, `free-form`, `OCR`, … as sets spell them; None for one that the answer decides."""
    key = re.sub(r"[\s\-/]+", "_", name.strip().casefold())
    known: dict[str, Task | None] = {task.value: task for task in Task}
    known |= _TASK_NAMES
    if key not in known:
        raise ValueError(f"unknown task {name!r}; it may be {', '.join(known)}")
    return known[key]


def _options(value: Any) -> tuple[str, ...]:
    """A list, a JSON list as text, or text with one option a line or between bars."""
    if value is None or value == "":
        return ()
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"`options` begins like a JSON list but is none ({error})") from error
    if isinstance(value, str):
        value = [option for option in re.split(r"[|\n]", value) if option.strip()]
    if not isinstance(value, list) or not all(isinstance(each, (str, int, float)) for each in value):
        raise ValueError(f"`options` is a list of texts, got {value!r}")
    return tuple(str(each) for each in value)


def _seconds(row: dict[str, Any], name: str) -> float | None:
    if name not in row:
        return None
    try:
        seconds = float(row[name])
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"`{name}` is a number of seconds from 0, got {row[name]!r}")
    return seconds


def _split(row: dict[str, Any]) -> str | None:
    name = _optional_text(row, "split")
    if name is not None and name.casefold() not in _SPLITS:
        raise ValueError(f"`split` is train or test, got {name!r}")
    return None if name is None else _SPLITS[name.casefold()]


def _text(row: dict[str, Any], name: str) -> str:
    text = _optional_text(row, name)
    if text is None:
        raise ValueError(f"`{name}` is missing or empty")
    return text


def _optional_text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"`{name}` is text, got {value!r}")
    return value.strip() or None
