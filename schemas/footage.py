"""What is known of the pictures: a video, its signals, frames and scenes, and the clips questions are about.

Times are seconds from the first frame (or, where the first frames are lost, from where the film began), from
presentation timestamps. Intervals are half-open.
"""

from collections.abc import Iterable
from enum import StrEnum
from io import BytesIO
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from reelproof.schemas.record import Record, Series, shared


class Video(Record):
    """One source file, known by its bytes."""

    video_id: str
    """sha256 of the file's bytes, hex."""
    name: str
    """The file's name, without its folder."""
    size_bytes: int = Field(ge=0)
    duration_s: float = Field(ge=0)
    """As the container declares it; 0 where it declares none."""
    width: int = Field(ge=1)
    """Pixels, after rotation."""
    height: int = Field(ge=1)
    fps: float = Field(ge=0)
    """Average frame rate as declared; 0 where none is."""
    rotation_deg: int = 0
    """Clockwise rotation that the metadata asks for: 0, 90, 180 or 270. It is applied to every frame."""
    is_mirrored: bool = False
    """The metadata also asks for the turned picture to be mirrored left to right. So is every frame."""
    hdr: str | None = None
    """`pq` or `hlg`, where the film is made for an HDR screen: its frames are tone-mapped to BT.709 SDR."""
    codec: str
    license: str = "unknown"


class QuarantineKind(StrEnum):
    """Why a source could not be used."""

    UNREADABLE = "unreadable"
    NO_VIDEO_STREAM = "no_video_stream"
    TRUNCATED = "truncated"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    TOO_SHORT = "too_short"
    TOO_LARGE = "too_large"
    CHANGED = "changed"


class Quarantine(Record):
    """A source that could not be used: counted, shown, retryable; never replaced by another video."""

    video_id: str
    name: str
    kind: QuarantineKind
    detail: str
    """What was seen, for a person."""


class Span(Record):
    """Half-open interval [start_s, end_s) of seconds from the first frame."""

    start_s: float
    end_s: float


def share_within(span: Span, spans: Iterable[Span]) -> float:
    """Share of a span that lies in others, which do not overlap each other."""
    overlaps = (min(span.end_s, each.end_s) - max(span.start_s, each.start_s) for each in spans)
    return min(1.0, sum(max(0.0, each) for each in overlaps) / (span.end_s - span.start_s))


def is_within(time_s: float, spans: Iterable[Span]) -> bool:
    """Whether a moment lies in one of the spans."""
    return any(span.start_s <= time_s < span.end_s for span in spans)


class CutKind(StrEnum):
    """How a scene begins."""

    START = "start"
    """With the video."""
    CUT = "cut"
    DISSOLVE = "dissolve"
    FADE = "fade"
    """Through black (or another flat picture)."""
    NETWORK = "network"
    """However it goes: a network saw it, and the signals told none."""


class Scene(Record):
    """Half-open interval [start_s, end_s) of a video between two cuts, in seconds from its first frame."""

    scene_id: str
    """`{video_id}/{index:04d}`; stable across runs with the same cut settings."""
    video_id: str
    start_s: float = Field(ge=0)
    end_s: float
    cut_kind: CutKind
    cut_score: float
    """The detector's score of the cut that begins the scene, 1 = at its threshold; 0 for the first scene."""

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.end_s <= self.start_s:
            raise ValueError(
                f"scene {self.scene_id}: end_s={self.end_s} must be after start_s={self.start_s}"
            )
        return self


FLAT_HASH = "0" * 16
"""The perceptual hash of a picture that is nearly of one grey. No other picture has it."""


class FrameRef(Record):
    """A frame by the hash of its JPEG bytes, and where in its video it was."""

    sha256: str
    video_id: str
    time_s: float = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    phash: str
    """64-bit perceptual hash, 16 hex digits; `FLAT_HASH` of a picture that shows next to nothing."""

    @property
    def is_flat(self) -> bool:
        """Whether the picture is nearly of one grey, so that whom it belongs to cannot be seen."""
        return self.phash == FLAT_HASH


SharedFrame = Annotated[FrameRef, shared()]
"""A clip's frames are shown by many of its questions."""


def hash_distance(a: FrameRef, b: FrameRef) -> int:
    """Bits in which two frames' perceptual hashes differ, 0 … 64."""
    return (int(a.phash, 16) ^ int(b.phash, 16)).bit_count()


class Keyframe(Record):
    """A frame as everyone sees it from here on: teacher, verifier, shards, trainer."""

    frame: SharedFrame
    sharpness: float = Field(ge=0)
    """Variance of the Laplacian of the luma plane at the scan size."""
    luminance: float = Field(ge=0, le=255)
    """Mean of the luma plane."""
    jpeg: bytes
    """The JPEG file; `frame.sha256` is its hash."""


