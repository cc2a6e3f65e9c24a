"""What an open container says of its video stream's length, whatever the sound's."""

import re

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_CLOCK = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)", re.ASCII)
ZERO_BASED_FORMATS = {"mp4", "matroska", "avi", "flv", "nut"}
"""Formats whose own time 0 is where the film begins."""


def format_names(container: InputContainer) -> set[str]:
    """`mov,mp4,m4a` -> each of them."""
    return set(container.format.name.split(","))


def declared_duration_s(container: InputContainer, stream: VideoStream) -> float:
    """The stream's own length, or else the container's where nothing but the picture can have made it; or 0.

    In Matroska that is where the stream ends, counted from the container's time 0.
    """
    if stream.duration and stream.duration > 0 and stream.time_base:
        return float(stream.duration * stream.time_base)
    whole_s = container.duration / av.time_base if container.duration and container.duration > 0 else 0.0
    if tagged_s := _tagged_s(stream):
        return min(tagged_s, whole_s) if whole_s else tagged_s
    return 0.0 if container.streams.audio else whole_s


def _tagged_s(stream: VideoStream) -> float:
    """Matroska's statistics tag, as mkvmerge and FFmpeg write it: `DURATION: 00:00:08.000000000`."""
    text = next((value for key, value in stream.metadata.items() if key.upper().startswith("DURATION")), "")
    told = _CLOCK.fullmatch(text.strip())  # FFmpeg also writes `00:00:-nan`
    if told is None:
        return 0.0
    hours, minutes, seconds = told.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
