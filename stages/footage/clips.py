"""Storyboards -> clips: short films whole, long ones at each scale: scene, segment, chapter, film."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from reelproof.schemas.footage import Clip, ClipKind, Footage, FrameRef, Scene, Span, Storyboard, share_within
from reelproof.schemas.settings import Settings
from reelproof.schemas.thinning import thinned
from reelproof.stages.footage.shown_frames import (
    inside,
    pick_keyframes,
    pick_timeline,
    scenes_in,
    span_of,
)

VERSION = 5

_MOTION_BINS = 16
_CUT_CONTENT = 15.0
_CUT_HISTOGRAM = 0.2
_SUDDEN = 4.0


class ClipConfig(Settings):
    """How long clips are at each scale, and how many frames stand for one."""

    target_s: float = Field(default=30.0, gt=0, le=3600)
    """A long film is divided into segments: runs of scenes of about this length."""
    max_s: float = Field(default=60.0, gt=0, le=7200)
    """No segment is longer: longer scenes are divided. A film up to this length is short, and one clip."""
    max_segments: int | None = Field(default=None, ge=1, le=100_000)
    """A film that would have more segments gives this many of them, evenly spaced; the rest of it is in no
    segment. By default every second is in one."""
    scene_s: float | None = Field(default=10.0, gt=0, le=7200)
    """A scene of a long film that lasts this long, and no longer than a segment may, gives a clip as well;
    null: none does."""
    chapter_s: float | None = Field(default=300.0, gt=0, le=36_000)
    """Segments are gathered into chapters of about this length, each a clip; null: there are none."""
    whole: bool = True
    """A long film gives a clip of its whole as well."""
    min_keyframes: int = Field(default=4, ge=1, le=64)
    """Where the scenes' own keyframes are fewer, further frames are added."""
    max_keyframes: int = Field(default=16, ge=1, le=512)
    """The budget of frames that stand for a scene, a segment or a short film."""
    timeline_every_s: float = Field(default=1.25, gt=0, le=600)
    """One evenly spaced frame a stretch of this length. Keep it well above the spacing of the candidates,
    or their number, which follows the picture, shows through."""
    max_timeline: int = Field(default=16, ge=2, le=512)
    """No more evenly spaced frames than this in a scene, a segment or a short film."""
    max_long_frames: int | None = Field(default=None, ge=2, le=512)
    """Both budgets of chapters and of whole long films. By default as many frames as every teacher that is
    shown them has room for, where the recipe tells its context, and else the budgets above."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.target_s > self.max_s:
            raise ValueError(f"target_s={self.target_s} must not be above max_s={self.max_s}")
        if self.chapter_s is not None and self.chapter_s < self.target_s:
            raise ValueError(f"chapter_s={self.chapter_s} must not be below target_s={self.target_s}")
        if self.min_keyframes > self.max_keyframes:
            raise ValueError(
                f"min_keyframes={self.min_keyframes} must not be above max_keyframes={self.max_keyframes}"
            )
        return self

    def frames_of(self, kind: ClipKind) -> "FrameBudget":
        """How many frames a clip of this kind may hold."""
        usual = FrameBudget(self.max_keyframes, self.max_timeline)
        if kind not in (ClipKind.CHAPTER, ClipKind.WHOLE) or self.max_long_frames is None:
            return usual
        return FrameBudget(max(self.max_long_frames, self.min_keyframes), self.max_long_frames)


class FrameBudget(NamedTuple):
    """The most frames that stand for a clip."""

    keyframes: int
    timeline: int


class VideoView(NamedTuple):
    """What clips are made from: a storyboard, and what its footage holds beside the pictures."""

    storyboard: Storyboard
    duration_s: float
    candidates: tuple[FrameRef, ...]
    """In order of time."""
    time_s: np.ndarray
    """Of the frames that were scanned. (T,) float32"""
    motion: np.ndarray
    """Of the same frames, as in FrameSignals. (T,) float32"""
    content: np.ndarray
    """… and their content value. (T,) float32"""
    histogram: np.ndarray
    """… and their histogram change. (T,) float32"""
    damaged: tuple[Span, ...] = ()
    """As in the footage."""
    hdr: str | None = None
    """As in the video."""

    @classmethod
    def of(cls, footage: Footage, storyboard: Storyboard) -> "VideoView":
        """The view of one video, without its JPEG bytes."""
        signals = footage.signals
        return cls(
            storyboard=storyboard,
            duration_s=footage.duration_s,
            candidates=tuple(each.frame for each in footage.candidates),
            time_s=signals.time_s,
            motion=signals.motion,
            content=signals.content,
            histogram=signals.histogram,
            damaged=footage.damaged,
            hdr=footage.video.hdr,
        )


def cut_clips(views: Iterable[VideoView], cfg: ClipConfig) -> Iterator[Clip]:
    """The clips of each video in turn: of a short film one, of a long one scenes, segments, chapters, whole.

    Segments leave no second out, unless `max_segments` does. A stretch in which no candidate frame lies (a
    damaged one) gives no clip.
    """
    for view in views:
        settled = _between_cuts(view)
        for span, kind in _levels(view, cfg).items():
            clip = _clip(view, settled, span, kind, cfg)
            if clip:
                yield clip


def _levels(view: VideoView, cfg: ClipConfig) -> dict[Span, ClipKind]:
    """What is to be a clip, scale by scale; a stretch that is one at two scales is one at the larger."""
    film = Span(start_s=0.0, end_s=view.duration_s)
    if view.duration_s <= cfg.max_s:
        return {film: ClipKind.SHORT}
    scenes = view.storyboard.scenes
    pieces = [piece for scene in scenes for piece in _pieces(scene, cfg)]
    segments = _gathered(pieces, cfg.target_s, cfg.max_s)
    chapters = _gathered(segments, cfg.chapter_s, 2 * cfg.chapter_s) if cfg.chapter_s else []
    least_s = cfg.scene_s or math.inf
    levels = {
        ClipKind.SCENE: [
            span for span in map(span_of, scenes) if least_s <= span.end_s - span.start_s <= cfg.max_s
        ],
        ClipKind.SEGMENT: thinned(segments, cfg.max_segments or len(segments)),
        ClipKind.CHAPTER: chapters if len(chapters) > 1 else [],
        ClipKind.WHOLE: [film] if cfg.whole else [],
    }
    kinds = {span: kind for kind, spans in levels.items() for span in spans}
    order = list(levels)
    return dict(sorted(kinds.items(), key=lambda item: (order.index(item[1]), item[0].start_s)))


def _gathered(pieces: Sequence[Span], target_s: float, max_s: float) -> list[Span]:
    """Consecutive pieces in runs: each grows until one more would leave it further from the target."""
    runs = [pieces[0]]
    for piece in pieces[1:]:
        longer_s = piece.end_s - runs[-1].start_s
        length_s = runs[-1].end_s - runs[-1].start_s
        if longer_s <= max_s and longer_s - target_s <= target_s - length_s:
            runs[-1] = Span(start_s=runs[-1].start_s, end_s=piece.end_s)
        else:
            runs.append(piece)
    return runs


def _pieces(scene: Scene, cfg: ClipConfig) -> Iterator[Span]:
    """The scene, or equal parts of one that is longer than a clip may be."""
    length_s = scene.end_s - scene.start_s
    count = 1 if length_s <= cfg.max_s else int(np.ceil(length_s / cfg.target_s))
    edges = [scene.start_s + length_s * i / count for i in range(count)] + [scene.end_s]
    return (Span(start_s=a, end_s=b) for a, b in itertools.pairwise(edges))


def _clip(view: VideoView, settled: np.ndarray, span: Span, kind: ClipKind, cfg: ClipConfig) -> Clip | None:
    candidates = inside(view.candidates, span)
    if not candidates:
        return None
    budget = cfg.frames_of(kind)
    timeline = pick_timeline(candidates, span, budget.timeline, cfg.timeline_every_s)
    keyframes = pick_keyframes(view.storyboard, candidates, span, budget.keyframes, cfg.min_keyframes)
    scenes = tuple(scenes_in(view.storyboard.scenes, span))
    return Clip(
        clip_id=_clip_id(view.storyboard.video_id, span, keyframes, timeline),
        video_id=view.storyboard.video_id,
        kind=kind,
        start_s=span.start_s,
        end_s=span.end_s,
        scenes=scenes,
        keyframes=tuple(keyframes),
        timeline=tuple(timeline),
        motion=_motion_bins(view, settled, span),
        unrest=np.asarray([_unrest(view, scene) for scene in scenes]),
        damaged_share=round(share_within(span, view.damaged), 6),
        hdr=view.hdr,
    )


def _clip_id(video_id: str, span: Span, keyframes: Sequence[FrameRef], timeline: Sequence[FrameRef]) -> str:
    shown = [[frame.sha256 for frame in frames] for frames in (keyframes, timeline)]
    content = json.dumps([video_id, span.start_s, span.end_s, *shown])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _between_cuts(view: VideoView) -> np.ndarray:
    """Whether the step to each frame lies within a scene. (T,) bool"""
    at_cut = np.searchsorted(view.time_s, [scene.start_s for scene in view.storyboard.scenes])
    settled = np.ones(len(view.time_s), np.bool_)
    settled[at_cut[at_cut < len(settled)]] = False
    return settled


def _motion_bins(view: VideoView, settled: np.ndarray, span: Span) -> np.ndarray:
    """Mean motion in equal bins of the span, of the steps within scenes; empty bins are interpolated."""
    first, end = np.searchsorted(view.time_s, np.asarray([span.start_s, span.end_s], np.float32))
    usable = settled[first:end]
    time_s, motion = view.time_s[first:end][usable], view.motion[first:end][usable]
    places = (time_s - span.start_s) / (span.end_s - span.start_s) * _MOTION_BINS
    bins = np.clip(places.astype(np.int64), 0, _MOTION_BINS - 1)
    counts = np.bincount(bins, minlength=_MOTION_BINS)
    sums = np.bincount(bins, weights=motion, minlength=_MOTION_BINS)
    filled = np.flatnonzero(counts)
    if not len(filled):
        return np.zeros(_MOTION_BINS)
    return np.interp(np.arange(_MOTION_BINS), filled, sums[filled] / counts[filled])


def _unrest(view: VideoView, scene: Scene) -> float:
    """Largest step inside a scene: as a share of a cut's and, by content, of one that stands out."""
    first, end = np.searchsorted(view.time_s, [scene.start_s, scene.end_s])
    inside = slice(int(first) + 2 if first else 1, int(end) - 1)  # the steps at the cuts are its neighbours'
    content, histogram = view.content[inside], view.histogram[inside]
    if not len(content):
        return 0.0
    usual = max(float(np.median(content)), 1e-6)
    sudden = np.minimum(content / _CUT_CONTENT, content / (_SUDDEN * usual))
    return float(np.maximum(sudden, histogram / _CUT_HISTOGRAM).max())
