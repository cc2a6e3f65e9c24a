"""The subtitles that lie beside a video (SRT, WebVTT) -> lines with their times, as a prompt shows them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.pipeline.disk.files import read_file
from reelproof.schemas.footage import Span

ENDINGS = (".srt", ".vtt")
_CUE = re.compile(
    r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})[ \t]+-->[ \t]+"
    r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})[^\n]*\n((?:[^\n]*\S[^\n]*\n?)*)"
)
_MARKUP = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")


class Subtitle(NamedTuple):
    """What is said, and when it stands in the picture."""

    span: Span
    text: str


def subtitles_of(video: str) -> tuple[Subtitle, ...] | None:
    """Those of the file beside a video that has its name; None where there is none that can be read."""
    folder, slash, name = video.rpartition("/")
    stem = name.rpartition(".")[0] or name
    for ending in ENDINGS:
        try:
            content = read_file(f"{folder}{slash}{stem}{ending}")
        except OSError:
            continue
        return tuple(parse_subtitles(content.decode("utf-8-sig", errors="replace")))
    return None


def parse_subtitles(text: str) -> Iterator[Subtitle]:
    """Every cue with its words, without markup."""
    for found in _CUE.finditer(text.replace("\r\n", "\n")):
        words = " ".join(_MARKUP.sub("", found[9]).split())
        if words:
            yield Subtitle(
                Span(start_s=_seconds(*found.group(1, 2, 3, 4)), end_s=_seconds(*found.group(5, 6, 7, 8))),
                words,
            )


def told_subtitles(subtitles: tuple[Subtitle, ...], span: Span) -> str:
    """Those of a stretch as lines; what is said twice in a row is told once."""
    lines: list[str] = []
    for each, text in subtitles:
        if (
            each.start_s < span.end_s
            and each.end_s > span.start_s
            and not (lines and lines[-1].endswith(f"] {text}"))
        ):
            lines.append(f"[{each.start_s:.1f}-{each.end_s:.1f} s] {text}")
    return "\n".join(["Subtitles:", *lines, ""]) if lines else ""


def _seconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths.ljust(3, "0")) / 1000
