"""A request's text -> what it shows and what it asks: the prompts, read back as their reader sees them."""

import re
from typing import NamedTuple

from reelproof.schemas.chat import ChatRequest, ImagePart, TextPart
from reelproof.schemas.question import Task
from reelproof.schemas.speech import SpeechLine
from reelproof.stages.teachers.prompts import ANSWER_FORMS

_LINE = re.compile(r'\[(\d+\.\d)-(\d+\.\d) s\] "(.*)"')
"""As `SpeechLine.told` puts it."""
_TIME_LABEL = re.compile(r"\[(\d+(?:\.\d+)?) s\]\s*$")
_QUESTION = re.compile(r"^Question: (.*?)^Answer form: (.*?)\.$", re.DOTALL | re.MULTILINE)
_OPTION = re.compile(r"^([A-Z])\. (.*)$", re.MULTILINE)
_OBSERVED = re.compile(
    r"^Observations: (.*?)^What was asked: (.*?)^Answer form: (.*?)\.$", re.DOTALL | re.MULTILINE
)
_CLAIM = re.compile(r"^Claim: (.*?)$", re.MULTILINE)
_TASKS = {form: task for task, form in ANSWER_FORMS.items()}


class Shown(NamedTuple):
    """A frame of the request."""

    sha256: str
    label: str
    """As it stands before the frame: `[12.4 s]` or `Frame 3`."""
    time_s: float | None
    """Null where the label tells none."""


class AskedQuestion(NamedTuple):
    """A request for a thought and an answer."""

    shown: tuple[Shown, ...]
    task: Task
    text: str
    options: tuple[str, ...]
    lines: tuple[SpeechLine, ...] = ()
    """What is said in the clip, as far as the request tells."""


class AskedClaim(NamedTuple):
    """A request for a verdict on a sentence."""

    shown: tuple[Shown, ...]
    text: str


class AskedObservations(NamedTuple):
    """A request for the answer that follows from what someone else observed."""

    observations: str
    text: str
    options: tuple[str, ...]


def read_request(request: ChatRequest) -> AskedQuestion | AskedClaim | AskedObservations | None:
    """What is asked, or None where it is nothing of this in the form of our prompts."""
    shown: list[Shown] = []
    lines: list[SpeechLine] = []
    text = ""
    for part in (part for turn in request.messages for part in turn.content):
        if isinstance(part, ImagePart):
            shown.append(_shown(part.sha256, text, len(shown) + 1))
            text = ""
        elif isinstance(part, TextPart) and (line := _LINE.fullmatch(part.text)):
            lines.append(SpeechLine(start_s=float(line[1]), end_s=float(line[2]), text=line[3]))
        elif isinstance(part, TextPart):
            text = f"{text}\n{part.text}"
    if claim := _CLAIM.search(text):
        return AskedClaim(tuple(shown), claim[1])
    if observed := _OBSERVED.search(text):
        return AskedObservations(observed[1].strip(), *_with_options(observed[2]))
    question = _QUESTION.search(text)
    if question is None or question[2] not in _TASKS:
        return None
    return AskedQuestion(tuple(shown), _TASKS[question[2]], *_with_options(question[1]), tuple(lines))


class _Parts(NamedTuple):
    text: str
    options: tuple[str, ...]


def _with_options(asked: str) -> _Parts:
    said = asked.strip()
    options = list(_OPTION.finditer(said))
    text = said[: options[0].start()].strip() if options else said
    return _Parts(text, tuple(option[2] for option in options))


def _shown(sha256: str, label: str, place: int) -> Shown:
    time = _TIME_LABEL.search(label)
    if time is None:
        return Shown(sha256, f"Frame {place}", None)
    return Shown(sha256, time[0].strip(), float(time[1]))
