"""A finished build of 200 clips and a check that it lacks: what that one runs, and what it leaves alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from tests.benchmarks.rows import Row, Rows
from tests.films import Shot, make_film

COMMAND = Path(sys.executable).with_name("reelproof")
CLIPS, FILMS = 200, 4
SETTINGS = (
    "clips.target_s=5",
    "clips.max_s=5",
    "clips.whole=false",
    "questions.computed.kinds=[scene_count,reversed]",
    "rollouts.rollouts=1",
    "probes.probes=[]",
    "parts.videos=2",
)
JUDGED = "sufficiency={judge: {kind: signals}}"


def bench_new_check(folder: Path) -> Rows:
    """Sufficiency added: files that were there and changed, steps that ran, and teacher calls a thought."""
    place = folder / "new check"
    shutil.rmtree(place, ignore_errors=True)
    for number in range(FILMS):
        shots = [Shot(100 * number + shot, 2.5, motion_px=3) for shot in range(100)]
        (place / "films").mkdir(parents=True, exist_ok=True)
        make_film(place / "films" / f"{number}.mp4", shots, fps=2, size=(160, 90))
    _build(place)
    clips = sum(len(pl.read_parquet(file)) for file in (place / "build/parts").glob("clips-*/*.parquet"))
    before = _written(place)
    summary = _build(place, JUDGED)
    after = _written(place)
    changed = sum(after.get(path) != written for path, written in before.items())
    new = {path.parent.name.rpartition("-")[0] for path in after.keys() - before.keys()}
    judged = sum(len(pl.read_parquet(file)) for file in (place / "build/parts").glob("traces-*/*.parquet"))
    against = f"{clips} clips, {len(before)} files of parts, {judged} thoughts"
    return {
        "new check, files of others changed": _row(changed, "files", "0", changed == 0, against),
        "new check, steps": _row(
            len(new), "steps", "2", new == {"sufficiency", "score.sufficiency"} and clips >= CLIPS, against
        ),
        "new check, videos decoded": _row(
            summary["videos_decoded"], "videos", "0", not summary["videos_decoded"], against
        ),
        "new check, teacher calls": _row(
            summary["teacher_calls"],
            "calls",
            f"1 … {judged}",
            0 < summary["teacher_calls"] <= judged,
            against,
        ),
    }


def _build(place: Path, *settings: str) -> dict[str, Any]:
    chosen = [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]
    command = [COMMAND, "build", place / "films", "--out", place / "build", *chosen, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def _written(place: Path) -> dict[Path, int]:
    """When each file of a part was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in (place / "build/parts").glob("*/part-*.parquet")}


def _row(value: float, unit: str, goal: str, holds: bool, against: str) -> Row:
    return Row(value=value, unit=unit, goal=goal, holds=holds, against=against)
