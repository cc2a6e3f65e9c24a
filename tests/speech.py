"""Films with subtitles of which every line is known."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.subtitles.subtitle import SubtitleSet

from reelproof.schemas.speech import SpeechLine

_HEADER = b"[Script Info]\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\nFormat: Layer, Text\n"


def srt(lines: list[SpeechLine]) -> str:
    return "".join(
        f"{number}\n{_stamp(line.start_s)} --> {_stamp(line.end_s)}\n{line.text}\n\n"
        for number, line in enumerate(lines, 1)
    )


def _stamp(time_s: float) -> str:
    thousandths = round(time_s * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{thousandths // 1000:02d},{thousandths % 1000:03d}"


def film_with_tracks(path: Path, codec: str, tracks: dict[str, list[tuple[float, float, str]]]) -> Path:
    """A film of three seconds with a text track for each language: (start_s, end_s, words) each."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        streams = []
        for language in tracks:
            stream = out.add_stream(codec)
            stream.codec_context.subtitle_header = _HEADER
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.metadata["language"] = language
            streams.append(stream)
        for shade in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade * 5, np.uint8), format="rgb24")
            out.mux(video.encode(frame))
        out.mux(video.encode())
        for stream, cues in zip(streams, tracks.values(), strict=True):
            for number, (start_s, end_s, words) in enumerate(cues):
                shown_ms = round((end_s - start_s) * 1000)
                event = SubtitleSet.create(
                    text=f"{number},0,Default,,0,0,0,,{words}".encode(), start=0, end=shown_ms, pts=0
                )
                packet = stream.codec_context.encode_subtitle(event)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = round(start_s * 1000)
                packet.duration = shown_ms
                out.mux(packet)
    return path
