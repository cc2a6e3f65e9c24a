"""What a command names as its SOURCE -> films and connections, and the ticks of each as they come."""

import hashlib
import math
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from reelproof.pipeline.disk.files import find_videos
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.event import WatchedFilm
from reelproof.schemas.text import without_secrets
from reelproof.stages.footage.decode import Reel, TimedFrame
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.watched import SeenTick, TickMaker

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,srt,crypto,data"
_LOOK_EVERY_S = 0.5
_SETTLED_S = 2.0
_MAX_JUMP_S = 10.0
_BORDER_S = 1.0


class FilmTick(NamedTuple):
    """A tick, the film that it is of, and when it was decoded."""

    film: WatchedFilm
    tick: SeenTick
    arrived_at: float


class Note(NamedTuple):
    """What befell a source, for a person and for the counts."""

    kind: str
    """`unusable`, `reconnect`, `clock_jump` or `ended`."""
    text: str


Arrived = WatchedFilm | FilmTick | Note


class Known(NamedTuple):
    """What an earlier run saw of the source."""

    films: Sequence[WatchedFilm] = ()
    next_tick: int = 0


class Source(Protocol):
    """Where pictures come from."""

    name: str
    """Without secrets."""
    is_live: bool
    """It does not wait for us."""

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """Films, their ticks and what befell, until the source ends or `stop` is set."""
        ...


def open_source(named: str, recorder: Recorder) -> Source:
    """A file, a folder that grows, a stream, a camera or `-`. Live ones are recorded as they come.

    Raises UsageError for what is none of these.
    """
    scheme = named.partition("://")[0]
    if named == "-":
        return Connections("pipe:0", "standard input", Stream("pipe,fd"), recorder)
    if "://" in named:
        if scheme not in SCHEMES:
            raise UsageError(
                f"{without_secrets(named)}: a stream begins with {', '.join(SCHEMES)}, got {scheme}"
            )
        options = (("rtsp_transport", "tcp"),) if scheme.startswith("rtsp") else ()
        return Connections(named, without_secrets(named), Stream(_PROTOCOLS, options=options), recorder)
    path = Path(named)
    if not path.exists():
        raise UsageError(
            f"{named} does not exist; name a file, a folder, a stream, a camera, or - for a pipe"
        )
    if stat.S_ISCHR(path.stat().st_mode):
        return Connections(named, named, Stream("file", format="v4l2"), recorder)
    return Files(path)


class Files:
    """A film, or the films in a folder, one after the other as they come."""

    is_live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path.resolve())
        self._path = path.resolve()

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """A film that was begun goes on where it was."""
        films, next_tick = list(known.films), known.next_tick
        for film in films[-1:]:  # from a window before on, whose pictures are needed again
            for each in _told(film, cfg, max(next_tick - cfg.ticks_a_window + 1, 0), stop):
                if isinstance(each, FilmTick):
                    next_tick = max(next_tick, each.tick.number + 1)
                yield each
        for path in self._new(cfg, {str(each.path) for each in films}, stop):
            film = WatchedFilm(
                number=len(films),
                video_id=_sha256(path),
                name=path.name,
                path=str(path),
                offset_s=next_tick * cfg.window.stride_s,
                began_at=time.time(),
            )
            films.append(film)
            yield film
            for each in _told(film, cfg, next_tick, stop):
                if isinstance(each, FilmTick):
                    next_tick = each.tick.number + 1
                yield each

    def _new(self, cfg: WatchConfig, seen: set[str], stop: threading.Event) -> Iterator[Path]:
        """Files that are there whole, in order of their names."""
        if self._path.is_file():
            yield from () if str(self._path) in seen else (self._path,)
            return
        sizes: dict[str, tuple[int, float]] = {}
        last = time.monotonic()
        while not stop.is_set():
            found = [each for each in find_videos(str(self._path), "unknown").files if each.url not in seen]
            for file in found:
                size, since = sizes.get(file.url, (-1, 0.0))
                if size != file.size_bytes:
                    sizes[file.url] = (file.size_bytes, since := time.monotonic())
                if cfg.stream.patience_s == 0 or time.monotonic() - since >= _SETTLED_S:
                    seen.add(file.url)
                    yield Path(file.url)
                    last = time.monotonic()
            if time.monotonic() - last >= cfg.stream.patience_s:
                return
            stop.wait(_LOOK_EVERY_S)


