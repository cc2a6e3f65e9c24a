"""A video file -> the lines of its text track, in seconds from its first frame."""

from collections.abc import Iterator
from typing import NamedTuple

import av
from av.container import InputContainer
from av.subtitles.stream import SubtitleStream

from reelproof.schemas.languages import language_of
from reelproof.stages.footage.opening import open_container, pick_stream

_TEXT_CODECS = frozenset(("ass", "mov_text", "srt", "ssa", "subrip", "text", "ttml", "webvtt"))
"""Others are pictures of text."""


class TextTrack(NamedTuple):
    """What a track says, as SubStation events."""

    name: str
    """Its place among the file's streams, and its codec: `stream 2 (mov_text)`."""
    language: str | None
    events: tuple[tuple[float, float, str], ...]
    """(start_s, end_s, text), in the file's order."""


def read_text_track(path: str, language: str | None) -> TextTrack | None:
    """The text track in that language, else one without a language; with None, the one shown by default.

    None where there is none such. Reads the whole file. Raises UnusableVideoError where it is no video.
    """
    with av.logging.Capture(), open_container(path) as container:
        stream = _pick(container, language)
        if stream is None:
            return None
        video = pick_stream(container)
        start_s = float((video.start_time or 0) * (video.time_base or 0))
        name = f"stream {stream.index} ({stream.codec_context.name})"
        return TextTrack(name, _language(stream), tuple(_events(container, stream, start_s)))


def _pick(container: InputContainer, language: str | None) -> SubtitleStream | None:
    streams = [
        stream
        for stream in container.streams.subtitles
        if stream.codec_context is not None and stream.codec_context.name in _TEXT_CODECS
    ]
    if language is not None:
        streams = [each for each in streams if _language(each) in (language, None)]
    kind = av.stream.Disposition
    ranked = sorted(
        streams,
        key=lambda each: (
            bool(each.disposition & kind.forced),
            language is not None and _language(each) is None,
            not each.disposition & kind.default,
        ),
    )
    return ranked[0] if ranked else None


def _language(stream: SubtitleStream) -> str | None:
    return language_of(stream.metadata.get("language", ""))


def _events(
    container: InputContainer, stream: SubtitleStream, start_s: float
) -> Iterator[tuple[float, float, str]]:
    for packet in container.demux(stream):
        if packet.pts is None or not packet.size:
            continue
        try:
            found = stream.codec_context.decode2(packet)
        except av.error.FFmpegError:  # one broken event is not all of them
            continue
        if found is None:
            continue
        at_s = float(packet.pts * packet.time_base) - start_s
        for rect in found:
            shown_s = float((packet.duration or 0) * packet.time_base) or found.end_display_time / 1000
            text = getattr(rect, "dialogue", b"").decode(errors="replace")
            yield at_s, at_s + shown_s, text
