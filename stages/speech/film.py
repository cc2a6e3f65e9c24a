"""What subtitles, a text track or an engine tell of a film -> its lines; a clip -> those that it shows."""

import codecs
from collections.abc import Iterable, Iterator

from pydantic import Field, field_validator

from reelproof.schemas.answers.wording import words
from reelproof.schemas.footage import Clip, Span
from reelproof.schemas.languages import language_of
from reelproof.schemas.settings import Settings
from reelproof.schemas.speech import ClipSpeech, FilmSpeech, SpeechLine, lines_within
from reelproof.stages.speech.engines import EngineConfig

VERSION = 3
_CHARACTERS_A_WORD = 10
"""A word, and its share of a line's times: lines have about six words."""


class SpeechConfig(Settings):
    """Whence it is known what is said in the videos: subtitles beside one, else a text track in it."""

    language: str | None = None
    """Subtitles and tracks of this language are taken, such as `en`, else those that name none; by default
    those that name none, else the first."""
    encoding: str | None = None
    """Subtitle files are in this encoding; by default Unicode, or what their language and letters tell."""
    max_words: int = Field(default=3000, ge=1, le=1_000_000)
    """A clip's questions show at most so many words of what is said; of a longer one, lines spread evenly."""

    @property
    def heard(self) -> tuple[str | None, ...]:
        """What decides which lines a film has."""
        return (self.language, self.encoding)

    @property
    def most_characters(self) -> int:
        """Of a prompt's lines together, with their times."""
        return _CHARACTERS_A_WORD * self.max_words

    @field_validator("language")
    @classmethod
    def _is_a_language(cls, language: str | None) -> str | None:
        if language is not None and language_of(language) is None:
            raise ValueError(f"{language!r} is no language; expected a tag such as en, de or zh")
        return language and language_of(language)

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, encoding: str | None) -> str | None:
        try:
            return encoding and codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(f"Python knows no encoding {encoding!r}; expected one such as cp1252") from None


class SpeechRole(SpeechConfig):
    """Whence it is known what is said in the videos: subtitles beside one, else a text track in it, else an
    engine that listens, where one is named.
    """

    engine: EngineConfig | None = None
    """This engine hears what neither subtitles nor a text track tell; by default none does."""

    @property
    def heard(self) -> tuple[str | None, ...]:
        """What decides which lines a film has."""
        return (*super().heard, self.engine.identity) if self.engine else super().heard


def clip_speech(clips: Iterable[Clip], films: Iterable[FilmSpeech], max_words: int) -> Iterator[ClipSpeech]:
    """The lines of each clip, in the clips' order, at most so many words of them."""
    lines = {film.video_id: film.lines for film in films}
    for clip in clips:
        own = lines_within(lines.get(clip.video_id, ()), Span(start_s=clip.start_s, end_s=clip.end_s))
        yield ClipSpeech(clip_id=clip.clip_id, lines=thinned(own, max_words))


def thinned(lines: tuple[SpeechLine, ...], max_words: int) -> tuple[SpeechLine, ...]:
    """All of them, or so many, evenly spread, as have no more words together."""
    counts = [len(words(each.text)) for each in lines]
    for step in range(1, len(lines) + 1):
        if sum(counts[::step]) <= max_words:
            return lines[::step]
    return ()
