"""A folder as `kill -9` would leave it at each of the moments at which work changes its files."""

import itertools
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.forked import run_forked

_CHANGES = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"))


def states_at_changes(folder: Path, into: Path, work: Callable[..., object], *arguments: Any) -> list[Path]:
    """Do the work, in a process of its own; returns copies of the folder as it was before each change in it,
    and as it was with a file just opened.

    A process that is killed leaves what it gave to the system, which is what others see of it while it lives.
    """
    done = run_forked(into.with_suffix(".log"), _work, str(folder), into, work, arguments)
    assert done.codes == [0], done.said
    return sorted(into.iterdir())


def _work(folder: str, into: Path, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    changes, one_at_a_time = itertools.count(), threading.Lock()

    def copy(event: str, about: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(about[1], str) and set("wxa") & set(about[1])
        if (writes or event in _CHANGES) and str(about[0]).startswith(folder):
            with one_at_a_time:  # other threads' changes wait
                states = into / f"{next(changes):04d}"
                shutil.copytree(folder, states, copy_function=_copy_if_there)
                if writes and not Path(about[0]).exists():
                    opened = Path(shutil.copytree(states, f"{states} opened"))
                    (opened / Path(about[0]).relative_to(folder)).touch()

    sys.addaudithook(copy)
    work(*arguments)


def _copy_if_there(source: str, target: str) -> None:
    with suppress(FileNotFoundError):  # another thread was in the middle of removing it
        shutil.copyfile(source, target)