class FrameSignals(Record):
    """Per-frame measurements of the frames that the scan looked at, in order of time. Each (T,) float32.

    Kept with the footage, so that another cut threshold needs no second decode.
    """

    time_s: Series
    content: Series
    """Hue, saturation and value change against the frame before, 0 … 255 (PySceneDetect's content value)."""
    histogram: Series
    """Luma histogram change against the frame before, 0 … 2 (1 − correlation, PySceneDetect's hist_diff)."""
    luminance: Series
    """Mean luma, 0 … 255."""
    contrast: Series
    """Standard deviation of luma."""
    sharpness: Series
    """Variance of the Laplacian."""
    motion: Series
    """Mean absolute luma difference against the frame before, 0 … 255."""
    signature: bytes
    """A 16x9 luma thumbnail of each frame, (T, 9, 16) uint8 in C order. For gradual changes and flashes."""
    pictures: bytes = b""
    """Each frame at 48x27, (T, 27, 48, 3) uint8 of Y, Cr, Cb. Kept only for a network to look at."""


PICTURES = "signals.pictures"
"""In footage, the column that is not there where no pictures are kept."""


class FootagePiece(Record):
    """What a run of consecutive frames gave."""

    signals: FrameSignals
    candidates: tuple[Keyframe, ...]


class Footage(Record):
    """One decode of one video: its signals, and the candidate frames that may be shown.

    On disk a long film has several rows, alike but for their piece of signals and candidates; see `joined`.
    """

    video: Video
    duration_s: float = Field(ge=0)
    """Decoded: the last frame's time plus its duration."""
    frame_count: int = Field(ge=1)
    """Frames that the scan looked at."""
    signals: FrameSignals
    candidates: tuple[Keyframe, ...]
    """In order of time: one per `candidate_every_s` seconds, and at least one between two strong changes."""
    damaged: tuple[Span, ...] = ()
    """From each loss to the next clean key frame, and what is missing at the end. No candidate lies there."""
    salvage: str | None = None
    """What was lost and why, where something was; null for a sound file."""


def joined(rows: Iterable[Footage]) -> Footage:
    """One film's rows, in order, as one. What it is made of is let go row by row."""
    candidates: list[Keyframe] = []
    pictures = {"signature": BytesIO(), "pictures": BytesIO()}
    series = {name: list[np.ndarray]() for name in FrameSignals.model_fields if name not in pictures}
    for row in rows:
        candidates += row.candidates
        for name, whole in pictures.items():
            whole.write(getattr(row.signals, name))
        for name, pieces in series.items():
            pieces.append(getattr(row.signals, name))
    signals = FrameSignals(
        **{name: np.concatenate(pieces) for name, pieces in series.items()},
        **{name: whole.getvalue() for name, whole in pictures.items()},
    )
    return row.model_copy(update={"signals": signals, "candidates": tuple(candidates)})


class Storyboard(Record):
    """The scenes of one video, and the keyframes that stand for each."""

    video_id: str
    scenes: tuple[Scene, ...]
    keyframes: tuple[SharedFrame, ...]
    """In order of time, every one inside a scene; chosen among the footage's candidates."""


class ClipKind(StrEnum):
    """How a clip lies in its video."""

    SHORT = "short"
    """The whole of a short film."""
    SCENE = "scene"
    """One scene of a long one, of its longer ones."""
    SEGMENT = "segment"
    """A run of consecutive scenes of a long one."""
    CHAPTER = "chapter"
    """A run of consecutive segments of a very long one."""
    WHOLE = "whole"
    """The whole of a long film, with sparse frames."""


class Clip(Record):
    """A run of consecutive scenes and the frames that stand for it: what a question is about."""

    clip_id: str
    """Hash of video, span and frames: a clip whose frames did not change keeps its id."""
    video_id: str
    kind: ClipKind
    start_s: float = Field(ge=0)
    end_s: float
    scenes: tuple[Scene, ...]
    keyframes: tuple[SharedFrame, ...]
    """The best frames of its scenes, within the budget: what `given` and `asked` questions show."""
    timeline: tuple[SharedFrame, ...]
    """Evenly spaced frames whose number follows from the duration alone: what `computed` questions show."""
    motion: Series
    """Mean motion in equal bins from start to end. (16,) float32"""
    unrest: Series = Field(default_factory=lambda: np.zeros(0, np.float32))
    """For each scene, the largest change inside it from one scanned frame to the next: from about 1 on it is
    as large and as sudden as a cut. Empty where nobody measured. (scenes,) float32"""

    damaged_share: float = Field(default=0.0, ge=0, le=1)
    """Share of it that is damaged in the film: shown by no frame, and asked about by no computed question."""
    hdr: str | None = None
    """As in the video."""

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


def uncovered(duration_s: float, clips: Iterable[Span]) -> tuple[Span, ...]:
    """The stretches of a film of that length that lie in none of its clips, in order."""
    gaps: list[Span] = []
    reached_s = 0.0
    for start_s, end_s in sorted((each.start_s, each.end_s) for each in clips):
        if start_s > reached_s:
            gaps.append(Span(start_s=reached_s, end_s=start_s))
        reached_s = max(reached_s, end_s)
    if reached_s < duration_s:
        gaps.append(Span(start_s=reached_s, end_s=duration_s))
    return tuple(gaps)
