"""Work in processes of their own, forked from one that has loaded the libraries, which takes seconds.

A test process has one such process, which starts with the first work; `tests/side_by_side.py` sees to it
that one test process does all of it.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 120
_FROM = "tests.forked_from"
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([_FROM])


class Ended(NamedTuple):
    """How processes ended."""

    codes: list[int | None]
    """Their exit codes in order: 0, or minus the signal that killed one; None where one had to be ended."""
    said: str
    """What they wrote to stderr."""


def run_forked(
    log: Path,
    work: Callable[..., object],
    *arguments: Any,
    environments: Sequence[Mapping[str, str]] = ({},),
) -> Ended:
    """Have one process with each environment do the work, and wait for all; `log` is where they write."""
    processes = [
        _CONTEXT.Process(target=_work, args=(str(log), dict(each), work, arguments)) for each in environments
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return Ended(codes, log.read_text())


def _work(
    log: str, environment: Mapping[str, str], work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    with open(log, "a") as file:  # noqa: PTH123
        os.dup2(file.fileno(), sys.stderr.fileno())
    assert _FROM in sys.modules, "it could not be loaded beforehand, which multiprocessing says nothing of"
    os.environ.update(environment)
    work(*arguments)
