"""Whole builds, decoding included, against a server of so many slots: how far it is kept busy."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml

from tests.benchmarks.rows import Rows, at_least, at_most
from tests.films import Shot, make_film

ROOT = Path(__file__).parents[2]
FILMS, A_PART = 40, 8
SERVERS = ((64, 1.0, 1.25), (256, 4.0, 1.35), (1024, 8.0, 1.5))
"""(slots, mean seconds a completion, how many times the ideal a build may take)."""


def bench_busy(folder: Path) -> Rows:
    """Builds as the command makes them, with its own workers.

    The ideal is the longer of decoding alone and of asking with every slot taken, after the first part's
    decoding.
    """
    films = folder / "busy films"
    if not films.is_dir():
        films.mkdir(parents=True)
        for number in range(FILMS):
            looks = [Shot(10 * number + shot, 3.0, motion_px=1 + shot) for shot in range(4)]
            make_film(films / f"film {number}.mp4", looks, fps=25, size=(640, 360))
    decode_s = _build(folder, films, "", 0)
    rows: Rows = {}
    for slots, latency_s, goal in SERVERS:
        command = [sys.executable, str(ROOT / "tests" / "stub_server.py"), "--reasons"]
        command += ["--slots", str(slots), "--latency", str(latency_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            took_s = _build(folder, films, url, slots)
            with urllib.request.urlopen(url.removesuffix("/v1") + "/busy") as reply:
                told = json.load(reply)
        finally:
            process.kill()
            process.wait()
        asking_s = told["busy_s"] / slots
        ideal_s = max(decode_s, asking_s) + decode_s * A_PART / FILMS
        against = f"{FILMS} films, {slots} slots of {latency_s:.0f} s: {took_s:.0f} s, ideal {ideal_s:.0f} s"
        rows[f"busy, {slots} slots, time"] = at_most(took_s / ideal_s, goal, "x ideal", against)
        steady = told["busy_s"] / slots / (told["to"] - told["from"])
        rows[f"busy, {slots} slots, share"] = at_least(steady, 0.85, "of slots", "first to last request")
    return rows


def _build(folder: Path, films: Path, url: str, slots: int) -> float:
    """Seconds that the command takes; without a server, it makes clips and no more."""
    out = folder / "busy out"
    shutil.rmtree(out, ignore_errors=True)
    teacher = {"kind": "server", "model": "stub", "urls": [url], "concurrency": max(1, slots)}
    recipe = {
        "sources": {"videos": str(films)},
        "parts": {"videos": A_PART},
        "claims": {"verifier": {"kind": "signals"}},
        "card": {"plots": False},
    } | ({"teachers": [{"teacher": teacher}]} if url else {"teachers": [{"teacher": {"kind": "signals"}}]})
    path = folder / "busy.yaml"
    path.write_text(yaml.safe_dump(recipe))
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("reelproof")), "build", str(path), "--out", str(out)]
    subprocess.run([*command, "--trust-recipe"], check=True, capture_output=True)
    return time.monotonic() - began
