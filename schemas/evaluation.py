"""One answer of an evaluation, as read and as scored: a line of scored.jsonl, which tables are made from."""

from collections.abc import Mapping

from reelproof.schemas.question import Task
from reelproof.schemas.record import Record

SCORED = "scored.jsonl"
"""The file of an evaluation's folder that holds all of its answers."""


class EvaluatedAnswer(Record):
    """What a model said to one question in one style, how that is read, and what it is worth."""

    style: str
    question_id: str
    """The same in every run that asks this question of this video, however it is asked."""
    request_id: str
    """Hash of all that decided the answer: model, settings, prompt, frames' times and the video's size."""
    video: str
    """As the question names it."""
    task: Task
    labels: Mapping[str, str]
    """What its set sorts it by: `task_type: Counting Problem`, …"""
    question: str
    options: tuple[str, ...]
    answer: str
    """Gold."""
    tolerance: float | None
    frame_times_s: tuple[float | None, ...]
    """Of the frames shown, in order; null where frames go by their places."""
    completion: str
    thought: str
    stated: str | None
    """What a person takes for its answer, with tags or without."""
    strict: float
    """Score of the answer in the form that was asked for; to what is asked at once, tags are none of it."""
    lenient: float
    """Score of what a person would understand."""
    agreement: float
    """1 where the thought concludes the answer."""
    evidence: float | None
    """Share of its claims that the verifier bears out; null without one."""
    key_time: float | None = None
    """How near its cited times are to those of the boxes that came with the question; null without."""
    key_place: float | None = None
    """Mean IoU of its boxes with those; null without."""
    tokens: int
    finished: bool
    """It ended by itself."""
    refused: str
    """Why the server would not answer, and empty where it did."""
    lost: str
    """Why it could not be asked: its video is missing or damaged. Else empty."""
