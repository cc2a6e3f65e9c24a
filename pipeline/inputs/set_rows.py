"""A row of a public set, its columns called as ours -> plain rows, answers and options as we have them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reelproof.pipeline.inputs.conversations import chat_turns, lettered_options, without_media_tags
from reelproof.pipeline.inputs.option_list import option_list
from reelproof.schemas.answers.normalise import GoldError
from reelproof.schemas.answers.reading import read_completion
from reelproof.schemas.question import WHEN

Row = Mapping[str, Any]

THOUGHTS = ("reasoning_content", "reasoning")
_FIVE = tuple(f"a{number}" for number in range(5))
_OPTIONS = tuple(f"option{number}" for number in range(5))
NUMBERED = (*_FIVE, *_OPTIONS)
"""Columns of options, as NExT-QA and LongVideoBench call them."""
LETTERED = tuple(
    f"{stem}{case(letter)}"
    for stem in ("", "option", "option_", "option ", "Option ", "choice_", "choice ", "Choice ")
    for letter in "ABCDEFGH"
    for case in (str.upper, str.lower)
)
"""Columns of options, as people's own tables call them."""
_LETTER_COLUMN = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice)[_ ]?)?([A-Ha-h])")
_OPTION_AND_STRETCH = "temporal QA (MCQ)"
_OPEN_O3_TASKS = {
    "temporal-spatial free-form QA": None,
    "temporal QA": "temporal_grounding",
    _OPTION_AND_STRETCH: "multiple_choice",
    "General video QA MCQ": "multiple_choice",
    "General video QA Free-form": None,
}

_ANSWER_BLOCK = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)
_LONE_LETTER = re.compile(r"\(?[A-Z]\)?\.?")
_STRETCH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*")
_NAMED_BY_ITS_STRETCH = re.compile(r"_\d\d:\d\d:\d\d[:.]\d+_\d\d:\d\d:\d\d[:.]\d+(?:\.\w+)?\Z")


def video_r1(row: Row) -> Iterator[Row]:
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


def problem_with_options(row: Row) -> Iterator[Row]:
    """LongVideo-Reason: options stand in the problem, the answer in its tags. Source: arXiv 2507.07966."""
    if row.get("data_type", "video") != "video":
        return
    asked = lettered_options(str(row["question"]))
    answer = str(row["answer"])
    found = _ANSWER_BLOCK.fullmatch(answer)
    said = found[1] if found else answer
    options = row.get("options") or list(asked.options) or None
    if not options and _LONE_LETTER.fullmatch(said.strip()):
        raise GoldError(f"the answer is option {said.strip()}, and the problem lists no options")
    yield {
        **_with_trace(row, answer),
        "question": asked.text,
        "options": options,
        "answer": said,
    }


def reasoned(row: Row) -> Iterator[Row]:
    """Open-o3's rows, with a thought beside the answer in SFT's file. Source: arXiv 2510.20579.

    Where both an option and a stretch are asked for, the option is the question's answer.
    """
    about = row.get("task")
    task = {"task": _OPEN_O3_TASKS[about]} if about in _OPEN_O3_TASKS else {}
    answer = row["answer"]
    if about == _OPTION_AND_STRETCH:
        answer = str(answer).split("\n")[0]
    told = _with_trace(row, str(row["answer"])) if row.get("reasoning_content") else row
    yield {**told, **task, "answer": answer}


def _with_trace(row: Row, answer: str) -> dict[str, Any]:
    """The row with its thought and answer as a completion, where it has a thought."""
    thought = row.get("reasoning_content")
    if not thought:
        return dict(row)
    told = thought.strip() if "<think>" in thought else f"<think>{thought}</think>"
    return {name: row[name] for name in row if name not in THOUGHTS} | {"completion": f"{told}\n{answer}"}


def conversation(row: Row) -> Iterator[Row]:
    """Chats about a video: each turn of a person and a model is a question with its answer."""
    for asked, said in chat_turns(row.get("conversations", row.get("messages"))):
        question = lettered_options(without_media_tags(asked))
        reading = read_completion(said)
        yield {
            **row,
            "question": question.text,
            "options": row.get("options") or list(question.options) or None,
            "answer": reading.stated if reading.thought else said,
            "completion": said if reading.thought else None,
        }


