"""A video file -> its sound as a file of samples, and when it begins."""

from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from reelproof.stages.footage.opening import open_container, pick_stream

RATE = 16_000
"""Samples a second: what speech recognition takes."""
_GAP_S = 0.1
"""Where so much sound is missing, silence takes its place, so that what comes after keeps its time."""


class Sound(NamedTuple):
    """A file of 16-bit samples, one channel."""

    start_s: float
    """Of its first sample, in seconds from the video's first frame."""
    samples: int


def write_sound(path: str, target: str) -> Sound | None:
    """Decode the film's sound into `target`; None where it has none. Raises UnusableVideoError."""
    with av.logging.Capture(), open_container(path) as container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream) or stream.codec_context is None:
            return None
        video = pick_stream(container)
        zero_s = float((video.start_time or 0) * (video.time_base or 0))
        start_s, written = None, 0
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        with open(target, "wb") as file:  # noqa: PTH123 - stages know no paths
            for frame in _frames(container, stream):
                if start_s is None:
                    start_s = (frame.time or 0.0) - zero_s
                missing = round(((frame.time or 0.0) - zero_s - start_s) * RATE) - written
                if missing > _GAP_S * RATE:
                    file.write(bytes(2 * missing))
                    written += missing
                for made in resampler.resample(frame):
                    samples = np.ascontiguousarray(made.to_ndarray()).reshape(-1)
                    file.write(samples.astype("<i2").tobytes())
                    written += len(samples)
        return None if start_s is None else Sound(round(start_s, 3), written)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Every frame that can be decoded."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.FFmpegError:  # one broken packet is not all of them
            continue
