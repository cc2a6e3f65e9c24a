"""A decoding child that scans like the real one, save that a name may tell it to crash, hang or swell."""

import ctypes
import sys
import threading
from collections.abc import Iterator

import numpy as np

from reelproof.pipeline.decoder.decoding import Answer, scan_job, serve
from reelproof.pipeline.decoder.pipes import AnyJob


def scan(job: AnyJob) -> Iterator[Answer]:
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


if __name__ == "__main__":
    serve(scan, int(sys.argv[-1]))