def query(row: Row) -> Iterator[Row]:
    """ms-swift's `query` and `response`, the last turns of a chat, after those of its `history`."""
    before = row.get("history") or []
    if not isinstance(before, list) or any(not isinstance(each, list) or len(each) != 2 for each in before):
        raise ValueError(f"`history` is a list of [query, response], got {before!r}")
    pairs = [*before, (row["query"], row["response"])]
    turns = [turn for pair in pairs for turn in zip(("user", "assistant"), pair, strict=True)]
    return conversation({**row, "messages": [{"role": who, "content": said} for who, said in turns]})


def sentence(row: Row) -> Iterator[Row]:
    """A sentence with the stretch, or the stretches, where it is true, counted from the part asked about."""
    part = {name: row.get(name) for name in ("start_s", "end_s")}
    if _NAMED_BY_ITS_STRETCH.search(str(row.get("video"))):  # the file is that part already
        part = {"start_s": None, "end_s": None}
    spans = _counted_from(part["start_s"], _stretches(row["answer"]))
    yield {**row, **part, "question": WHEN + str(row["question"]).strip(), "answer": spans}


def _stretches(said: Any) -> list[Any]:
    """`[2.5, 9]`, `[[2.5, 9], [12, 15]]`, either as text, or `2.5-9`."""
    found = _STRETCH.fullmatch(said) if isinstance(said, str) else None
    try:
        spans = [float(found[1]), float(found[2])] if found else said
        spans = json.loads(spans) if isinstance(spans, str) else spans
    except ValueError:
        spans = None
    if not isinstance(spans, list) or not spans:
        raise GoldError(f"a stretch is [start, end] in seconds, got {said!r}")
    return spans


def _counted_from(start_s: Any, said: Any) -> Any:
    """Stretches in seconds of the video, where they are given in seconds after its `start_s`."""
    if isinstance(said, list):
        return [_counted_from(start_s, each) for each in said]
    try:
        seconds = said + float(start_s) if start_s else said
        return round(seconds, 3)
    except (TypeError, ValueError):
        raise GoldError(
            f"a stretch is [start, end] in seconds, got {said!r} after {start_s or 0!r}"
        ) from None


def own_row(row: Row) -> Iterator[Row]:
    """A plain row, its options perhaps in columns of their own: `A`, `B`, … or `option_a`, `Option B`, …"""
    found = {match[1].upper(): row[name] for name in row if (match := _LETTER_COLUMN.fullmatch(str(name)))}
    apart = "question" in row and not row.get("options") and {"A", "B"} <= found.keys()
    yield {**row, "options": found} if apart else row


def numbered_options(row: Row) -> Iterator[Row]:
    """Options in columns of their own or in a list, the right one by its number from 0."""
    options = option_list(row.get("options") or _in_columns(row))
    said = row["answer"]
    if not re.fullmatch(r"-?\d+(?:\.0+)?", str(said).strip()):
        raise GoldError(f"the answer is an option's number from 0, got {said!r}")
    number = int(float(said))
    if not 0 <= number < len(options):
        raise GoldError(f"the answer is option {number} of {len(options)}, counted from 0")
    yield {**row, "options": list(options), "answer": chr(ord("A") + number)}


def _in_columns(row: Row) -> list[Any]:
    """Options that stand in columns of their own, from the first to the last that is filled."""
    names = _OPTIONS if "option0" in row else _FIVE
    filled = [place for place, name in enumerate(names) if row.get(name) not in (None, "", "N/A")]
    if filled != list(range(len(filled))):
        raise ValueError(f"an option before `{names[filled[-1]]}` is empty, so that numbers may be of others")
    return [row[names[place]] for place in filled]


def without_answer(row: Row) -> Iterator[Row]:
    """None: raises ValueError, as the answer of such a row stands in another file."""
    raise ValueError(
        f"question {row['question_id']} has its answer in another file; put both into one, by `question_id`"
    )
    yield row
