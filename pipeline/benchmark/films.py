"""A video's address -> how long it is, and the JPEGs that a question shows of it."""

from collections.abc import Sequence

from pydantic import Field

from reelproof.pipeline.disk.files import local_copy
from reelproof.schemas.footage import Span
from reelproof.schemas.settings import Settings
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.keyframes import as_jpeg
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import frames_at


class FramesConfig(Settings):
    """Which frames of its video, or of the stretch that it asks about, a question shows."""

    count: int = Field(default=32, ge=0, le=4096)
    """The question shows so many frames, each of the middle of its share; with 0 it is asked blind, and no
    video is needed."""
    fps: float | None = Field(default=None, gt=0, le=240)
    """The question shows so many frames a second instead, and `most` of them at most."""
    most: int = Field(default=256, ge=1, le=4096)
    """With `fps`, a question shows at most so many frames, spread evenly."""
    long_side_px: int = Field(default=512, ge=16, le=4096)
    """Frames are shrunk so that their longer side is at most this."""
    jpeg_quality: int = Field(default=85, ge=20, le=100)
    """Frames are shown as JPEGs of this quality, as a build's are."""


class CannotBeShown(Exception):  # noqa: N818 - says what happened
    """The video is missing or damaged; the message says how."""


def length_s(url: str) -> float:
    """How long it says it is, or is found to be where it does not say. Raises CannotBeShown."""
    try:
        with local_copy(url) as path, Reel(str(path)) as reel:
            if reel.declared_s > 0:
                return reel.declared_s
            last_s = 0.0
            for timed in reel.frames(exact=True):
                last_s = timed.time_s
    except (UnusableVideoError, OSError) as error:
        raise CannotBeShown(str(error)) from None
    if last_s <= 0:
        raise CannotBeShown("its length cannot be told")
    return last_s


def times_of(span: Span, cfg: FramesConfig) -> tuple[float, ...]:
    """When the frames of a stretch are shown that a question shows, each in the middle of its share."""
    length = span.end_s - span.start_s
    count = cfg.count if cfg.fps is None else min(cfg.most, max(1, round(length * cfg.fps)))
    return tuple(round(span.start_s + (place + 0.5) * length / count, 3) for place in range(count))


def jpegs_of(url: str, times_s: Sequence[float], cfg: FramesConfig) -> tuple[bytes, ...]:
    """The frames shown then. Raises CannotBeShown."""
    try:
        with local_copy(url) as path:
            images = frames_at(str(path), times_s, cfg.long_side_px)
            return tuple(as_jpeg(each, cfg.jpeg_quality) for each in images)
    except (UnusableVideoError, OSError) as error:
        raise CannotBeShown(str(error)) from None
