"""A film, or a connection to what is live -> its ticks as they are decoded: the child's side of a watch."""

import hashlib
import math
import time
from collections.abc import Iterator

from reelproof.pipeline.decoder.pipes import (
    Beat,
    ClockJumped,
    Connected,
    FilmJob,
    LiveJob,
    Over,
    Ticked,
    TicksJob,
    TicksTold,
)
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.decode import Reel, TimedFrame
from reelproof.stages.footage.live import ArrivingPacket
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.recording import Recorded, SegmentWriter
from reelproof.stages.footage.watched import TickMaker

_MAX_JUMP_S = 10.0
_BORDER_S = 1.0
_BEAT_S = 0.5


def ticks_of(job: TicksJob) -> Iterator[TicksTold]:
    """All that is to be told of it; Over comes last."""
    try:
        yield from _live(job) if isinstance(job, LiveJob) else _film(job)
    except UnusableVideoError as error:
        yield Over(False, str(error))


def _film(job: FilmJob) -> Iterator[TicksTold]:
    """Ticks from one on: decoded from the last border before it on, or from the start."""
    film, stride_s = job.film, job.window.stride_s
    path, exact = str(film.path), job.footage.exact
    with Reel(path) as reel:
        pixel_aspect = reel.pixel_aspect
    maker = TickMaker(film.video_id, job.window, job.footage, pixel_aspect, film.offset_s)
    beats = _Beats()
    for timed in _frames_from(path, exact, job.from_tick * stride_s - film.offset_s - _BORDER_S):
        yield from (Ticked(each, time.time()) for each in maker.offer(timed) if each.number >= job.from_tick)
        yield from beats.after(timed)
    yield from (Ticked(each, time.time()) for each in maker.finish() if each.number >= job.from_tick)
    yield Over(True, "it ended")


def _frames_from(path: str, exact: bool, start_s: float) -> Iterator[TimedFrame]:
    """A film's frames from the last span's start before a time on: those that one pass gives from there."""
    survey = None
    if start_s > 0:
        with Reel(path) as reel:
            survey = reel.survey(exact)
    cuts = [cut for cut in survey.spans if (cut.start_s or 0.0) <= start_s] if survey else []
    if survey is None or len(cuts) < 2:
        with Reel(path) as reel:
            yield from reel.frames(exact)
        return
    for cut in survey.spans[len(cuts) - 1 :]:
        with Reel(path) as reel:
            for timed in reel.frames_of(survey, cut):
                if cut.next_stamp is None or (timed.stamp or 0) < cut.next_stamp:
                    yield timed


def _live(job: LiveJob) -> Iterator[TicksTold]:
    """One connection, from its first frame until it is lost; it is recorded as it comes."""
    recording = _Recording(job.recording)
    with Reel(job.address, live=job.stream._replace(tap=recording.take)) as reel:
        film = _film_of(job, time.time())
        yield Connected(film)
        recording.begin(film.offset_s)
        maker = TickMaker(film.video_id, job.window, job.footage, reel.pixel_aspect, film.offset_s)
        clock, beats = SteadyClock(reel.declared_s, reel.fps), _Beats()
        for timed in reel.arrivals(job.footage.exact):
            yield from recording.done()
            yield from beats.after(timed)
            if timed is None:
                continue
            steady = clock.tell(timed)
            if clock.jumped:
                yield ClockJumped(timed.time_s)
            yield from (Ticked(each, time.time()) for each in maker.offer(steady))
        yield from (Ticked(each, time.time()) for each in maker.finish())
        recording.end()
        yield from recording.done()
        is_whole = 0 < reel.declared_s <= reel.end_s + 1.0
        yield Over(is_whole, reel.faults[-1] if reel.faults else "it ended")


def _film_of(job: LiveJob, now: float) -> WatchedFilm:
    """Time goes on between connections as it does on the wall."""
    stride_s = job.window.stride_s
    passed_s = now - job.first_at if job.first_at is not None else 0.0
    return WatchedFilm(
        number=job.number,
        video_id=hashlib.sha256(f"{job.name} {now}".encode()).hexdigest(),
        name=f"connection {job.number + 1}",
        path=None,
        offset_s=max(job.from_tick, math.ceil(passed_s / stride_s)) * stride_s,
        began_at=now,
    )


class _Recording:
    """Packets as they arrive, and the files that are whole."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._writer: SegmentWriter | None = None
        self._done: list[Recorded] = []

    def begin(self, offset_s: float) -> None:
        self._writer = SegmentWriter(self._stem, offset_s)

    def take(self, packet: ArrivingPacket) -> None:
        if self._writer is not None and (done := self._writer.take(packet)):
            self._done.append(done)

    def end(self) -> None:
        if self._writer is not None and (done := self._writer.close()):
            self._done.append(done)

    def done(self) -> list[Recorded]:
        done, self._done = self._done, []
        return done


class _Beats:
    """Tells now and then that something came, and how many frames there were."""

    def __init__(self) -> None:
        self._frames, self._last = 0, time.monotonic()

    def after(self, timed: TimedFrame | None) -> Iterator[Beat]:
        self._frames += timed is not None
        if time.monotonic() - self._last >= _BEAT_S:
            self._last = time.monotonic()
            yield Beat(self._frames)


class SteadyClock:
    """Times of a stream without the jumps ahead that its sender's clock made and the wall's did not."""

    def __init__(self, declared_s: float, fps: float = 0.0) -> None:
        """Of a stream that declares its length, or 0, and its frames a second, or 0."""
        self._is_bound = declared_s > 0
        self._max_jump_s = max(_MAX_JUMP_S, 3 / fps if fps > 0 else 0.0)
        self._shift_s = 0.0
        self._last: tuple[float, float] | None = None
        self.jumped = False

    def tell(self, timed: TimedFrame) -> TimedFrame:
        """The frame at its steady time."""
        now = time.monotonic()
        self.jumped = False
        if self._last is not None and not self._is_bound:
            ahead_s = timed.time_s - self._last[0]
            if ahead_s > self._max_jump_s and now - self._last[1] < ahead_s / 2:
                self._shift_s, self.jumped = self._shift_s - ahead_s + 0.04, True
        self._last = timed.time_s, now
        return timed._replace(time_s=round(timed.time_s + self._shift_s, 3)) if self._shift_s else timed
