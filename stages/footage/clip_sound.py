"""A film's samples -> the sound of each of its clips as an MP3 file."""

import hashlib
import io
from collections.abc import Iterable, Iterator

import av
import numpy as np
import numpy.typing as npt

from reelproof.schemas.footage import Clip
from reelproof.schemas.speech import ClipSound
from reelproof.stages.footage.sound import RATE

VERSION = 1
_BITS_A_SECOND = 48_000


def cut_sound(
    clips: Iterable[Clip], samples: npt.NDArray[np.int16], start_s: float, most_s: float
) -> Iterator[ClipSound]:
    """The sound of the clips that have some, and are not longer than `most_s`.

    `start_s` is when the samples begin, in seconds from the film's first frame. (N,) int16, 16,000 a second
    """
    for clip in clips:
        first, last = (max(0, round((each - start_s) * RATE)) for each in (clip.start_s, clip.end_s))
        if clip.duration_s <= most_s and len(own := samples[first:last]):
            mp3 = _mp3(own)
            yield ClipSound(clip_id=clip.clip_id, sha256=hashlib.sha256(mp3).hexdigest(), mp3=mp3)


def _mp3(samples: npt.NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = _BITS_A_SECOND
        for start in range(0, len(samples), 10 * RATE):
            piece = np.ascontiguousarray(samples[None, start : start + 10 * RATE])
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return file.getvalue()
