"""Processes that outlived their owner -> none: an engine survives a `kill -9` of all above it."""

import contextlib
import os
from pathlib import Path

import psutil

_NAMESPACE = Path("/proc/self/ns/pid")
MARK = "REELPROOF_SERVER_OF"
"""The environment variable that tells whose a process is."""


def own_mark() -> str:
    """Names this process for good: pid namespace, pid, and birth in clock ticks since the boot."""
    return f"{_NAMESPACE.readlink()} {os.getpid()} {_birth(os.getpid())}"


def end_orphans() -> None:
    """Kill the processes of this machine that are marked as those of an owner who is no more."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK)
            if mark is not None and not _lives(mark):
                process.kill()


def _lives(mark: str) -> bool:
    """Whether the owner does; yes for those of another pid namespace, of which we know nothing."""
    namespace, pid, birth = mark.split(" ")
    if namespace != str(_NAMESPACE.readlink()):
        return True
    try:
        return _birth(int(pid)) == birth
    except OSError:
        return False


def _birth(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
