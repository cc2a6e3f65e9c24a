"""The decoding child: jobs from stdin, footage to stdout, until the parent closes the pipe or dies.

Run by `reelproof.pipeline.decoder.child` as `python -m reelproof.pipeline.decoder.decoding PARENT_PID`.
"""

import contextlib
import ctypes
import faulthandler
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import IO

import cv2

from reelproof.pipeline.decoder.pipes import (
    CHUNK_BYTES,
    AnyJob,
    ClipCut,
    CutJob,
    Failed,
    MessageReader,
    Opened,
    Piece,
    Ready,
    SoundJob,
    SoundWritten,
    SpanJob,
    SpanScanned,
    SurveyJob,
    TicksJob,
    TicksTold,
    TrackJob,
    TrackRead,
    write_message,
)
from reelproof.pipeline.decoder.ticking import ticks_of
from reelproof.pipeline.disk.malloc import give_back
from reelproof.schemas.footage import Footage, Quarantine, QuarantineKind
from reelproof.schemas.span import Surveyed
from reelproof.stages.footage.cutting import cut_clip
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.scan import scan_in_pieces
from reelproof.stages.footage.sound import write_sound
from reelproof.stages.footage.span_scan import scan_span, survey_film
from reelproof.stages.footage.text_tracks import read_text_track

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OF_A_MISFIT = (TypeError, AttributeError, NameError, ImportError)


Answer = (
    Opened
    | Piece
    | Footage
    | Quarantine
    | Surveyed
    | SpanScanned
    | TrackRead
    | SoundWritten
    | ClipCut
    | TicksTold
    | Failed
)


def serve(scan: Callable[[AnyJob], Iterable[Answer]], parent_pid: int) -> None:
    """Answer each job with Opened (where the file opens), pieces, and what it comes to, or Failed."""
    _die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both: the parent decides
    faulthandler.enable()
    cv2.setNumThreads(1)
    inbox, outbox = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not land among the messages
    jobs: queue.SimpleQueue[AnyJob] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(inbox, jobs), daemon=True).start()
    write_message(outbox, Ready(os.getpid()))
    while True:
        job = jobs.get()
        for answer in _answers(scan, job):
            write_message(outbox, answer)
        give_back()


def _answers(scan: Callable[[AnyJob], Iterable[Answer]], job: AnyJob) -> Iterator[Answer]:
    try:
        if not isinstance(job, TicksJob):
            with contextlib.suppress(UnusableVideoError), Reel(job.source.path) as reel:
                yield Opened(reel.declared_s)
        yield from scan(job)
    except MemoryError:
        yield Failed(QuarantineKind.TOO_LARGE, "decoding ran out of memory")
    except Exception as error:
        lines = traceback.format_exc().strip().splitlines()
        detail = f"{lines[-1]} ({lines[-3].strip()})"[:500]
        yield Failed(QuarantineKind.CRASHED, detail, isinstance(error, _OF_A_MISFIT))


def _read_jobs(inbox: IO[bytes], jobs: "queue.SimpleQueue[AnyJob]") -> None:
    reader = MessageReader()
    while data := inbox.read(CHUNK_BYTES):
        for job in reader.feed(data):
            jobs.put(job)
    os._exit(0)


def _die_with_parent(parent_pid: int) -> None:
    """Also in the middle of a decode that never returns to Python; off Linux the closed pipe has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def scan_job(job: AnyJob) -> Iterator[Answer]:
    """Pieces, then what they come to; or why there is nothing."""
    if isinstance(job, TicksJob):
        yield from ticks_of(job)
        return
    source = job.source
    try:
        if isinstance(job, SurveyJob):
            yield Surveyed(survey=survey_film(source, job.cfg))
        elif isinstance(job, TrackJob):
            yield TrackRead(read_text_track(source.path, job.language))
        elif isinstance(job, SoundJob):
            yield SoundWritten(write_sound(source.path, job.target))
        elif isinstance(job, CutJob):
            yield ClipCut(cut_clip(job.recordings, job.start_s, job.end_s, job.target, job.slack_s))
        elif isinstance(job, SpanJob):
            yield from scan_span(source, job.cfg, job.survey, job.cut, job.threads)
            yield SpanScanned()
        else:
            yield from scan_in_pieces(source, job.cfg, job.threads)
    except UnusableVideoError as error:
        yield Quarantine(video_id=source.video_id, name=source.name, kind=error.kind, detail=str(error))


if __name__ == "__main__":
    serve(scan_job, int(sys.argv[1]))
