"""What is said in a film: lines with their times, where they come from, and which a question shows."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from reelproof.schemas.footage import Span
from reelproof.schemas.question import Question
from reelproof.schemas.record import Record

SPEECH_NOTE = (
    'What is said in the clip stands among the frames, each line when it is said: [12.4-14.0 s] "…". '
    "To quote it, give the words in quotation marks, and their time.\n"
)
"""Before a request whose prompt shows lines."""


class SpeechLine(Record):
    """Words, and when they are said, in seconds from the video's first frame."""

    start_s: float = Field(ge=0)
    end_s: float
    text: str
    """On one line, without markup."""

    @model_validator(mode="after")
    def _does_not_end_before_it_starts(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"a line ends at {self.end_s} s, before it starts at {self.start_s} s")
        return self

    @property
    def told(self) -> str:
        """As it stands in a prompt, and may be cited: `[12.4-14.0 s] "…"`."""
        return f'[{self.start_s:.1f}-{self.end_s:.1f} s] "{self.text}"'


class SpeechOrigin(StrEnum):
    """Where a film's lines come from."""

    SUBTITLES = "subtitles"
    """A file beside the video."""
    TRACK = "track"
    """A text track in the video's own file."""
    ENGINE = "engine"
    """Speech recognition."""


class FilmSpeech(Record):
    """All that is said in one video."""

    video_id: str
    origin: SpeechOrigin | None
    """Null where nothing tells what is said."""
    name: str
    """The file's name, the track's place and codec, or the engine's `name@revision`."""
    language: str | None
    """Two letters where there are two, such as `en`; null where nothing says so."""
    lines: tuple[SpeechLine, ...]
    """In order of their start."""
    problem: str | None = None
    """What kept lines from being read, for a person."""


class ClipSpeech(Record):
    """What is said in one clip, as far as its questions show it."""

    clip_id: str
    lines: tuple[SpeechLine, ...]


class ClipSound(Record):
    """The sound of one clip, for teachers that listen."""

    clip_id: str
    sha256: str
    """Of the MP3 file's bytes, hex."""
    mp3: bytes
    """One channel, 16,000 samples a second."""


def lines_within(lines: Iterable[SpeechLine], span: Span) -> tuple[SpeechLine, ...]:
    """Those of which some is said in the span."""
    return tuple(
        each
        for each in lines
        if each.start_s < span.end_s and max(each.end_s, each.start_s + 1e-3) > span.start_s
    )


def shows_clip(question: Question) -> bool:
    """Whether the question shows its clip as it is: own frames, in order, with their times."""
    times_s = [each.shown_s for each in question.frames]
    own = [each.frame.time_s for each in question.frames if each.frame.video_id == question.video_id]
    return bool(times_s) and times_s == own and own == sorted(own)


def shown_lines(question: Question, lines: tuple[SpeechLine, ...]) -> tuple[SpeechLine, ...]:
    """The clip's lines, where the question shows the clip as it is.

    Where frames were shuffled, hidden or lent by another film, lines with times would give that away.
    """
    return lines if shows_clip(question) else ()


def frames_before(lines: Iterable[SpeechLine], times_s: Sequence[float | None]) -> list[int]:
    """For each line, how many of the frames, in order of time, are shown before it: those up to its start."""
    timed = [each for each in times_s if each is not None]
    return [bisect_right(timed, each.start_s) for each in lines]
