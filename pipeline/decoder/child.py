"""Videos -> footage, in a child process that may crash, hang or swell at the cost of one video.

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
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import psutil
from pydantic import Field

from reelproof.pipeline.decoder.pipes import (
    CHUNK_BYTES,
    AnyJob,
    Failed,
    Job,
    MessageReader,
    Opened,
    Piece,
    Shelf,
    SoundJob,
    SoundWritten,
    SpanJob,
    SpanScanned,
    SurveyJob,
    TrackJob,
    TrackRead,
    write_message,
)
from reelproof.pipeline.decoder.trial import second_of_film
from reelproof.pipeline.errors import BrokenHere
from reelproof.schemas.footage import Footage, Quarantine, QuarantineKind, joined
from reelproof.schemas.settings import Settings
from reelproof.schemas.span import SpanCut, SpanRow, Survey, Surveyed
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, rows_of
from reelproof.stages.footage.sound import Sound
from reelproof.stages.footage.text_tracks import TextTrack

CHILD_COMMAND = (sys.executable, "-P", "-m", "reelproof.pipeline.decoder.decoding")
"""`-P`: the working folder may hold a `queue.py`, or a `schemas/` that is not ours."""
_LOOK_EVERY_MS = 100
Outcome = Footage | Quarantine | Surveyed | SpanScanned | TrackRead | SoundWritten


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


class _LostError(Exception):
    """A video that its child could not finish."""

    def __init__(self, kind: QuarantineKind, detail: str, is_misfit: bool = False) -> None:
        super().__init__(detail)
        self.kind, self.is_misfit = kind, is_misfit


def scan_in_child(
    sources: Iterable[LocalVideo],
    cfg: FootageConfig,
    limits: ChildLimits,
    command: Sequence[str] = CHILD_COMMAND,
) -> Iterator[Footage | Quarantine]:
    """`scan_footage`, one record per source in order, whatever the decoder does; see Scanner."""
    with Scanner(limits, command) as scanner:
        for source in sources:
            rows = list(scanner.footage(source, cfg))
            whole = [row for row in rows if isinstance(row, Footage)]
            yield joined(whole) if whole else rows[0]


Told = Callable[[float, float], None]
"""(seconds of film scanned, seconds that the film declares or 0), again and again."""


class Scanner:
    """A decoding child at hand: started when first needed, and anew after one that died. Use in a `with`.

    A child that dies is a quarantine `crashed`, one that exceeds its time `timeout`, its memory `too_large`.
    Raises RuntimeError where a child cannot even start, BrokenHere where it can scan nothing.
    """

    def __init__(self, limits: ChildLimits, command: Sequence[str] = CHILD_COMMAND) -> None:
        self._limits, self._command = limits, command
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def footage(
        self, source: LocalVideo, cfg: FootageConfig, told: Told | None = None
    ) -> Iterator[Footage | Quarantine]:
        """The rows of a film, or why it has none: memory does not grow with the length of a film."""
        with Shelf() as pieces:
            answer = self._ask(Job(source, cfg, self._limits.threads), pieces, told)
            if isinstance(answer, Footage):
                yield from rows_of(pieces, answer)
            elif isinstance(answer, Quarantine):
                yield answer

    def survey(self, source: LocalVideo, cfg: FootageConfig) -> Survey | None:
        """Where the film's spans lie; None where only one pass will do, or none at all."""
        with Shelf() as pieces:
            answer = self._ask(SurveyJob(source, cfg), pieces)
        return answer.survey if isinstance(answer, Surveyed) else None

    def span(
        self, source: LocalVideo, cfg: FootageConfig, survey: Survey, cut: SpanCut, told: Told | None = None
    ) -> Iterator[SpanRow]:
        """The rows of a span; none where it could not be scanned."""
        with Shelf() as pieces:
            job = SpanJob(source, cfg, survey, cut, self._limits.threads)
            if isinstance(self._ask(job, pieces, told), SpanScanned):
                yield from pieces

    def text_track(self, source: LocalVideo, language: str | None) -> TextTrack | Quarantine | None:
        """What the film's text track says, or why it cannot be read; None where there is none."""
        with Shelf() as pieces:
            answer = self._ask(TrackJob(source, language), pieces)
        return (
            answer.track
            if isinstance(answer, TrackRead)
            else answer
            if isinstance(answer, Quarantine)
            else None
        )

    def sound(self, source: LocalVideo, target: Path) -> Sound | Quarantine | None:
        """Where the film's sound begins, once it is written; why it cannot be; None where there is none."""
        with Shelf() as pieces:
            answer = self._ask(SoundJob(source, str(target)), pieces)
        if isinstance(answer, SoundWritten):
            return answer.sound
        return answer if isinstance(answer, Quarantine) else None

    def _ask(self, job: AnyJob, pieces: Shelf, told: Told | None = None) -> Outcome:
        self._child = self._child or _Child(self._command, self._limits)
        try:
            return self._child.scan(job, pieces, told)
        except _LostError as lost:
            self._end()
            if lost.is_misfit:
                _refuse_where_nothing_decodes(self._command, self._limits)
            source = job.source
            return Quarantine(video_id=source.video_id, name=source.name, kind=lost.kind, detail=str(lost))

    def _end(self) -> None:
        if self._child:
            self._child.kill()
        self._child = None


