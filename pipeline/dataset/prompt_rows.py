"""Questions in Arrow columns -> what each shows of what is said, and its prompt as it is published."""

import string
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reelproof.schemas.frame_names import decimals_apart, frame_names
from reelproof.schemas.question import Question, Task
from reelproof.schemas.speech import ClipSpeech, SpeechLine, frames_before, shown_lines
from reelproof.schemas.tables import from_table
from reelproof.stages.teachers.prompts import (
    ANSWER_FORMS,
    ROLLOUT,
    ROLLOUT_WHERE,
    SPOKEN,
    Prompt,
)

Places = npt.NDArray[np.int64]
Lines = Sequence[SpeechLine]


def lines_of_questions(questions: pa.Table, held: pa.Table) -> list[tuple[SpeechLine, ...]]:
    """What each question shows of its clip's lines, which `held` has."""
    of_clip: Mapping[str, tuple[SpeechLine, ...]] = {
        each.clip_id: each.lines for each in from_table(held, ClipSpeech)
    }
    return [
        shown_lines(each, lines) if (lines := of_clip.get(each.clip_id, ())) else ()
        for each in from_table(questions, Question)
    ]


class _Items(NamedTuple):
    """Texts that stand within prompts: `texts[of[i]]` at `at[i]` of all prompts' parts."""

    texts: list[str]
    of: Places
    at: Places


def prompts_of(
    questions: pa.Table,
    clip: pa.Table,
    offsets: Places,
    shown_s: pa.Array,
    lines: Sequence[Lines] | None,
    with_boxes: Collection[str] = (),
) -> pa.Array:
    """`rollout_messages` of each question, as published: text, (name, image) a frame, text.

    `offsets` and `shown_s` are those of the frames of all questions, one after the other; `lines` what each
    shows of what is said, where that is known; `with_boxes` the ids of those that were put with boxes.
    """
    counts = np.diff(offsets)
    said = lines or [()] * len(counts)
    times = shown_s.to_numpy(zero_copy_only=False)
    place = np.arange(len(times)) - np.repeat(offsets[:-1], counts)
    spoken = np.array([len(each) for each in said], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(2 * counts + 2 + spoken)])
    lines_at, before_frame = _among_frames(said, times, offsets, starts)
    frame_at = np.repeat(starts[:-1], counts) + 1 + 2 * place + before_frame
    labels, label_of = _labels(times, place, offsets)
    intros = _intros(counts, times, offsets, clip)
    requests = _requests(questions, spoken, with_boxes)
    texts = [line.told for each in said for line in each]
    words = pa.array([*labels, *intros, *requests, *texts], pa.string())
    word = np.full(starts[-1], -1, dtype=np.int64)
    word[frame_at] = label_of
    word[starts[:-1]] = len(labels) + np.arange(len(intros))
    word[starts[1:] - 1] = len(labels) + len(intros) + np.arange(len(requests))
    word[lines_at] = len(labels) + len(intros) + len(requests) + np.arange(len(texts))
    kind = pa.array(["image", "text"]).take(pa.array((word >= 0).astype(np.int8)))
    content = pa.StructArray.from_arrays(
        [kind, words.take(pa.array(word, mask=word < 0))], names=["type", "text"]
    )
    return turns("user", lists(starts, content))


def _among_frames(
    said: Sequence[Lines], times: npt.NDArray[np.float64], offsets: Places, starts: Places
) -> tuple[Places, Places]:
    """Where each line stands among all parts; how many of its question's lines stand before each frame."""
    lines_at: list[Places] = [np.zeros(0, dtype=np.int64)]
    before_frame = np.zeros(len(times), dtype=np.int64)
    for number, lines in enumerate(said):
        if lines:
            low, high = offsets[number], offsets[number + 1]
            before = np.array(frames_before(lines, times[low:high].tolist()), dtype=np.int64)
            lines_at.append(starts[number] + 1 + 2 * before + np.arange(len(lines)))
            before_frame[low:high] = np.searchsorted(before, np.arange(high - low), side="right")
    return np.concatenate(lines_at), before_frame


def _labels(times: npt.NDArray[np.float64], place: Places, offsets: Places) -> tuple[list[str], Places]:
    """What stands before each frame: the distinct texts, and which of them (frames,)."""
    moments, moment_of = np.unique(times, return_inverse=True)
    most = int(place.max()) + 1 if len(place) else 0
    labels = [*frame_names(moments.tolist(), 1), *frame_names([None] * most)]
    label_of = np.where(np.isnan(times), len(moments) + place, moment_of)
    for low, high in _where_close(times, offsets):
        told = [None if np.isnan(time_s) else float(time_s) for time_s in times[low:high]]
        label_of[low:high] = len(labels) + np.arange(high - low)
        labels += frame_names(told, decimals_apart(told))
    return labels, label_of


def _where_close(times: npt.NDArray[np.float64], offsets: Places) -> list[tuple[int, int]]:
    """The frames of each question that shows two of other times within the same tenth of a second, or may."""
    question = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((times, question))
    gaps_s, same = np.diff(times[order]), np.diff(question[order]) == 0
    close = np.unique(question[order][1:][same & (gaps_s > 0) & (gaps_s < 0.1)])
    return [(int(offsets[each]), int(offsets[each + 1])) for each in close]


def _intros(counts: Places, times: npt.NDArray[np.float64], offsets: Places, clip: pa.Table) -> list[str]:
    untimed = np.add.reduceat(np.append(np.isnan(times), 0), np.minimum(offsets[:-1], len(times)))
    untimed = np.where(counts > 0, untimed, 0)
    spans = zip(clip["start_s"].to_pylist(), clip["end_s"].to_pylist(), strict=True)
    return [
        _intro(count, missing == 0, start, end)
        for count, missing, (start, end) in zip(counts.tolist(), untimed.tolist(), spans, strict=True)
    ]


def _intro(count: int, timed: bool, start_s: float, end_s: float) -> str:
    if not count:
        return ROLLOUT.without_frames
    return (ROLLOUT.with_times if timed else ROLLOUT.with_places).format(start_s=start_s, end_s=end_s)


def _requests(questions: pa.Table, spoken: Places, with_boxes: Collection[str]) -> list[str]:
    columns = (questions[name].to_pylist() for name in ("question_id", "text", "options", "task"))
    return [
        (SPOKEN.request if said else "")
        + _request(ROLLOUT_WHERE if name in with_boxes else ROLLOUT, text, options, task)
        for name, text, options, task, said in zip(*columns, spoken.tolist(), strict=True)
    ]


def _request(prompt: Prompt, text: str, options: Sequence[str], task: str) -> str:
    lettered = zip(string.ascii_uppercase, options, strict=False)
    listed = "".join(f"{letter}. {option}\n" for letter, option in lettered)
    return prompt.request.format(question=text, options=listed, form=ANSWER_FORMS[Task(task)])


def turns(role: str, content: pa.Array) -> pa.Array:
    """Lists of message parts -> lists of one message."""
    roles = pa.repeat(pa.scalar(role), len(content))
    messages = pa.StructArray.from_arrays([roles, content], names=["role", "content"])
    return lists(np.arange(len(content) + 1), messages)


def lists(offsets: Places, values: pa.Array) -> pa.Array:
    """Values -> lists of them, list i being those from `offsets[i]` to before `offsets[i + 1]`."""
    kind = pa.list_(pa.field("element", values.type))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)
