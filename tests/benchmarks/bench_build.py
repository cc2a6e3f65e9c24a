"""A whole build by its command: what doing it again costs, and whether memory grows with what it is given."""

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_footage import repeated
from tests.benchmarks.rows import Rows, at_most, command_use, tree_rss_mb
from tests.films import Shot, make_film

COMMAND = Path(sys.executable).with_name("reelproof")
FEW, MANY = 20, 200
AGAIN_GOAL_S, HELP_GOAL_S = 5.0, 0.5


def bench_build(folder: Path) -> Rows:
    """Peak memory of 200 short videos against 20, and the seconds of the same build again."""
    shutil.rmtree(folder / "build", ignore_errors=True)
    few, many = _built(folder, FEW), _built(folder, MANY)
    again = [_build(folder, MANY)["seconds"] for _ in range(3)]
    growth = many["peak_rss_mb"] / few["peak_rss_mb"]
    helped = [_help_s() for _ in range(5)]
    return {
        "build, peak memory of 200 videos": at_most(growth, 1.15, "x", f"20 videos, {few['peak_rss_mb']} MB"),
        "build, the same again": at_most(
            statistics.median(again), AGAIN_GOAL_S, "s", "200 videos, nothing to do"
        ),
        "--help": at_most(statistics.median(helped), HELP_GOAL_S, "s", "CPU seconds"),
    }


def bench_long_film(folder: Path) -> Rows:
    """Peak memory of a build with all that it starts: of two hours in one film against eleven minutes."""
    shots = [Shot(shot, 2.5, motion_px=1 + shot) for shot in range(4)]
    short = make_film(folder / "ten_seconds_small.mp4", shots, fps=25, size=(640, 272))
    peaks_mb = []
    for minutes in (11, 120):
        film = folder / f"minutes-{minutes}" / "film.mp4"
        film.parent.mkdir(exist_ok=True)
        peaks_mb.append(_tree_peak_mb(folder, repeated(short, film, times=6 * minutes)))
    return {
        "build, peak memory of two hours": at_most(
            peaks_mb[1] / peaks_mb[0], 1.15, "x", f"eleven minutes, {peaks_mb[0]:.0f} MB with all processes"
        )
    }


def _tree_peak_mb(folder: Path, film: Path) -> float:
    """Of a build of one film: resident memory of its processes together, looked at four times a second."""
    out = folder / "build" / film.parent.name
    shutil.rmtree(out, ignore_errors=True)
    peak_mb, quiet = 0.0, subprocess.DEVNULL
    with subprocess.Popen([COMMAND, "build", film, "--out", out], stdout=quiet, stderr=quiet) as process:
        while process.poll() is None:
            peak_mb = max(peak_mb, tree_rss_mb(process.pid))
            time.sleep(0.25)
    if process.returncode:
        raise RuntimeError(f"the build of {film} ended with {process.returncode}")
    return peak_mb


def _built(folder: Path, count: int) -> dict[str, Any]:
    films = folder / f"films-{count}"
    films.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = films / f"{number:03d}.mp4"
        if not path.exists():
            shots = [Shot(3 * number + shot, 3.5, motion_px=1 + shot) for shot in range(2)]
            make_film(path, shots, fps=8, size=(320, 180))
    return _build(folder, count)


def _build(folder: Path, count: int) -> dict[str, Any]:
    command = [COMMAND, "build", folder / f"films-{count}", "--out", folder / "build" / str(count), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _help_s() -> float:
    return command_use([str(COMMAND), "--help"]).cpu_s
