"""A process that kills itself, as `kill -9` would, at one of the moments at which its files change."""

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_CHANGES = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"))


def ends_before_change(folder: str, change: int, work: Callable[..., object], *arguments: Any) -> bool:
    """Do the work in a process of its own that dies before the given change of files in the folder, from 0.

    Returns whether it died; if not, there are no more changes.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    process = context.Process(target=_work, args=(folder, change, work, arguments))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _work(folder: str, change: int, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    changes = itertools.count()

    def kill(event: str, about: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(about[1], str) and set("wxa") & set(about[1])
        if not writes and event not in _CHANGES:
            return
        if str(about[0]).startswith(folder) and next(changes) == change:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    work(*arguments)