def _refuse_where_nothing_decodes(command: Sequence[str], limits: ChildLimits) -> None:
    """Raises BrokenHere where not even a film of our own can be scanned: it was not the video's fault."""
    with tempfile.TemporaryDirectory(prefix="reelproof-trial-") as folder, Shelf() as pieces:
        child = _Child(command, limits)
        try:
            child.scan(Job(second_of_film(Path(folder)), FootageConfig(), threads=1), pieces)
        except _LostError as lost:
            raise BrokenHere(
                f"not even a film of our own can be decoded with PyAV {version('av')}: {lost}; no video was "
                "set aside; install the versions that pyproject.toml names, and build again"
            ) from None
        finally:
            child.kill()


class _Child:
    """A running child, asked one thing at a time."""

    def __init__(self, command: Sequence[str], limits: ChildLimits) -> None:
        self._limits = limits
        self._reader = MessageReader()
        self._arrived: deque[Any] = deque()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed in kill
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [*command, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
        )
        try:
            self._receive(limits.start_s)
        except _LostError as lost:
            self.kill()
            raise RuntimeError(f"the decoding process did not start: {lost}") from lost

    def scan(self, job: AnyJob, pieces: Shelf, told: Told | None = None) -> Outcome:
        """The last of the child's answers; pieces before it go to the shelf."""
        try:
            write_message(self._process.stdin, job)  # type: ignore[arg-type]  # it is a pipe
        except OSError as error:
            raise self._death() from error
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
                    raise _LostError(QuarantineKind.TOO_LARGE, refused)
                if told and scanned_s:
                    told(scanned_s, declared_s)
            answer = self._receive(limit_s, started)
        if told and isinstance(answer, Footage):
            told(answer.duration_s, declared_s)
        if isinstance(answer, Failed):
            raise _LostError(answer.kind, answer.detail, answer.is_misfit)
        if not isinstance(answer, Outcome):
            raise TypeError(f"the decoding process sent {type(answer).__name__}, not what a job comes to")
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # they are pipes

    def _receive(self, limit_s: float, started: float | None = None) -> Any:
        """The child's next message. Raises _LostError once the child is dead, late or too big."""
        started = time.monotonic() if started is None else started
        stdout = self._process.stdout.fileno()  # type: ignore[union-attr]  # it is a pipe
        poll = select.poll()
        poll.register(stdout, select.POLLIN)
        while not self._arrived:
            if poll.poll(_LOOK_EVERY_MS):
                data = os.read(stdout, CHUNK_BYTES)
                if not data:
                    raise self._death()
                self._arrived.extend(self._reader.feed(data))
            elif time.monotonic() - started > limit_s:
                raise _LostError(QuarantineKind.TIMEOUT, f"no result within {limit_s:.0f} s")
            self._check_memory()
        return self._arrived.popleft()

    def _check_memory(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            rss_mb = psutil.Process(self._process.pid).memory_info().rss / 2**20
            if rss_mb > self._limits.max_rss_mb:
                detail = f"decoding took {rss_mb:.0f} MB of memory, allowed {self._limits.max_rss_mb} MB"
                raise _LostError(QuarantineKind.TOO_LARGE, detail)

    def _death(self) -> _LostError:
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        detail = f"the decoding process died ({how})" + (f": {' / '.join(said)[:300]}" if said else "")
        return _LostError(QuarantineKind.CRASHED, detail)
