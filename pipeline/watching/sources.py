"""What a command names as its SOURCE -> films and connections, and the ticks of each as they come."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.pipes import (
    Beat,
    ClockJumped,
    Connected,
    FilmJob,
    LiveJob,
    Over,
    Ticked,
    TicksTold,
)
from reelproof.pipeline.decoder.process import CHILD_COMMAND, ChildLimits, LostError
from reelproof.pipeline.disk.files import find_videos
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.event import WatchedFilm
from reelproof.schemas.source import SourceFile
from reelproof.schemas.text import without_secrets
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.recording import Recorded
from reelproof.stages.footage.watched import SeenTick

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,srt,crypto,data"
_LOOK_EVERY_S = 0.5
_SETTLED_S = 2.0
_OPENING, _SILENT = 0.9, 0.25
"""Of what its decoder may take to tell anything: what a connection may take to open, and to go on."""


class FilmTick(NamedTuple):
    """A tick, the film that it is of, and when it was decoded."""

    film: WatchedFilm
    tick: SeenTick
    arrived_at: float


class Note(NamedTuple):
    """What befell a source, for a person and for the counts."""

    kind: str
    """`unusable`, `waiting`, `reconnect`, `clock_jump`, `decoder_lost` or `ended`."""
    text: str
    lost_frames: int = 0
    """So many were decoded, and went with what decoded them."""


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


def open_source(named: str, recorder: Recorder, command: Sequence[str] = CHILD_COMMAND) -> Source:
    """A file, a folder that grows, a stream, a camera or `-`. Live ones are recorded as they come.

    All of them are decoded by a child that is started by `command`.

    Raises UsageError for what is none of these.
    """
    scheme = named.partition("://")[0]
    if named == "-":
        return _standard_input(recorder, command)
    if "://" in named:
        if scheme not in SCHEMES:
            raise UsageError(
                f"{without_secrets(named)}: a stream begins with {', '.join(SCHEMES)}, got {scheme}"
            )
        options = (("rtsp_transport", "tcp"),) if scheme.startswith("rtsp") else ()
        stream = Stream(_PROTOCOLS, options=options)
        return Connections(named, without_secrets(named), stream, recorder, command)
    path = Path(named)
    if not path.exists():
        raise UsageError(
            f"{named} does not exist; name a file, a folder, a stream, a camera, or - for a pipe"
        )
    if stat.S_ISCHR(path.stat().st_mode):
        return Connections(named, named, Stream("file", format="v4l2"), recorder, command)
    return Files(path, command)


def _standard_input(recorder: Recorder, command: Sequence[str]) -> Source:
    try:
        held = os.dup(0)  # the child's own standard input is where its jobs come from
    except OSError:
        raise UsageError("-: there is no standard input") from None
    stream = Stream("pipe,fd")
    return Connections(f"pipe:{held}", "standard input", stream, recorder, command, passed=(held,))


class Files:
    """A film, or the films in a folder, one after the other as they come."""

    is_live = False

    def __init__(self, path: Path, command: Sequence[str] = CHILD_COMMAND) -> None:
        self.name = str(path.resolve())
        self._path, self._command = path.resolve(), command

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """A film that was begun goes on where it was."""
        with Scanner(ChildLimits(), self._command) as scanner:
            yield from self._arrivals(scanner, cfg, known, stop)

    def _arrivals(
        self, scanner: Scanner, cfg: WatchConfig, known: Known, stop: threading.Event
    ) -> Iterator[Arrived]:
        films, next_tick = list(known.films), known.next_tick
        for film in films[-1:]:  # from a window before on, whose pictures are needed again
            for each in _told(scanner, film, cfg, max(next_tick - cfg.ticks_a_window + 1, 0), stop):
                if isinstance(each, FilmTick):
                    next_tick = max(next_tick, each.tick.number + 1)
                yield each
        if cfg.stream.patience_s and not _films_at(self._path):
            until = f"until none has come for {cfg.stream.patience_s:g} s (stream.patience_s)"
            yield Note("waiting", f"{self.name}: no film is there yet; waiting for one, {until}")
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
            for each in _told(scanner, film, cfg, next_tick, stop):
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
            found = [each for each in _films_at(self._path) if each.url not in seen]
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
    """A stream: a connection to it, and another one when that, or what decodes it, is lost."""

    is_live = True

    def __init__(
        self,
        address: str,
        name: str,
        stream: Stream,
        recorder: Recorder,
        command: Sequence[str] = CHILD_COMMAND,
        passed: Sequence[int] = (),
    ) -> None:
        """`passed` are open files that the decoding child is given; what comes of one comes but once."""
        self.name = name
        self._address, self._stream, self._recorder = address, stream, recorder
        self._command, self._passed = command, passed
        self._films: list[WatchedFilm] = []
        self._connected: WatchedFilm | None = None
        self._next_tick = self._decoded = self._told = 0
        """Frames that this connection's decoder had, and those of them that came as ticks."""
        self._told_at = 0.0

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """Time goes on between connections as it does on the wall."""
        self._films, self._next_tick = list(known.films), known.next_tick
        self._told_at, wait_s = time.monotonic(), 1.0
        with Scanner(ChildLimits(), self._command, self._passed) as scanner:
            while not stop.is_set():
                began = self._told_at
                over = yield from self._connection(scanner, cfg, stop)
                wait_s = 1.0 if self._told_at > began else wait_s
                if stop.is_set():
                    return
                silent_s = time.monotonic() - self._told_at
                if not self._films and silent_s >= cfg.stream.patience_s:
                    raise BuildFailed(f"{self.name} cannot be reached: {without_secrets(over.why)}")
                if over.is_whole or silent_s >= cfg.stream.patience_s:
                    yield Note("ended", f"{self.name}: {over.why}")
                    return
                yield Note("reconnect", f"{self.name}: {over.why}; trying again in {wait_s:g} s")
                stop.wait(wait_s)
                wait_s = min(2 * wait_s, cfg.stream.longest_wait_s)

    def _connection(
        self, scanner: Scanner, cfg: WatchConfig, stop: threading.Event
    ) -> Generator[Arrived, None, Over]:
        """What arrives by one connection, and how that ends."""
        self._recorder.begin()
        self._connected, self._decoded, self._told = None, 0, 0
        try:
            for each in scanner.ticks(self._job(cfg), cfg.stream.silent_s):
                if isinstance(each, Over):
                    return each._replace(is_whole=each.is_whole or bool(self._passed))
                if stop.is_set():
                    break
                yield from self._heard(each)
        except LostError as lost:
            frames = max(self._decoded - self._told, 0)
            yield Note("decoder_lost", f"{self.name}: {_how(lost)}, with {frames} frames or more", frames)
            return Over(False, "its decoder was lost")
        finally:
            self._recorder.end(self._next_tick * cfg.window.stride_s)
        return Over(False, "it was stopped")

    def _heard(self, message: TicksTold | None) -> Iterator[Arrived]:
        match message:
            case Connected():
                self._connected = message.film
            case Recorded():
                self._recorder.take(message)
            case Beat():
                self._decoded = message.frames
            case ClockJumped():
                yield Note("clock_jump", f"{self.name}: its clock jumped to {message.to_s:.1f} s")
            case Ticked() if self._connected is not None:
                if self._connected.number == len(self._films):
                    self._films.append(self._connected)
                    yield self._connected
                self._told += message.tick.frame_count
                self._next_tick, self._told_at = message.tick.number + 1, time.monotonic()
                yield FilmTick(self._connected, message.tick, message.arrived_at)

    def _job(self, cfg: WatchConfig) -> LiveJob:
        return LiveJob(
            address=self._address,
            stream=self._stream._replace(
                opening_s=_OPENING * cfg.stream.silent_s, silent_s=_SILENT * cfg.stream.silent_s
            ),
            name=self.name,
            number=len(self._films),
            from_tick=self._next_tick,
            first_at=self._films[0].began_at if self._films else None,
            window=cfg.window,
            footage=cfg.footage,
            recording=self._recorder.stem,
        )


def _told(
    scanner: Scanner, film: WatchedFilm, cfg: WatchConfig, from_tick: int, stop: threading.Event
) -> Iterator[FilmTick | Note]:
    """A film's ticks from one on, or why there is none."""
    try:
        for each in scanner.ticks(FilmJob(film, cfg.window, cfg.footage, from_tick), cfg.stream.silent_s):
            if isinstance(each, Ticked):
                yield FilmTick(film, each.tick, each.arrived_at)
            elif isinstance(each, Over) and not each.is_whole:
                yield Note("unusable", f"{film.name}: {each.why}")
            if stop.is_set():
                return
    except LostError as lost:
        yield Note("unusable", f"{film.name}: {_how(lost)}; what is left of it is not watched")


def _films_at(path: Path) -> tuple[SourceFile, ...]:
    return find_videos(str(path), "unknown").files


def _how(lost: LostError) -> str:
    """Without where in the code."""
    return str(lost).partition(": ")[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
