"""A command -> its whole tree of processes, which ends when the command, this keeper or its parent does.

`python keeper.py PARENT_PID COMMAND…`. A vLLM server leaves its engine behind when it is killed, and all of
itself when the worker that started it is. As the subreaper of its descendants, the keeper sees them all.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

import psutil

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_GRACE_S = 10.0


def keep(parent_pid: int, command: list[str]) -> int:
    """Run the command until it ends or we are told to stop, then end what is left of it: its exit code."""
    _call_prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _call_prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent_pid:  # it died before we asked to be told
        return 1
    stopped = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)
    child = subprocess.Popen(command, preexec_fn=_die_with_keeper)  # noqa: S603 - no shell, no threads
    while child.poll() is None:
        if signal.sigwait(stopped) != signal.SIGCHLD:
            break
    code = _end(child)
    _kill_descendants()
    return code


def _die_with_keeper() -> None:
    _call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _end(child: subprocess.Popen[bytes]) -> int:
    """Ask it to stop, and those below it; kill it when it takes too long."""
    child.terminate()
    try:
        return child.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _kill_descendants() -> None:
    """What the command left behind, until none is left: the dying may leave new orphans to us."""
    while descendants := psutil.Process().children(recursive=True):
        for each in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(descendants, timeout=1)


def _call_prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
