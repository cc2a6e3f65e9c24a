"""Sound -> lines of speech, by an engine: in pieces that are cut where it is quiet."""

import io
import wave
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from reelproof.schemas.speech import SpeechLine
from reelproof.stages.footage.sound import RATE

PIECE_S = 30.0
"""Longest piece that is put to an engine at once: what Whisper hears in one go."""
_SOUGHT_S = 10.0
"""A piece may end so much earlier, where it is quietest."""
_LOOKED_AT_S = 0.1
_SILENT = 30.0
"""Root mean square of 16-bit samples below which nobody speaks."""

Samples = npt.NDArray[np.int16]


class Heard(NamedTuple):
    """Words that an engine heard, in seconds from the piece's beginning."""

    start_s: float
    end_s: float
    text: str


class Engine(Protocol):
    """Speech recognition. May be asked by several threads at once."""

    model: str
    """`name@revision`"""

    def hear(self, samples: Samples) -> list[Heard]:
        """What is said in 16,000 samples a second, (N,) int16."""
        ...


class Piece(NamedTuple):
    """Samples from `start` to before `end`."""

    start: int
    end: int


def cut_pieces(samples: Samples) -> Iterator[Piece]:
    """The sound in pieces, each cut where it is quiet; those without a sound are left out."""
    start = 0
    while start < len(samples):
        end = _quiet_end(samples, start)
        if _loudness(samples[start:end]) >= _SILENT:
            yield Piece(start, end)
        start = end


def lines_heard(
    pieces: Sequence[Piece], heard: Sequence[Sequence[Heard]], start_s: float
) -> list[SpeechLine]:
    """What was heard in each piece, at the film's times. What is said before its first frame is left out."""
    found: list[SpeechLine] = []
    for piece, said in zip(pieces, heard, strict=True):
        at_s, length_s = start_s + piece.start / RATE, (piece.end - piece.start) / RATE
        for each in said:
            text = " ".join(each.text.split())
            begin_s = round(at_s + min(max(0.0, each.start_s), length_s), 3)
            end_s = round(at_s + min(max(each.start_s, each.end_s), length_s), 3)
            if text and end_s > 0:
                found.append(SpeechLine(start_s=max(0.0, begin_s), end_s=max(0.0, begin_s, end_s), text=text))
    return sorted(found, key=lambda line: (line.start_s, line.end_s))


def wav_of(samples: Samples) -> bytes:
    """A WAV file of 16,000 samples a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _quiet_end(samples: Samples, start: int) -> int:
    """Where a piece that begins there ends: with the sound, or in the quietest moment of its last seconds."""
    longest = start + round(PIECE_S * RATE)
    if longest >= len(samples):
        return len(samples)
    step = round(_LOOKED_AT_S * RATE)
    moments = range(longest - round(_SOUGHT_S * RATE), longest, step)
    quietest = min(moments, key=lambda moment: _loudness(samples[moment : moment + step]))
    return quietest + step // 2


def _loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float32) ** 2))) if len(samples) else 0.0
