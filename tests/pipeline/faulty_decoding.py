"""A decoding child that scans like the real one, save that a name may tell it to crash, hang or swell."""

import ctypes
import sys
import threading
from collections.abc import Iterator

import numpy as np

from reelproof.pipeline.decoder.decoding import Answer, scan_job, serve
from reelproof.pipeline.decoder.pipes import AnyJob, Beat, FilmJob, LiveJob, Ticked, TicksJob


def scan(job: AnyJob) -> Iterator[Answer]:
    if isinstance(job, FilmJob | LiveJob):
        return ticks(job)
    if job.source.name == "crash":
        ctypes.string_at(0)
    if job.source.name == "hang":
        threading.Event().wait()
    if job.source.name == "raise":
        raise ValueError("a bug in the scan")
    if job.source.name == "misfit" or "misfit" in sys.argv:
        raise TypeError("open() got an unexpected keyword argument")
    if job.source.name == "swell":
        held = [np.ones(1 << 24) for _ in range(64)]
        threading.Event().wait(len(held))
    if job.source.name == "print":
        print("a library that talks", flush=True)
    return scan_job(job)


def ticks(job: TicksJob) -> Iterator[Answer]:
    """Of a first connection, and of a film by that name, ten ticks; then nothing good."""
    wants = sys.argv[1] if isinstance(job, FilmJob) or job.number == 0 else ""
    told = 0
    for each in scan_job(job):
        yield each
        told += isinstance(each, Ticked)
        if told == 10 and "crash" in wants:
            yield Beat(123)
            ctypes.string_at(0)
        if told == 10 and "hang" in wants:
            threading.Event().wait()


if __name__ == "__main__":
    serve(scan, int(sys.argv[-1]))
