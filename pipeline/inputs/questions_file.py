"""A manifest's raw rows, of any known shape -> videos and what is asked of them, each with its line."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from reelproof.pipeline.inputs.conversations import video_of_chat
from reelproof.pipeline.inputs.formats import FORMATS, Cell, as_utf8, kind_of, written_as
from reelproof.pipeline.inputs.key_places import key_places
from reelproof.pipeline.inputs.option_list import option_list
from reelproof.pipeline.inputs.set_rows import THOUGHTS
from reelproof.pipeline.inputs.shapes import PLAIN_COLUMNS, SHAPES, Shape, plain_rows, shape_of
from reelproof.schemas.answers.normalise import EqualOptionsError, GoldError, answer_text, normalise
from reelproof.schemas.openai_reply import message_text
from reelproof.schemas.question import GivenQuestion, Task
from reelproof.schemas.text import clean_json

_TASK_NAMES: dict[str, Task | None] = {
    "free_form": Task.OPEN_ENDED,
    "math": None,  # its answers are numbers, letters or formulas
    "mcq": Task.MULTIPLE_CHOICE,
    "yes_no": Task.BOOLEAN,
}
_LONGEST_LABEL = 60
_SPLITS = {"train": "train", "training": "train", "test": "test", "val": "test", "validation": "test"}


class ListedRow(NamedTuple):
    """One row that can be used: a video, and what is asked about it, where something is."""

    number: int
    """Its line (CSV: where it starts), item or row, from 1."""
    video: str
    license: str | None
    question: GivenQuestion | None
    labels: Mapping[str, str] = MappingProxyType({})
    """Its short values in other columns, by which a benchmark may sort its questions."""
    gold: str = ""
    """The question's answer as the file has it."""
    duration_s: float | None = None
    """The film's length, where the row tells it in a column `duration`."""


RowFault = Literal["unreadable_row", "unreadable_answer", "equal_options"]


class ListProblem(NamedTuple):
    """A row that cannot be used, and why."""

    number: int
    reason: str
    kind: RowFault = "unreadable_row"


class VideoList(NamedTuple):
    """What a manifest holds: rows, what is wrong with the others, and how many were left out on purpose."""

    unit: str
    """What its rows are called: `line`, `item` or `row`."""
    rows: tuple[ListedRow, ...]
    problems: tuple[ListProblem, ...]
    skipped: Mapping[str, int]
    """Reason -> rows: `image_row`, …"""
    shapes: tuple[str, ...]
    """How its rows are written, by the names of `SHAPES`."""
    understood: tuple[str, ...]
    """Columns of which use is made, in order of the alphabet."""
    ignored: tuple[str, ...]
    """Columns that mean nothing here, in order of the alphabet."""


def read_video_list(
    name: str, content: bytes, columns: Mapping[str, str] | None = None, shape: str | None = None
) -> VideoList:
    """Every row of a manifest; `name` gives its format by its ending, and the set's name.

    `columns` says what it calls ours, as `{"question": "prompt"}`; `shape` the shape of its rows, which else
    is told row by row. Raises ValueError where the file as a whole cannot be read; a broken line becomes one
    of `problems`.
    """
    stem = name.rpartition("/")[2].rpartition(".")[0]
    content = as_utf8(content)
    unit, cells = FORMATS[written_as(name, content)]
    shapes = [each for each in SHAPES if shape in (None, each.name)]
    ours = {theirs: name for name, theirs in (columns or {}).items()}
    found = _Found([], [], Counter(), set(), set(), set())
    for cell in map(_cleaned, cells(content)):
        _read_cell(cell, shapes, ours, stem, found)
    return VideoList(
        unit=unit,
        rows=tuple(found.rows),
        problems=tuple(found.problems),
        skipped=dict(found.skipped),
        shapes=tuple(sorted(found.shapes)),
        understood=tuple(sorted(found.columns & found.understood)),
        ignored=tuple(sorted(found.columns - found.understood)),
    )


class _Found(NamedTuple):
    """What was found so far."""

    rows: list[ListedRow]
    problems: list[ListProblem]
    skipped: Counter[str]
    shapes: set[str]
    columns: set[str]
    understood: set[str]


