"""What a benchmark gives: rows for the table, and how their ratios are measured."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypedDict

import psutil


class Row(TypedDict):
    """One figure, its goal, and what it was measured against in the same run."""

    value: float
    unit: str
    goal: str
    holds: bool
    against: str


class LeftOut(Exception):  # noqa: N818  # as StopIteration, it is no error
    """A benchmark cannot run on this machine; says what it needs."""


Rows = dict[str, Row]
Bench = Callable[[Path], Rows]
"""Takes a folder for its films, which outlives the run."""


class Timed(NamedTuple):
    """What a measured call took and gave."""

    cpu_s: float
    result: object


def at_least(value: float, goal: float, unit: str, against: str) -> Row:
    """A row that holds from `goal` up."""
    holds = bool(value >= goal)  # of numpy's numbers, too
    return Row(value=round(float(value), 3), unit=unit, goal=f">= {goal}", holds=holds, against=against)


def at_most(value: float, goal: float, unit: str, against: str) -> Row:
    """A row that holds up to `goal`."""
    holds = bool(value <= goal)
    return Row(value=round(float(value), 3), unit=unit, goal=f"<= {goal}", holds=holds, against=against)


def timed(call: Callable[[], object]) -> Timed:
    """User and system time of this process, all threads."""
    before = time.process_time()
    result = call()
    return Timed(time.process_time() - before, result)


class Used(NamedTuple):
    """What a command took."""

    cpu_s: float
    """User and system time, of what it started where it waited for that."""
    peak_mb: float
    """Resident, with all that it started, in MB of 10^6 bytes."""


def command_use(command: Sequence[str]) -> Used:
    """Run a command, and look at its memory ten times a second. Raises RuntimeError where it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended, peak_mb = 0, 0.0
    while not ended:
        peak_mb = max(peak_mb, tree_rss_mb(process.pid))
        time.sleep(0.1)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return Used(usage.ru_utime + usage.ru_stime, peak_mb)


def tree_rss_mb(pid: int) -> float:
    """Resident memory of a process and of all that it started, in MB of 10^6 bytes; 0 once it has ended."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total / 1e6


def ratio_of_medians(reference: Callable[[], float], ours: Callable[[], float], times: int = 3) -> float:
    """How many times faster `ours` is, the two measured in turn so that both meet the same load."""
    pairs = [(reference(), ours()) for _ in range(times)]
    return statistics.median(pair[0] for pair in pairs) / statistics.median(pair[1] for pair in pairs)


def machine() -> str:
    """Processor, cores, memory, Python: one line."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model
        )
    memory_gb = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, {memory_gb:.0f} GB, Python {python}, load {load:.1f}"
