"""Videos -> footage: signals of every frame looked at, and candidate frames as JPEG, in one decode."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Literal, NamedTuple

from av.video.frame import VideoFrame
from pydantic import Field

from reelproof.schemas.footage import (
    Footage,
    FootagePiece,
    Keyframe,
    Quarantine,
    QuarantineKind,
    Span,
    Video,
    is_within,
    joined,
)
from reelproof.schemas.settings import Settings
from reelproof.stages.footage.colours import hdr_transfer
from reelproof.stages.footage.decode import LocalVideo, Reel, TimedFrame
from reelproof.stages.footage.frame_signals import Measures, SignalLog
from reelproof.stages.footage.keyframes import make_keyframe
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.pictures import RgbConverter, Turn, turn_of

VERSION = 5

PIECE_CANDIDATES = 256
"""About four minutes and 6 MB of JPEG."""


class FootageConfig(Settings):
    """How closely a video is looked at, and how its candidate frames are stored."""

    candidate_every_s: float = Field(default=1.0, ge=0.1, le=60)
    """One candidate frame is kept per window of this length."""
    long_side_px: int = Field(default=512, ge=64, le=4096)
    """Candidates are shrunk to this; none is enlarged.

    Of 508 words that Tesseract reads on eleven 1080p slides it still reads 22 % at 384 px, 27 % at 448, 28 %
    at 512 and at 640, 31 % at 768 and 34 % at 1024: headings survive at 512, small print does not at 1024.
    """
    jpeg_quality: int = Field(default=85, ge=20, le=100)
    """Every candidate is stored in this quality, whatever its source. The same words at 640 px: 28 % from
    quality 50 to 95, at 15 to 33 kB per frame."""
    exact: bool = False
    """Decode every frame, also where leaving out unreferenced ones would place cuts within two frames."""
    scan_lines: int = Field(default=64, ge=32, le=720)
    """Signals are measured on frames sub-sampled to this many lines. Cuts at 64 and at 90 scored alike."""
    change_content: float = Field(default=12.0, ge=1, le=255)
    """A window closes where the content value reaches this and stands out from the frames before."""
    change_histogram: float = Field(default=0.1, ge=0.01, le=2)
    """A window also closes where the histogram change reaches this."""
    min_window_s: float = Field(default=0.25, ge=0.05, le=10)
    """No window is shorter, however often the picture changes."""
    min_duration_s: float = Field(default=0.5, ge=0)
    """Shorter videos are quarantined as too short."""


class PicturedConfig(FootageConfig):
    """The same, where a network is to look at the frames: each is kept in this size as well."""

    picture_px: Literal[48] = 48


def scan_footage(
    sources: Iterable[LocalVideo], cfg: FootageConfig, threads: int = 1
) -> Iterator[Footage | Quarantine]:
    """One Footage or Quarantine per source, in order. Each file is opened and decoded once.

    Args:
        sources: Files on this machine.
        cfg: Everything that decides the output.
        threads: Decoder threads; changes the speed, not the output of a sound file.
    """
    for source in sources:
        try:
            *pieces, last = scan_in_pieces(source, cfg, threads)
        except UnusableVideoError as error:
            yield Quarantine(video_id=source.video_id, name=source.name, kind=error.kind, detail=str(error))
        else:
            yield joined(rows_of(pieces, last))


def rows_of(pieces: Iterable[FootagePiece], last: Footage) -> Iterator[Footage]:
    """The rows of a film on disk, from what a scan gave; what is damaged is known by its end."""
    every: Iterable[FootagePiece | Footage] = chain(pieces, [last])
    for piece in every:
        sound = tuple(each for each in piece.candidates if not is_within(each.frame.time_s, last.damaged))
        yield last.model_copy(update={"signals": piece.signals, "candidates": sound})


def scan_in_pieces(source: LocalVideo, cfg: FootageConfig, threads: int = 1) -> Iterator[Any]:
    """A video, a FootagePiece at a time as it is decoded; last its Footage, which holds the last piece.

    What is held in memory does not grow with the film. Raises UnusableVideoError, be it after pieces.
    """
    with Reel(source.path, threads) as reel:
        log = SignalLog(cfg.scan_lines, keeps_pictures=isinstance(cfg, PicturedConfig))
        picker = CandidatePicker(source.video_id, cfg, reel.pixel_aspect)
        shape: Shape | None = None
        for timed in reel.frames(cfg.exact):
            if timed.begins_span:
                picker.close()
                yield FootagePiece(signals=log.take(), candidates=picker.take())
            picker.offer(timed, log.measure(timed))
            shape = shape or shape_of(timed.frame)
            if len(picker.kept) >= PIECE_CANDIDATES:
                yield FootagePiece(signals=log.take(), candidates=picker.take())
        if shape is None:
            raise _nothing_decoded(reel)
        if log.count < 2 or reel.end_s < cfg.min_duration_s:
            detail = f"{log.count} frame(s), {reel.end_s:.3f} s; at least {cfg.min_duration_s} s are needed"
            raise UnusableVideoError(QuarantineKind.TOO_SHORT, detail)
        picker.close()
        damaged = _damage(reel)
        if all(is_within(time_s, damaged) for time_s in picker.times_s):
            raise UnusableVideoError(QuarantineKind.UNREADABLE, f"every frame is damaged: {_salvage(reel)}")
        yield Footage(
            video=video_of(source, reel, shape),
            duration_s=reel.end_s,
            frame_count=log.count,
            signals=log.take(),
            candidates=picker.take(),
            damaged=damaged,
            salvage=_salvage(reel),
        )


class _Held(NamedTuple):
    """A frame that may become its window's candidate: not yet converted to RGB."""

    timed: TimedFrame
    measures: Measures


