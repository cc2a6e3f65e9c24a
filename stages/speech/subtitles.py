"""Bytes of a subtitle file (SubRip, WebVTT, SubStation) -> lines with their times: the one reader of them."""

import codecs
import html
import re
from collections.abc import Iterable, Iterator, Sequence

import pysubs2
from charset_normalizer import from_bytes

from reelproof.schemas.languages import encodings_of
from reelproof.schemas.speech import SpeechLine

ENDINGS = ("srt", "vtt", "ass", "ssa")
"""Of the files that are read, the first of several first."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# fmt: off
_NOT_LATIN = [
    "big5", "cp932", "cp949", "euc_jp", "gb18030", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874",
]
# fmt: on
_CENTRAL_EUROPEAN = re.compile(r"[^\W\d_][³¹¿¶¼¾]|[³¹¶¼¾][^\W\d_]")
"""What Polish looks like where it is read as Western European."""
_RUN = re.compile(rb"[\x80-\xff]+")
_ACCENT = re.compile(
    rb"(?<=[A-Za-z])[\x80-\xff]{1,2}(?![\x80-\xff])|(?<![\x80-\xff])[\x80-\xff]{1,2}(?=[A-Za-z])"
)
"""One or two letters beyond ASCII beside one within: what Latin scripts have, and no other has often."""
_NO_LETTER = re.compile(rb"[\x81\x83\x86-\x89\x90\x98\x99\xa2\xa4\xa6-\xa8\xac\xae\xb2\xb5\xb8\xbd\xd7\xf7]")
"""Neither a letter nor a mark of sentences in any European encoding of Latin script."""
_BLANK = re.compile(r"(?:\\N[ \t]*){2,}")
_GAP_S = 0.05
"""Cues that follow so closely may roll: the second repeats what is still shown of the first."""


class SubtitleError(ValueError):
    """The bytes are no subtitles; the message says why."""


def parse_subtitles(
    content: bytes, language: str | None = None, encoding: str | None = None
) -> tuple[SpeechLine, ...]:
    """Every cue with words, in order of time, without markup, comments and drawings.

    Args:
        content: The file's bytes. A byte order mark or valid UTF-8 tells the encoding, else the language,
            else what the letters look like.
        language: Two letters, where it is known.
        encoding: In place of all that.

    Raises:
        SubtitleError: They are no subtitles, or not in that encoding.
    """
    text = _decoded(content, language, encoding).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise SubtitleError("it holds zero bytes, as text does not")
    if not text.strip():
        return ()
    try:
        events = pysubs2.SSAFile.from_string(text)
    except (pysubs2.exceptions.Pysubs2Error, ValueError, KeyError, IndexError) as error:
        raise SubtitleError(f"no SubRip, WebVTT or SubStation subtitles ({error})") from error
    if events.format not in ENDINGS:
        raise SubtitleError(f"no SubRip, WebVTT or SubStation subtitles, but {events.format}")
    cues = [each for each in events if not (each.is_comment or each.is_drawing)]
    return tuple(without_repeats(_lines(cues, is_cued=events.format in ("srt", "vtt"))))


def lines_of_events(events: Iterable[tuple[float, float, str]]) -> tuple[SpeechLine, ...]:
    """(start_s, end_s, SubStation text) of a text track -> its lines, from the film's beginning on."""
    cues = [
        pysubs2.SSAEvent(start=round(start_s * 1000), end=round(end_s * 1000), text=text)
        for start_s, end_s, text in events
        if end_s > 0
    ]
    return tuple(without_repeats(_lines(cues, is_cued=False)))


def without_repeats(lines: Iterable[SpeechLine]) -> Iterator[SpeechLine]:
    """In order of time; what is said twice in a row is one line, and so is what several layers show."""
    last: SpeechLine | None = None
    for each in sorted(lines, key=lambda line: (line.start_s, line.end_s)):
        if last is not None and each.text == last.text and each.start_s <= last.end_s + _GAP_S:
            last = last.model_copy(update={"end_s": max(last.end_s, each.end_s)})
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def _lines(cues: Iterable[pysubs2.SSAEvent], is_cued: bool) -> Iterator[SpeechLine]:
    """A row that a cue shows once more, after the cue right before it, is left out: captions roll so."""
    ordered = sorted(cues, key=lambda cue: (cue.start, cue.end))
    rows = [_rows(cue.text, is_cued) for cue in ordered]
    before: list[list[str]] = [[], *rows]
    ends_s = [0.0, *(cue.end / 1000 for cue in ordered)]
    for cue, mine, shown, end_s in zip(ordered, rows, before, ends_s, strict=False):
        start_s = max(0.0, cue.start / 1000)
        rolls = len(mine) > 1 and 0 <= start_s - end_s <= _GAP_S and mine[0] == (shown or [""])[-1]
        if words := " ".join(mine[1:] if rolls else mine):
            yield SpeechLine(start_s=start_s, end_s=max(start_s, cue.end / 1000), text=words)


def _rows(text: str, is_cued: bool) -> list[str]:
    """A cue's rows without markup. In SubRip and WebVTT an empty row ends it."""
    if is_cued:
        text = html.unescape(_BLANK.split(text, maxsplit=1)[0])
    rows = (" ".join(row.split()) for row in pysubs2.SSAEvent(text=text).plaintext.split("\n"))
    return [row for row in rows if row]


def _decoded(content: bytes, language: str | None, encoding: str | None) -> str:
    try:
        if encoding is not None:
            return content.decode(encoding)
        for mark, named in _MARKS:
            if content.startswith(mark):
                return content.decode(named)
        if guess := _wide(content):
            return content.decode(guess)
    except (UnicodeError, LookupError) as error:
        raise SubtitleError(f"it cannot be decoded ({error}); say which `encoding` it has") from error
    try:
        return content.decode("utf-8")
    except UnicodeError:
        return _guessed(content, encodings_of(language))


def _wide(content: bytes) -> str | None:
    """UTF-16 that has no mark: every other byte of its digits and spaces is zero."""
    start = content[:2000]
    if len(start) < 4 or start.count(0) < len(start) // 4:
        return None
    return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"


def _is_latin(content: bytes) -> bool:
    """Whether most of what lies beyond ASCII are accents in words: a few lines tell, whatever they say."""
    accents, runs = len(_ACCENT.findall(content)), len(_RUN.findall(content))
    return 2 * accents >= runs and not _NO_LETTER.search(content)


def _guessed(content: bytes, likely: Sequence[str]) -> str:
    """Among those that its language had, or by what the letters look like.

    Of the Latin ones it is Western European, unless that makes no sense or symbols stand in words.
    """
    if len(likely) == 1:
        return content.decode(likely[0], errors="replace")
    if likely or not _is_latin(content):
        found = from_bytes(content, cp_isolation=list(likely) or [*_NOT_LATIN, "cp1252"]).best()
        if found is not None and found.encoding != "cp1252":
            return str(found)
    try:
        western = content.decode("cp1252")
    except UnicodeError:
        return content.decode("cp1250", errors="replace")
    if _CENTRAL_EUROPEAN.search(western) or western.count("¿") > western.count("?"):  # ż; Spanish closes a ¿
        return content.decode("cp1250", errors="replace")
    return western