class Connections:
    """A stream: a connection to it, and another one when that is lost."""

    is_live = True

    def __init__(self, address: str, name: str, stream: Stream, recorder: Recorder) -> None:
        self.name = name
        self._address, self._stream, self._recorder = address, stream._replace(tap=recorder.take), recorder

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """Time goes on between connections as it does on the wall."""
        films, next_tick = list(known.films), known.next_tick
        last, wait_s, why = time.monotonic(), 1.0, "it ended"
        while not stop.is_set():
            try:
                with Reel(self._address, live=self._stream) as reel:
                    film = self._film(films, next_tick, cfg)
                    self._recorder.begin(film.offset_s)
                    for each in self._connected(reel, film, cfg, stop):
                        if film not in films:
                            films.append(film)
                            yield film
                        if isinstance(each, FilmTick):
                            next_tick = each.tick.number + 1
                        last, wait_s = time.monotonic(), 1.0
                        yield each
                    is_whole = 0 < reel.declared_s <= reel.end_s + 1.0
                    why = reel.faults[-1] if reel.faults else "it ended"
            except UnusableVideoError as error:
                is_whole, why = False, str(error)
            self._recorder.end()
            waited_s = time.monotonic() - last
            if not films and waited_s >= cfg.stream.patience_s:
                raise BuildFailed(f"{self.name} cannot be reached: {without_secrets(why)}")
            if stop.is_set() or is_whole or waited_s >= cfg.stream.patience_s:
                yield Note("ended", f"{self.name}: {why}")
                return
            yield Note("reconnect", f"{self.name}: {why}; trying again in {wait_s:g} s")
            stop.wait(wait_s)
            wait_s = min(2 * wait_s, cfg.stream.longest_wait_s)

    def _film(self, films: Sequence[WatchedFilm], next_tick: int, cfg: WatchConfig) -> WatchedFilm:
        now, stride_s = time.time(), cfg.window.stride_s
        passed_s = now - films[0].began_at if films else 0.0
        offset_s = max(next_tick, math.ceil(passed_s / stride_s)) * stride_s
        return WatchedFilm(
            number=len(films),
            video_id=hashlib.sha256(f"{self.name} {now}".encode()).hexdigest(),
            name=f"connection {len(films) + 1}",
            path=None,
            offset_s=offset_s,
            began_at=now,
        )

    def _connected(
        self, reel: Reel, film: WatchedFilm, cfg: WatchConfig, stop: threading.Event
    ) -> Iterator[FilmTick | Note]:
        maker = TickMaker(film.video_id, cfg.window, cfg.footage, reel.pixel_aspect, film.offset_s)
        clock = SteadyClock(reel.declared_s)
        for timed in reel.frames(cfg.footage.exact):
            steady = clock.tell(timed)
            if steady.time_s != timed.time_s and clock.jumped:
                yield Note("clock_jump", f"{self.name}: its clock jumped to {timed.time_s:.1f} s")
            yield from (FilmTick(film, tick, time.time()) for tick in maker.offer(steady))
            if stop.is_set():
                return
        yield from (FilmTick(film, tick, time.time()) for tick in maker.finish())


class SteadyClock:
    """Times of a stream without the jumps ahead that its sender's clock made and the wall's did not."""

    def __init__(self, declared_s: float) -> None:
        self._is_bound = declared_s > 0
        self._shift_s = 0.0
        self._last: tuple[float, float] | None = None
        self.jumped = False

    def tell(self, timed: TimedFrame) -> TimedFrame:
        """The frame at its steady time."""
        now = time.monotonic()
        self.jumped = False
        if self._last is not None and not self._is_bound:
            ahead_s = timed.time_s - self._last[0]
            if ahead_s > _MAX_JUMP_S and now - self._last[1] < ahead_s / 2:
                self._shift_s, self.jumped = self._shift_s - ahead_s + 0.04, True
        self._last = timed.time_s, now
        return timed._replace(time_s=round(timed.time_s + self._shift_s, 3)) if self._shift_s else timed


def _told(
    film: WatchedFilm, cfg: WatchConfig, from_tick: int, stop: threading.Event
) -> Iterator[FilmTick | Note]:
    """A film's ticks from one on, or why there is none."""
    try:
        for tick in film_ticks(film, cfg, from_tick):
            yield FilmTick(film, tick, time.time())
            if stop.is_set():
                return
    except UnusableVideoError as error:
        yield Note("unusable", f"{film.name}: {error}")


def film_ticks(film: WatchedFilm, cfg: WatchConfig, from_tick: int) -> Iterator[SeenTick]:
    """Those of a film on disk, from one on: decoded from the last border before it on, or from the start.

    Raises UnusableVideoError.
    """
    path, exact = str(film.path), cfg.footage.exact
    with Reel(path) as reel:
        pixel_aspect = reel.pixel_aspect
    maker = TickMaker(film.video_id, cfg.window, cfg.footage, pixel_aspect, film.offset_s)
    for timed in _frames_from(path, exact, from_tick * cfg.window.stride_s - film.offset_s - _BORDER_S):
        yield from (tick for tick in maker.offer(timed) if tick.number >= from_tick)
    yield from (tick for tick in maker.finish() if tick.number >= from_tick)


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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
