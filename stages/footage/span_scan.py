"""A span of a long film -> what one pass gives of it; all spans -> the footage that one pass gives."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from av.video.reformatter import VideoReformatter

from reelproof.schemas.footage import Footage, FrameSignals
from reelproof.schemas.span import Edge, SpanCut, SpanEnd, SpanRow, Survey
from reelproof.stages.footage.decode import LocalVideo, Reel, TimedFrame
from reelproof.stages.footage.frame_signals import SignalLog
from reelproof.stages.footage.pictures import small_ycrcb
from reelproof.stages.footage.scan import (
    PIECE_CANDIDATES,
    CandidatePicker,
    FootageConfig,
    PicturedConfig,
    Shape,
    shape_of,
    video_of,
)
from reelproof.stages.footage.spans import OVERLAP

_COMPARED = 8  # of the frames of the next span
_ALL_LINES = 1 << 16
_AGAINST_THE_ONE_BEFORE = ("content", "histogram", "motion")


def survey_film(source: LocalVideo, cfg: FootageConfig) -> Survey | None:
    """Where the film's spans lie, from its packets; None where only one pass will do.

    Raises UnusableVideoError where it cannot be opened.
    """
    with Reel(source.path) as reel:
        return reel.survey(cfg.exact)


def scan_span(
    source: LocalVideo, cfg: FootageConfig, survey: Survey, cut: SpanCut, threads: int = 1
) -> Iterator[SpanRow]:
    """One span's rows; the last of them says how it went. One that is not sound has no other row.

    Raises UnusableVideoError where it cannot be opened.
    """
    with Reel(source.path, threads) as reel:
        log = SignalLog(cfg.scan_lines, keeps_pictures=isinstance(cfg, PicturedConfig))
        picker = CandidatePicker(source.video_id, cfg, reel.pixel_aspect)
        seen = _Seen()
        for timed in reel.frames_of(survey, cut):
            if cut.next_stamp is not None and (timed.stamp or 0) >= cut.next_stamp:
                if len(seen.beyond) < _COMPARED:
                    seen.beyond.append(_fingerprint(timed))
                continue
            picker.offer(timed, log.measure(timed))
            seen.note(timed, log.last)
            if len(picker.kept) >= PIECE_CANDIDATES:
                yield SpanRow(signals=log.take(), candidates=picker.take(), end=None)
        picker.close()
        end = seen.end(source, reel, log.count)
        yield SpanRow(signals=log.take(), candidates=picker.take(), end=end)


def can_join(survey: Survey, ends: Sequence[SpanEnd | None], cfg: FootageConfig) -> bool:
    """Whether the spans give what one pass gives: all sound, each going on where the one before ended."""
    whole = [end for end in ends if end is not None and end.is_sound]
    if len(whole) < len(survey.spans) or whole[-1].end_s < cfg.min_duration_s:
        return False
    declared_s = whole[0].video.duration_s
    is_all_there = declared_s - whole[-1].end_s <= min(0.5, 0.02 * declared_s)
    begin_right = all(end.first.stamp == cut.stamp for end, cut in zip(whole, survey.spans, strict=True))
    return is_all_there and begin_right and all(map(_agree, whole, whole[1:]))


def join_spans(
    ends: Sequence[SpanEnd], rows: Callable[[int], Iterable[SpanRow]], cfg: FootageConfig
) -> Iterator[Footage]:
    """The film's rows on disk, where `can_join` says that they can be; `rows` reads a span's, in order."""
    for place, end in enumerate(ends):
        for at, row in enumerate(rows(place)):
            signals = row.signals
            if place and not at:
                signals = _compared(signals, ends[place - 1].last, end.first, cfg.scan_lines)
            yield Footage(
                video=ends[0].video,
                duration_s=ends[-1].end_s,
                frame_count=sum(each.frame_count for each in ends),
                signals=signals,
                candidates=row.candidates,
            )


@dataclass
class _Seen:
    """What a span's neighbours need to know of it."""

    first: Edge | None = None
    last: TimedFrame | None = None
    small: np.ndarray | None = None
    shape: Shape | None = None
    head: list[int] = field(default_factory=list)
    beyond: list[int] = field(default_factory=list)

    def note(self, timed: TimedFrame, small: np.ndarray) -> None:
        """The next frame of the span."""
        if self.first is None:
            self.first, self.shape = _edge(timed, small), shape_of(timed.frame)
        if len(self.head) < OVERLAP:
            self.head.append(_fingerprint(timed))
        self.last, self.small = timed, small

    def end(self, source: LocalVideo, reel: Reel, frame_count: int) -> SpanEnd | None:
        """How it went; None where it gave no frame."""
        if self.first is None or self.last is None or self.small is None or self.shape is None:
            return None
        return SpanEnd(
            is_sound=reel.is_sound,
            video=video_of(source, reel, self.shape),
            frame_count=frame_count,
            first=self.first,
            last=_edge(self.last, self.small),
            end_s=reel.end_s,
            head=tuple(self.head),
            beyond=tuple(self.beyond),
        )


def _edge(timed: TimedFrame, small: np.ndarray) -> Edge:
    height, width = small.shape[:2]
    stamp = timed.stamp or 0
    return Edge(stamp=stamp, time_s=timed.time_s, height=height, width=width, small=small.tobytes())


def _fingerprint(timed: TimedFrame) -> int:
    return zlib.crc32(
        small_ycrcb(timed.frame, _ALL_LINES, VideoReformatter()).data, (timed.stamp or 0) & 0xFFFFFFFF
    )


def _agree(before: SpanEnd, after: SpanEnd) -> bool:
    """Whether the pictures around the border are the same from both sides, and time goes on as it does."""
    starts_s, declared_s = after.first.time_s, after.video.duration_s
    is_in_time = starts_s - before.last.time_s > 0.0015 and (not declared_s or starts_s < declared_s)
    return bool(before.beyond) and set(before.beyond) <= set(after.head) and is_in_time


def _compared(signals: FrameSignals, before: Edge, first: Edge, scan_lines: int) -> FrameSignals:
    """With the first frame compared to the one before it, which another span holds."""
    log = SignalLog(scan_lines)
    for edge in (before, first):
        small = np.frombuffer(edge.small, np.uint8).reshape(edge.height, edge.width, 3)
        measures = log.measure_small(edge.time_s, small)
    series = {name: getattr(signals, name).copy() for name in _AGAINST_THE_ONE_BEFORE}
    for name, values in series.items():
        values[0] = getattr(measures, name)
    return signals.model_copy(update=series)
