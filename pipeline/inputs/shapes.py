"""A raw row of a set that people have -> rows in our columns: one table of shapes, each known by its columns.

A plain row has the columns of `PLAIN_COLUMNS`; most shapes only call these otherwise.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from reelproof.pipeline.inputs import set_rows
from reelproof.pipeline.inputs.conversations import options_apart, video_of_chat
from reelproof.pipeline.inputs.key_places import KEY_COLUMNS
from reelproof.pipeline.inputs.set_rows import LETTERED, NUMBERED, THOUGHTS

Row = Mapping[str, Any]

PLAIN = "plain"
PLAIN_COLUMNS = (
    *("video", "question", "options", "answer", "task", "start_s", "end_s"),
    *("license", "split", "kind", "completion", *THOUGHTS, *KEY_COLUMNS),
)


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
    if _is_about_a_picture(ours):
        return
    for plain in shape.rows(ours):
        yield options_apart({**shape.constant, **plain})


def _is_about_a_picture(row: Row) -> bool:
    """Whether a row names pictures and no video, as mixed training sets have them."""
    named = row.get("video") or row.get("videos") or video_of_chat(row.get("messages"))
    return not named and any(row.get(name) for name in _PICTURES)


def shape_of(row: Row, shapes: Iterable[Shape]) -> Shape:
    """The first shape all of whose columns a row has. Raises ValueError where it has those of none."""
    wanted = list(shapes)
    for shape in wanted:
        if shape.name == PLAIN and (lacking := _lacking(row, wanted)):
            raise ValueError(lacking)
        if all(name in row for name in shape.known_by):
            return shape
    needs = " or ".join(f"{shape.name} with {', '.join(shape.known_by)}" for shape in wanted)
    raise ValueError(f"a row has the columns of {needs}; this one has {', '.join(map(str, row)) or 'none'}")


def _lacking(row: Row, shapes: Iterable[Shape]) -> str | None:
    """What a row lacks that names no video of its own and is one of a shape, save for its answer."""
    if not {"video", "videos", "path"}.isdisjoint(row):
        return None
    for shape in shapes:
        answers = {name for name in shape.known_by if shape.columns.get(name, name) == "answer"}
        if answers and all(name in row for name in shape.known_by if name not in answers):
            return f"this looks like a row of {shape.name} without its answer, `{min(answers)}`"
    return None


_PICTURES = ("image", "images", "image_path")
_CHAT = (*_PICTURES, "videos", "id", "system", "rejected_response", "rejected_messages", "rejected")

SHAPES = (
    Shape(
        "video-r1",
        ("problem", "solution"),
        {"path": "video", "problem": "question", "problem_type": "task", "data_source": "kind"},
        ("data_type", "process", "problem_id"),
        set_rows.video_r1,
    ),
    Shape(
        "longvideo-reason",
        ("problem", "videos", "answer"),
        {"videos": "video", "problem": "question", "reasoning": "reasoning_content"},
        ("data_type", "problem_type", "problem_id"),
        set_rows.problem_with_options,
    ),
    Shape("llava-video", ("conversations",), {"data_source": "kind"}, _CHAT, set_rows.conversation),
    Shape("messages", ("messages",), {}, _CHAT, set_rows.conversation),
    Shape("query-response", ("query", "response"), {}, (*_CHAT, "history"), set_rows.query),
    Shape(
        "time-r1",
        ("video", "timestamp", "sentence"),
        {"timestamp": "answer", "sentence": "question", "video_start": "start_s", "video_end": "end_s"},
        ("duration", "qid", "difficulty", "pred"),
        set_rows.sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "tvgbench",
        ("path", "question", "answer", "qsemtype"),
        {"path": "video", "start": "start_s", "end": "end_s"},
        ("duration", "question_type", "source", "dataset_name", "bins"),
        set_rows.sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "charades-sta",
        ("video", "caption", "timestamp"),
        {"caption": "question", "timestamp": "answer"},
        rows=set_rows.sentence,
        constant={"task": "temporal_grounding"},
    ),
    Shape(
        "timelens",
        ("video_path", "query", "span"),
        {"video_path": "video", "query": "question", "span": "answer"},
        ("duration",),
        set_rows.sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "qvhighlights",
        ("vid", "query", "relevant_windows"),
        {"vid": "video", "query": "question", "relevant_windows": "answer"},
        ("duration", "qid", "relevant_clip_ids", "saliency_scores"),
        set_rows.sentence,
        {"task": "temporal_grounding"},
    ),
    Shape(
        "next-qa",
        ("video", "question", "a0", "a1", "answer"),
        {},
        (*NUMBERED, "qid", "type"),
        set_rows.numbered_options,
        {"task": "multiple_choice"},
    ),
    Shape(
        "egoschema",
        ("video_idx", "question", "option", "answer"),
        {"video_idx": "video", "option": "options"},
        ("question_idx",),
        set_rows.numbered_options,
        {"task": "multiple_choice"},
    ),
    Shape(
        "perception-test",
        ("video_name", "question", "options", "answer_id"),
        {"video_name": "video", "answer_id": "answer"},
        ("question_id", "area", "reasoning", "tag"),
        lambda row: set_rows.numbered_options({name: row[name] for name in row if name != "reasoning"}),
        {"task": "multiple_choice"},
    ),
    Shape(
        "longvideobench",
        ("video_path", "question", "correct_choice"),
        {"video_path": "video", "candidates": "options", "correct_choice": "answer"},
        (
            *(*NUMBERED, "video_id", "id", "question_category", "topic_category", "level", "duration"),
            *("question_wo_referring_query", "position", "duration_group", "view_count", "subtitle_path"),
            "starting_timestamp_for_subtitles",
        ),
        set_rows.numbered_options,
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
        ("video_path", "question", "answer"),
        {
            "video_path": "video",
            "choices": "options",
            "reasoning_process": "reasoning_content",
            "source": "kind",
        },
        ("id", "image_size", *_PICTURES),
        set_rows.reasoned,
    ),
    Shape(
        "activitynet-qa",
        ("video_name", "question", "answer"),
        {"video_name": "video"},
        ("question_id", "type"),
    ),
    Shape("next-qa open", ("video", "question", "answer", "additional_ref_answer")),
    Shape(
        "activitynet-qa without answers",
        ("video_name", "question", "question_id"),
        rows=set_rows.without_answer,
    ),
    Shape(PLAIN, (), {"path": "video"}, LETTERED, set_rows.own_row),
)
"""In the order in which they are tried. Sources: each set's own files on the Hub or in its repository."""
SHAPE_NAMES = tuple(shape.name for shape in SHAPES)
