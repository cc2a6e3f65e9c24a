"""A raw row of a set that people have -> rows in our columns: one table of shapes, each known by its columns.

A plain row has the columns of `PLAIN_COLUMNS`; most shapes only call these otherwise.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from reelproof.pipeline.inputs.conversations import chat_turns, lettered_options, without_media_tags
from reelproof.schemas.answers.reading import read_completion

Row = Mapping[str, Any]

PLAIN = "plain"
THOUGHTS = ("reasoning_content", "reasoning")
PLAIN_COLUMNS = (
    *("video", "question", "options", "answer", "task", "start_s", "end_s"),
    *("license", "split", "kind", "completion", *THOUGHTS),
)
_ANSWER_BLOCK = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)
_WHEN = "From when to when does the video show this: {said}"


def _same(row: Row) -> Iterator[Row]:
    yield row


class Shape(NamedTuple):
    """How one set writes its rows."""

    name: str
    known_by: tuple[str, ...]
    """Columns that a row of this shape has; a row is of the first shape in the table whose columns it has."""
    columns: Mapping[str, str] = {}
    """Theirs -> ours, where they call it otherwise."""
    also: tuple[str, ...] = ()
    """Further columns that it makes use of."""
    rows: Callable[[Row], Iterable[Row]] = _same
    """A row in our columns -> a plain row per question; none of a row about a picture. Raises ValueError."""
    constant: Mapping[str, Any] = {}
    """What holds for all of its rows, where they do not say otherwise."""

    @property
    def understood(self) -> frozenset[str]:
        """Columns of which it makes use, as a file calls them."""
        return frozenset((*self.known_by, *self.columns, *self.also, *PLAIN_COLUMNS))


def plain_rows(row: Row, shape: Shape) -> Iterator[Row]:
    """A row of a shape as plain rows."""
    taken = {name: ours for name, ours in shape.columns.items() if ours in shape.known_by or ours not in row}
    ours = {taken.get(name, name): value for name, value in row.items()}
    for plain in shape.rows(ours):
        yield {**shape.constant, **plain}


def shape_of(row: Row, shapes: Iterable[Shape]) -> Shape:
    """The first shape all of whose columns a row has. Raises ValueError where it has those of none."""
    wanted = list(shapes)
    for shape in wanted:
        if all(name in row for name in shape.known_by):
            return shape
    needs = " or ".join(f"{shape.name} with {', '.join(shape.known_by)}" for shape in wanted)
    raise ValueError(f"a row has the columns of {needs}; this one has {', '.join(map(str, row)) or 'none'}")


def _video_r1(row: Row) -> Iterator[Row]:
    """Video-R1-260k or Video-R1-CoT-165k, whose `process` holds a thought. Source: arXiv 2503.21776."""
    data_type = row.get("data_type", "video")
    if data_type not in ("image", "video"):
        raise ValueError(f"`data_type` is `video` or `image`, got {data_type!r}")
    if data_type == "image":
        return
    solution = str(row.get("solution", ""))
    found = _ANSWER_BLOCK.fullmatch(solution)
    if found is None:
        raise ValueError(f"`solution` stands in <answer>…</answer>, got {solution[:80]!r}")
    process = row.get("process")
    yield {**row, "answer": found[1], "completion": f"{process}\n{solution}" if process else None}


def _problem_with_options(row: Row) -> Iterator[Row]:
    """LongVideo-Reason: options stand in the problem, the answer in its tags. Source: arXiv 2507.07966."""
    if row.get("data_type", "video") != "video":
        return
    asked = lettered_options(str(row["question"]))
    answer = str(row["answer"])
    found = _ANSWER_BLOCK.fullmatch(answer)
    yield {
        **_with_trace(row, answer),
        "question": asked.text,
        "options": list(asked.options) or None,
        "answer": found[1] if found else answer,
    }


def _reasoned(row: Row) -> Iterator[Row]:
    """Open-o3's rows with a thought beside the answer. Source: arXiv 2510.20579."""
    yield _with_trace(row, str(row["answer"]))


def _with_trace(row: Row, answer: str) -> dict[str, Any]:
    """The row with its thought and answer as a completion, where it has a thought."""
    thought = row.get("reasoning_content")
    if not thought:
        return dict(row)
    told = thought if "<think>" in thought else f"<think>{thought}</think>"
    return {name: row[name] for name in row if name not in THOUGHTS} | {"completion": f"{told}\n{answer}"}


def _conversation(row: Row) -> Iterator[Row]:
    """Chats about a video: each turn of a person and a model is a question with its answer."""
    for asked, said in chat_turns(row.get("conversations", row.get("messages"))):
        question = lettered_options(without_media_tags(asked))
        reading = read_completion(said)
        yield {
            **row,
            "question": question.text,
            "options": list(question.options) or None,
            "answer": reading.stated if reading.thought else said,
            "completion": said if reading.thought else None,
        }


