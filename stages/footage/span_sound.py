"""A film and stretches of it -> their sound, one after the other, in step and without clicks."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from reelproof.schemas.footage import Span
from reelproof.stages.footage.opening import decoded, open_container

_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
"""What AAC can hold."""
_USUAL_RATE = 48_000
_BLOCK_S = 1.0
_BEFORE_S = 0.5
"""Sound is decoded from so long before it is wanted: a decoder needs a few packets to begin."""
_FADE_S = 0.005
_DRIFT_S = 0.02
"""Sound that is nearer than this to where the last ended goes on there: times are coarser than samples."""


class SoundBlock(NamedTuple):
    """A piece of the reel's sound."""

    first: int
    """Of its samples in the reel."""
    samples: np.ndarray
    """(channels, n) float32"""


class SpanSound:
    """The film's sound under stretches of it: silent where there is none."""

    def __init__(self, path: str, base_s: float, spans: Sequence[Span], starts_s: Sequence[float]) -> None:
        """`base_s` is the film's first moment to its container, `starts_s` where each is in the reel."""
        self._path, self._base_s, self._spans, self._starts_s = path, base_s, spans, starts_s
        self.rate, self.layout = 0, "mono"
        """Samples a second; 0 where the film has no sound."""
        with open_container(path) as container:
            stream = container.streams.best("audio")
            if isinstance(stream, AudioStream) and stream.codec_context is not None:
                given = int(stream.codec_context.sample_rate or 0)
                self.rate = given if given in _RATES else _USUAL_RATE
                self.layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"

    def blocks(self) -> Iterator[SoundBlock]:
        """All of it, without a gap, in blocks of a second."""
        if not self.rate:
            return
        with open_container(self._path) as container:
            for span, start_s in zip(self._spans, self._starts_s, strict=True):
                first, end = (
                    round(each * self.rate) for each in (start_s, start_s + span.end_s - span.start_s)
                )
                yield from self._faded(self._of(container, span, first, end), first, end)

    def _faded(self, blocks: Iterator[SoundBlock], first: int, end: int) -> Iterator[SoundBlock]:
        """Without a click where a stretch begins and ends."""
        ramp = max(1, round(_FADE_S * self.rate))
        for block in blocks:
            places = np.arange(block.first, block.first + block.samples.shape[1])
            loud = np.clip(np.minimum(places - first, end - 1 - places) / ramp, 0, 1).astype(np.float32)
            yield block._replace(samples=np.ascontiguousarray(block.samples * loud))

    def _of(self, container: InputContainer, span: Span, first: int, end: int) -> Iterator[SoundBlock]:
        step, channels = round(_BLOCK_S * self.rate), 1 if self.layout == "mono" else 2
        at, held = first, np.zeros((channels, 0), np.float32)
        ended: int | None = None
        for place, samples in self._heard(container, span):
            begins = first + place
            if ended is not None and abs(begins - ended) < _DRIFT_S * self.rate:
                begins = ended
            ended = begins + samples.shape[1]
            low, high = max(begins, at), min(ended, end)
            if low >= high:
                continue
            grown = np.zeros((channels, max(high - at, held.shape[1])), np.float32)
            grown[:, : held.shape[1]] = held
            grown[:, low - at : high - at] = samples[:, low - begins : high - begins]
            held = grown
            while held.shape[1] >= 2 * step:
                yield SoundBlock(at, held[:, :step])
                at, held = at + step, held[:, step:]
        whole = np.zeros((channels, end - at), np.float32)
        whole[:, : held.shape[1]] = held
        for begin in range(0, whole.shape[1], step):
            yield SoundBlock(at + begin, whole[:, begin : begin + step])

    def _heard(self, container: InputContainer, span: Span) -> Iterator[tuple[int, np.ndarray]]:
        """(place from the stretch's start, samples) as they are decoded, a little before the start, too."""
        stream = container.streams.best("audio")
        resampler = AudioResampler("fltp", self.layout, self.rate)
        wanted_s = max(0.0, span.start_s + self._base_s - _BEFORE_S)
        container.seek(round(wanted_s * 1_000_000))
        for packet in container.demux(stream):
            for frame in decoded(packet):
                for heard in resampler.resample(frame):
                    if heard.pts is None or heard.time_base is None:
                        continue
                    time_s = float(heard.pts * heard.time_base) - self._base_s
                    if time_s >= span.end_s:
                        return
                    yield round((time_s - span.start_s) * self.rate), heard.to_ndarray()
