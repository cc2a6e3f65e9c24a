"""A live stream -> its ticks: by one connection, and by another where that, or what decodes it, is lost."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.pipes import (
    Beat,
    ClockJumped,
    Connected,
    LiveJob,
    Over,
    Ticked,
    TicksTold,
)
from reelproof.pipeline.decoder.process import CHILD_COMMAND, ChildLimits, LostError
from reelproof.pipeline.errors import BuildFailed
from reelproof.pipeline.watching.arrivals import Arrived, FilmTick, Known, Note
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.text import without_secrets
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.recording import Recorded

_OPENING, _SILENT = 0.9, 0.25
"""Of what its decoder may take to tell anything: what a connection may take to open, and to go on."""


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
        over = Over(False, "it was stopped")
        try:
            for each in scanner.ticks(self._job(cfg), cfg.stream.silent_s):
                if isinstance(each, Over):  # the last of them
                    over = each._replace(is_whole=each.is_whole or bool(self._passed))
                elif stop.is_set():
                    break
                else:
                    yield from self._heard(each)
        except LostError as lost:
            frames = max(self._decoded - self._told, 0)
            yield Note("decoder_lost", f"{self.name}: {lost.how}, with {frames} frames or more", frames)
            return Over(False, "its decoder was lost")
        finally:
            self._recorder.end(self._next_tick * cfg.window.stride_s)
        return over

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