class CandidatePicker:
    """The sharpest sound frame of each window; windows close by time and at strong changes of the picture.

    With a span they begin anew, so that no window depends on the spans before.
    """

    def __init__(self, video_id: str, cfg: FootageConfig, pixel_aspect: float) -> None:
        self._video_id = video_id
        self._converter = RgbConverter(cfg.long_side_px, pixel_aspect)
        self._cfg = cfg
        self.kept: list[Keyframe] = []
        """Of the windows that are closed, and not taken yet."""
        self.times_s: list[float] = []
        """Of all of them, taken or not."""
        self._start_s = 0.0
        self._best: _Held | None = None
        self._recent: deque[float] = deque(maxlen=8)

    @property
    def begun_s(self) -> float:
        """Where the window begins that is open: whatever is kept of earlier times is known."""
        return self._start_s

    def offer(self, timed: TimedFrame, measures: Measures) -> None:
        """The next frame, in order of time."""
        if timed.begins_span:
            self.close()
            self._start_s = timed.time_s
            self._recent.clear()
            measures = measures._replace(content=0.0, histogram=0.0)
        age_s = timed.time_s - self._start_s
        changed = self._is_strong_change(measures) and age_s >= self._cfg.min_window_s
        changed |= self._best is not None and self._best.timed.is_damaged != timed.is_damaged
        if changed or age_s >= self._cfg.candidate_every_s:
            self.close()
            self._start_s = timed.time_s
        held = _Held(timed, measures)
        if self._best is None or _rank(held) > _rank(self._best):
            self._best = held
        self._recent.append(measures.content)

    def take(self) -> tuple[Keyframe, ...]:
        """The frames kept since the last call, which are let go."""
        taken, self.kept = tuple(self.kept), []
        return taken

    def _is_strong_change(self, measures: Measures) -> bool:
        usual = sum(self._recent) / len(self._recent) if self._recent else 0.0
        stands_out = measures.content >= self._cfg.change_content and measures.content >= 2 * usual
        return stands_out or measures.histogram >= self._cfg.change_histogram

    def close(self) -> None:
        """End the window: its best frame is kept, where it is sound."""
        if self._best is not None and not self._best.timed.is_damaged:
            image = self._converter.convert(self._best.timed.frame)
            self.kept.append(
                make_keyframe(image, self._best.measures, self._video_id, self._cfg.jpeg_quality)
            )
            self.times_s.append(self._best.timed.time_s)
        self._best = None


class _Rank(NamedTuple):
    """How well a frame would serve; compared field by field."""

    is_sound: bool
    is_lit: bool
    sharpness: float


def _rank(held: _Held) -> _Rank:
    is_lit = held.measures.luminance > 24 and held.measures.contrast > 4
    return _Rank(not held.timed.is_damaged, is_lit, held.measures.sharpness)


class Shape(NamedTuple):
    """Of the pictures, upright."""

    width: int
    height: int
    turn: Turn
    transfer: str | None


def shape_of(frame: VideoFrame) -> Shape:
    """As the film's first frame tells it."""
    turn = turn_of(frame)
    sides = (frame.width, frame.height) if turn.rotation_deg % 180 == 0 else (frame.height, frame.width)
    return Shape(*sides, turn, hdr_transfer(frame))


def video_of(source: LocalVideo, reel: Reel, shape: Shape) -> Video:
    """What a scan writes down of the file."""
    return Video(
        video_id=source.video_id,
        name=source.name,
        size_bytes=source.size_bytes,
        duration_s=reel.declared_s,
        width=shape.width,
        height=shape.height,
        fps=reel.fps,
        rotation_deg=shape.turn.rotation_deg,
        is_mirrored=shape.turn.is_mirrored,
        hdr=shape.transfer,
        codec=reel.codec,
        license=source.license,
    )


def _nothing_decoded(reel: Reel) -> UnusableVideoError:
    kind = QuarantineKind.UNREADABLE if reel.packet_count else QuarantineKind.TRUNCATED
    faults = "".join(f"; {fault}" for fault in reel.faults)
    detail = f"no frame could be decoded from {reel.packet_count} packets of {reel.codec}{faults}"
    return UnusableVideoError(kind, detail)


def _missing_s(reel: Reel) -> float:
    """Seconds that the container declares and the decoder did not give; 0 within a tolerance."""
    missing_s = reel.declared_s - reel.end_s
    return missing_s if missing_s > max(0.5, 0.02 * reel.declared_s) else 0.0


def _damage(reel: Reel) -> tuple[Span, ...]:
    tail = (Span(start_s=reel.end_s, end_s=reel.declared_s),) if _missing_s(reel) else ()
    return (*reel.damaged, *tail)


def _salvage(reel: Reel) -> str | None:
    notes = list(reel.faults)
    if reel.damaged:
        notes.append(f"{sum(span.end_s - span.start_s for span in reel.damaged):.2f} s damaged")
    if missing_s := _missing_s(reel):
        notes.append(f"{reel.declared_s:.2f} s declared, {missing_s:.2f} s of them missing at the end")
    return "; ".join(notes) or None
