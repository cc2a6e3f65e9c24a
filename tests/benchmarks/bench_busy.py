"""Whole builds, decoding included, against a server of so many slots: how far it is kept busy."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.benchmarks.rows import Rows, at_least, at_most
from tests.films import Shot, make_film

ROOT = Path(__file__).parents[2]
FILMS = 40
SERVERS = ((64, 1.0, 1.25), (256, 4.0, 1.35), (1024, 8.0, 1.5))
"""(slots, mean seconds a completion, how many times the ideal a build may take)."""


class _Built(NamedTuple):
    began_s: float
    """On the machine's monotonic clock, which the server tells as well."""
    took_s: float
    cpu_s: float
    """Of the command and of all its workers."""
    questions_s: tuple[float, ...]
    """When each part's questions were there, in order, from the start of the command."""


def bench_busy(folder: Path) -> Rows:
    """Builds as the command makes them, with its own workers, on the cores that the server runs on, too.

    The ideal is the longer of the same build by the embedded teacher, which waits for nobody, and of asking
    with every slot taken, after the first part's share of that build. So few films give each slot of a large
    server few answers. What is asked in rounds, and a request that waits for its slowest answer, then last
    longer than all slots together: no build takes less than its least, however it asks.
    """
    films = folder / "busy films"
    if not films.is_dir():
        films.mkdir(parents=True)
        for number in range(FILMS):
            looks = [Shot(10 * number + shot, 3.0, motion_px=1 + shot) for shot in range(4)]
            make_film(films / f"film {number}.mp4", looks, fps=25, size=(640, 360))
    rows: Rows = {}
    for slots, latency_s, goal in SERVERS:
        alone = _build(folder, films, "", 0)  # each time anew: both meet the same load
        command = [sys.executable, str(ROOT / "tests" / "stub_server.py"), "--reasons"]
        command += ["--slots", str(slots), "--latency", str(latency_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            built = _build(folder, films, url, slots)
            with urllib.request.urlopen(url.removesuffix("/v1") + "/busy") as reply:
                told = json.load(reply)
        finally:
            process.kill()
            process.wait()
        asking_s = told["busy_s"] / slots
        ideal_s = max(alone.took_s, asking_s) + alone.took_s / len(alone.questions_s)
        least_s = max(built.questions_s[0] + asking_s, _rounds_s(built, told["chains"]))
        of_ideal = f"least {least_s:.0f} s ({least_s / ideal_s:.2f} x), ideal {ideal_s:.0f} s"
        against = f"{FILMS} films, {slots} slots of {latency_s:.0f} s: {built.took_s:.0f} s, {of_ideal}"
        rows[f"busy, {slots} slots, time"] = at_most(built.took_s / ideal_s, goal, "x ideal", against)
        cpu = f"CPU {built.cpu_s:.0f} s, the server's {told['cpu_s']:.1f} s, on {os.cpu_count()} cores"
        rows[f"busy, {slots} slots, beyond least"] = at_most(built.took_s / least_s, 1.35, "x least", cpu)
        first_s = built.questions_s[0]
        share = asking_s / (told["to"] - built.began_s - first_s)
        most = f"first question to last answer; {asking_s / (least_s - first_s):.2f} at most"
        rows[f"busy, {slots} slots, share"] = at_least(share, 0.85, "of slots", most)
    return rows


def _rounds_s(built: _Built, chains: Sequence[float]) -> float:
    """When the last rounds could have ended, had none waited for a slot, nor for anything but its question.

    `chains` are in the order in which their questions came.
    """
    parts = len(built.questions_s)
    there_s = (built.questions_s[place * parts // len(chains)] for place in range(len(chains)))
    return max(question_s + chain_s for question_s, chain_s in zip(there_s, chains, strict=True))


def _build(folder: Path, films: Path, url: str, slots: int) -> _Built:
    """What the command takes; without a server, the embedded teacher answers at once."""
    out = folder / "busy out"
    shutil.rmtree(out, ignore_errors=True)
    server = {"kind": "server", "model": "stub", "urls": [url], "concurrency": max(1, slots)}
    recipe = {
        "sources": {"videos": str(films)},
        "claims": {"verifier": {"kind": "signals"}},
        "card": {"plots": False},
        "teachers": [{"teacher": server if url else {"kind": "signals"}}],
    }
    path = folder / "busy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    began_s, clock_s, before_s = time.monotonic(), time.time(), _children_cpu_s()
    command = [str(Path(sys.executable).with_name("reelproof")), "build", str(path), "--out", str(out)]
    subprocess.run([*command, "--trust-recipe"], check=True, capture_output=True)
    took_s, cpu_s = time.monotonic() - began_s, _children_cpu_s() - before_s
    there = sorted(each.stat().st_mtime - clock_s for each in out.glob("parts/questions-*/part-*.parquet"))
    return _Built(began_s, took_s, cpu_s, tuple(there))


def _children_cpu_s() -> float:
    """User and system time of what was started here and has ended, with all that it started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