def _read_cell(
    cell: Cell, shapes: Sequence[Shape], ours: Mapping[str, str], stem: str, found: _Found
) -> None:
    if cell.problem is None and not isinstance(cell.value, dict):
        cell = cell._replace(problem=f"a row is an object with a `video`, got {kind_of(cell.value)}")
    if cell.problem is not None:
        found.problems.append(ListProblem(cell.number, cell.problem))
        return
    found.columns.update(map(str, cell.value))
    found.understood.update(ours)
    raw = {ours.get(name, name): value for name, value in cell.value.items() if not _is_missing(value)}
    try:
        shape = shape_of(raw, shapes)
        found.shapes.add(shape.name)
        found.understood.update(shape.understood)
        labels = _labels(cell.value)
        rows = [
            _read_row(dict(row), cell.number, stem)._replace(labels=labels) for row in plain_rows(raw, shape)
        ]
    except ValueError as error:
        found.problems.append(ListProblem(cell.number, str(error), _fault(error)))
        return
    found.rows.extend(rows)
    if not rows:
        found.skipped["image_row"] += 1


def _is_missing(value: Any) -> bool:
    """Null, or what tables of numbers have in its place."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _labels(raw: Mapping[str, Any]) -> dict[str, str]:
    values = {name: value for name, value in raw.items() if name not in PLAIN_COLUMNS}
    return {
        str(name): value
        for name, value in values.items()
        if isinstance(value, str) and 0 < len(value) <= _LONGEST_LABEL
    }


def _fault(error: ValueError) -> RowFault:
    if isinstance(error, EqualOptionsError):
        return "equal_options"
    return "unreadable_answer" if isinstance(error, GoldError) else "unreadable_row"


def _cleaned(cell: Cell) -> Cell:
    """Without halves of characters, which JSON can spell and no file can hold."""
    return cell._replace(value=clean_json(cell.value))


def _read_row(row: dict[str, Any], number: int, set_name: str) -> ListedRow:
    """A plain row. Raises ValueError for one that cannot be used."""
    row = {name: value for name, value in row.items() if not _is_missing(value)}
    video = _video(row)
    asked = [name for name in ("question", "answer") if row.get(name, "") != ""]
    if not asked:
        return ListedRow(number, video, _optional_text(row, "license"), None)
    if len(asked) == 1:
        kind = GoldError if asked == ["question"] else ValueError
        raise kind(f"a question and its answer come together, got only `{asked[0]}`")
    question = _question(
        text=_text(row, "question"),
        options=option_list(row.get("options")),
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
            "key_places": key_places(row),
        }
    )
    return ListedRow(
        number,
        video,
        _optional_text(row, "license"),
        given,
        gold=answer_text(row["answer"]),
        duration_s=_told_duration(row.get("duration")),
    )


def _told_duration(value: Any) -> float | None:
    """Seconds; None for other words, such as the `short` of Video-MME."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _completion(row: dict[str, Any]) -> str | None:
    """A trace that came along: text, its thought perhaps beside it, a chat message, or the last of some."""
    said = row.get("completion")
    if isinstance(said, list):
        said = next((each for each in reversed(said) if isinstance(each, dict)), said)
    if not isinstance(said, dict):
        said = {"content": _optional_text(row, "completion")}
    apart = {name: row[name] for name in THOUGHTS if name in row and not any(map(said.get, THOUGHTS))}
    return message_text({**said, **apart}).strip() or None


def _video(row: Mapping[str, Any]) -> str:
    """The file that a row names: by path, by number, as `{"path": …}`, in a list, or in a message."""
    named = row.get("video", row.get("videos")) or video_of_chat(row.get("messages"))
    if isinstance(named, list) and named:
        if len({*map(str, named)}) > 1:
            raise ValueError(f"a question is about one video, got {len(named)}: {named!r}"[:200])
        named = named[0]
    if isinstance(named, Mapping):
        named = named.get("path", named.get("url"))
    if isinstance(named, int) and not isinstance(named, bool):
        named = str(named)
    if named is None:
        raise ValueError(
            f"`video` is missing among {', '.join(map(str, row))}; "
            "sources.columns={video: …} names the one that holds the file"
        )
    return _text({"video": named}, "video")


def _question(text: str, options: tuple[str, ...], answer: Any, task: str | None, kind: str) -> GivenQuestion:
    if isinstance(answer, list) and options:  # all of them are right
        named = [normalise(text, options, each, Task.MULTIPLE_CHOICE).answer for each in answer]
        answer = ", ".join(named)
    form = normalise(text, options, answer, None if task is None else _task(task))
    if form.task is Task.OPEN_ENDED and isinstance(answer, (list, dict)):
        raise GoldError(
            f"the answer to an open question is one text, got {kind_of(answer)}: {form.answer}"[:200]
        )
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
