"""A decoding child: started, asked one thing at a time, and given up where it dies, hangs or swells.

A plain subprocess, because Dask's workers are daemonic and may not have children by `multiprocessing`.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
from pydantic import Field

from reelproof.pipeline.decoder.pipes import (
    CHUNK_BYTES,
    AnyJob,
    ClipCut,
    Failed,
    MessageReader,
    Opened,
    Over,
    Piece,
    Shelf,
    SoundWritten,
    SpanScanned,
    TicksJob,
    TrackRead,
    VideoJob,
    write_message,
)
from reelproof.schemas.footage import Footage, Quarantine, QuarantineKind
from reelproof.schemas.settings import Settings
from reelproof.schemas.span import Surveyed

CHILD_COMMAND = (sys.executable, "-P", "-m", "reelproof.pipeline.decoder.decoding")
"""`-P`: the working folder may hold a `queue.py`, or a `schemas/` that is not ours."""
_LOOK_EVERY_MS = 100
Outcome = Footage | Quarantine | Surveyed | SpanScanned | TrackRead | SoundWritten | ClipCut
Told = Callable[[float, float], None]
"""(seconds of film scanned, seconds that the film declares or 0), again and again."""


class ChildLimits(Settings):
    """What one video may cost before it is given up. None of it changes what a video yields."""

    start_s: float = Field(default=120.0, gt=0)
    """The decoding process may take so many seconds to start."""
    base_s: float = Field(default=60.0, gt=0)
    """Any video may take so many seconds."""
    per_video_second: float = Field(default=3.0, ge=0)
    """A video may take so many seconds more for each second that it declares, or for each 25 kB where it
    declares none."""
    max_rss_mb: int = Field(default=2048, ge=64)
    """The decoding process may hold so much memory, in MB."""
    max_hours: float = Field(default=120.0, gt=0)
    """A film whose frames span more hours is given up: one time stamp far away makes years of nothing, which
    every later step would go through."""
    max_frames: int = Field(default=5_200_000, ge=2)
    """A film of more frames is given up; so many are a day of 60 a second. Later steps hold 172 bytes of
    each, and some of them twice."""
    threads: int = Field(default=1, ge=1, le=64)
    """The decoder uses so many threads."""

    def refused(self, frames: int, duration_s: float) -> str | None:
        """Why a film of so many frames and seconds is given up; None where it is not."""
        if duration_s > self.max_hours * 3600:
            allowed = f"{self.max_hours:g} (limits.max_hours): a time stamp may be wrong"
            return f"its {frames} frames span {duration_s / 3600:.0f} hours, allowed are {allowed}"
        if frames > self.max_frames:
            return f"it has {frames} frames or more, allowed are {self.max_frames} (limits.max_frames)"
        return None


def _new_starter() -> None:
    """The system ends a child with the thread that started it, and tasks' threads come and go."""
    global _starter
    _starter = ThreadPoolExecutor(1, "starts-decoders")


_starter: ThreadPoolExecutor
_new_starter()
os.register_at_fork(after_in_child=_new_starter)  # a fork has none of its threads


class LostError(Exception):
    """A video that its child could not finish."""

    def __init__(self, kind: QuarantineKind, detail: str, is_misfit: bool = False) -> None:
        super().__init__(detail)
        self.kind, self.is_misfit = kind, is_misfit

    @property
    def how(self) -> str:
        """Without where in the code."""
        return str(self).partition(": ")[0]