def _sentence(row: Row) -> Iterator[Row]:
    """A sentence with the stretch, or the stretches, where it is true."""
    spans = row["answer"]
    if not isinstance(spans, list) or not spans:
        raise ValueError(f"a stretch is [start, end] in seconds, got {spans!r}")
    yield {**row, "question": _WHEN.format(said=str(row["question"]).strip()), "answer": spans}


def _numbered_options(row: Row) -> Iterator[Row]:
    """Options in columns of their own or in a list, the right one by its number from 0."""
    options = row.get("options") or [row[name] for name in _FIVE if row.get(name) not in (None, "")]
    try:
        number = int(row["answer"])
    except (TypeError, ValueError):
        raise ValueError(f"the answer is an option's number from 0, got {row['answer']!r}") from None
    if not 0 <= number < len(options):
        raise ValueError(f"the answer is option {number} of {len(options)}, counted from 0")
    yield {**row, "options": list(options), "answer": chr(ord("A") + number)}


def _without_answer(row: Row) -> Iterator[Row]:
    raise ValueError(
        f"question {row['question_id']} has its answer in another file; put both into one, by `question_id`"
    )
    yield row


_FIVE = tuple(f"a{number}" for number in range(5))

SHAPES = (
    Shape(
        "video-r1",
        ("problem", "solution"),
        {"path": "video", "problem": "question", "problem_type": "task", "data_source": "kind"},
        ("data_type", "process", "problem_id"),
        _video_r1,
    ),
    Shape(
        "longvideo-reason",
        ("problem", "videos", "answer"),
        {"videos": "video", "problem": "question", "reasoning": "reasoning_content"},
        ("data_type", "problem_type", "problem_id"),
        _problem_with_options,
    ),
    Shape("llava-video", ("conversations",), {"data_source": "kind"}, ("videos", "id"), _conversation),
    Shape("messages", ("messages",), {}, ("videos", "id"), _conversation),
    Shape(
        "time-r1",
        ("video", "timestamp", "sentence"),
        {"timestamp": "answer", "sentence": "question"},
        ("duration", "qid"),
        _sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "qvhighlights",
        ("vid", "query", "relevant_windows"),
        {"vid": "video", "query": "question", "relevant_windows": "answer"},
        ("duration", "qid", "relevant_clip_ids", "saliency_scores"),
        _sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "next-qa",
        ("video", "question", "a0", "a1", "answer"),
        {},
        (*_FIVE, "qid", "type"),
        _numbered_options,
        {"task": "multiple_choice"},
    ),
    Shape(
        "egoschema",
        ("video_idx", "question", "option", "answer"),
        {"video_idx": "video", "option": "options"},
        ("question_idx",),
        _numbered_options,
        {"task": "multiple_choice"},
    ),
    Shape(
        "perception-test",
        ("video_name", "question", "options", "answer_id"),
        {"video_name": "video", "answer_id": "answer"},
        ("question_id", "area", "reasoning", "tag"),
        lambda row: _numbered_options({name: row[name] for name in row if name != "reasoning"}),
        {"task": "multiple_choice"},
    ),
    Shape(
        "longvideobench",
        ("video_path", "question", "candidates", "correct_choice"),
        {"video_path": "video", "candidates": "options", "correct_choice": "answer"},
        ("video_id", "id", "question_category", "topic_category", "level", "duration"),
        _numbered_options,
        {"task": "multiple_choice"},
    ),
    Shape(
        "mvbench",
        ("video", "question", "candidates", "answer"),
        {"candidates": "options", "start": "start_s", "end": "end_s"},
        ("fps", "accurate_start", "accurate_end", "question_id"),
        constant={"task": "multiple_choice"},
    ),
    Shape(
        "video-mme",
        ("videoID", "question", "options", "answer"),
        {"videoID": "video"},
        ("video_id", "question_id", "duration", "domain", "sub_category", "task_type", "url"),
        constant={"task": "multiple_choice"},
    ),
    Shape(
        "open-o3",
        ("question", "answer", "key_items"),
        {"video_path": "video", "reasoning_process": "reasoning_content", "task": "about", "source": "kind"},
        ("key_frames", "id"),
        _reasoned,
    ),
    Shape(
        "activitynet-qa",
        ("video_name", "question", "answer"),
        {"video_name": "video"},
        ("question_id", "type"),
    ),
    Shape("activitynet-qa without answers", ("video_name", "question", "question_id"), rows=_without_answer),
    Shape(PLAIN, (), {"path": "video"}),
)
"""In the order in which they are tried. Sources: each set's own files on the Hub or in its repository."""
SHAPE_NAMES = tuple(shape.name for shape in SHAPES)