class DecodingProcess:
    """A running child, asked one thing at a time."""

    def __init__(self, command: Sequence[str], limits: ChildLimits, passed: Sequence[int] = ()) -> None:
        """Raises RuntimeError where it does not even start."""
        self._limits, self.jobs = limits, 0
        """What it is held to, and how many jobs it was given."""
        self._folder = os.stat(".")  # noqa: PTH116  # also of one that is gone
        self._reader = MessageReader()
        self._arrived: deque[Any] = deque()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in kill
        self._process = _starter.submit(
            subprocess.Popen,
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            pass_fds=passed,
        ).result()
        try:
            self._receive(limits.start_s)
        except LostError as lost:
            self.kill()
            raise RuntimeError(f"the decoding process did not start: {lost}") from lost

    def suits(self, limits: ChildLimits) -> bool:
        """Whether it is held to these limits, and the paths of a job mean to it what they mean here."""
        return self._limits == limits and os.path.samestat(self._folder, os.stat("."))  # noqa: PTH116

    @property
    def is_alive(self) -> bool:
        """Whether it runs still, and is a child of this process: not one that was forked off."""
        return self._process.poll() is None

    def scan(self, job: VideoJob, pieces: Shelf, told: Told | None = None) -> Outcome:
        """The last of the child's answers; pieces before it go to the shelf."""
        self._send(job)
        answer, limit_s, started = self._receive(self._limits.base_s), self._limits.base_s, time.monotonic()
        declared_s, frames = 0.0, 0
        while isinstance(answer, Opened | Piece):
            if isinstance(answer, Opened):
                declared_s = answer.declared_s
                video_s = declared_s or job.source.size_bytes / 25_000
                limit_s, started = limit_s + self._limits.per_video_second * video_s, time.monotonic()
            else:
                pieces.put(answer)
                frames += len(answer.signals.time_s)
                scanned_s = float(answer.signals.time_s[-1]) if len(answer.signals.time_s) else 0.0
                if refused := self._limits.refused(frames, scanned_s):
                    raise LostError(QuarantineKind.TOO_LARGE, refused)
                if told and scanned_s:
                    told(scanned_s, declared_s)
            answer = self._receive(limit_s, started)
        if told and isinstance(answer, Footage):
            told(answer.duration_s, declared_s)
        if isinstance(answer, Failed):
            raise LostError(answer.kind, answer.detail, answer.is_misfit)
        if not isinstance(answer, Outcome):
            raise TypeError(f"the decoding process sent {type(answer).__name__}, not what a job comes to")
        return answer

    def ticks(self, job: TicksJob, silent_s: float) -> Iterator[Any]:
        """Each message of a job that goes on, and None now and then while none comes."""
        self._send(job)
        heard = time.monotonic()
        while True:
            message = self._next()
            if isinstance(message, Failed):
                raise LostError(message.kind, message.detail, message.is_misfit)
            if message is None and time.monotonic() - heard > silent_s:
                raise LostError(QuarantineKind.TIMEOUT, f"the decoder told nothing for {silent_s:.0f} s")
            yield message
            if isinstance(message, Over):
                return
            if message is not None:
                heard = time.monotonic()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # they are pipes

    def _send(self, job: AnyJob) -> None:
        self.jobs += 1
        try:
            write_message(self._process.stdin, job)  # type: ignore[arg-type]  # it is a pipe
        except OSError as error:
            raise self._death() from error

    def _receive(self, limit_s: float, started: float | None = None) -> Any:
        """The child's next message. Raises LostError once the child is dead, late or too big."""
        started = time.monotonic() if started is None else started
        while (message := self._next()) is None:
            if time.monotonic() - started > limit_s:
                raise LostError(QuarantineKind.TIMEOUT, f"no result within {limit_s:.0f} s")
        return message

    def _next(self) -> Any:
        """The next message, or None where none comes for a moment. Raises LostError as `_receive` does."""
        if not self._arrived:
            stdout = self._process.stdout.fileno()  # type: ignore[union-attr]  # it is a pipe
            poll = select.poll()
            poll.register(stdout, select.POLLIN)
            if poll.poll(_LOOK_EVERY_MS):
                data = os.read(stdout, CHUNK_BYTES)
                if not data:
                    raise self._death()
                self._arrived.extend(self._reader.feed(data))
            self._check_memory()
        return self._arrived.popleft() if self._arrived else None

    def _check_memory(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            rss_mb = psutil.Process(self._process.pid).memory_info().rss / 2**20
            if rss_mb > self._limits.max_rss_mb:
                detail = f"decoding took {rss_mb:.0f} MB of memory, allowed {self._limits.max_rss_mb} MB"
                raise LostError(QuarantineKind.TOO_LARGE, detail)

    def _death(self) -> LostError:
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        detail = f"the decoding process died ({how})" + (f": {' / '.join(said)[:300]}" if said else "")
        return LostError(QuarantineKind.CRASHED, detail)
