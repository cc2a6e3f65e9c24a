"""What commands cost over builds of many videos: neither seconds a video nor memory may grow."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.rows import Rows, Used, at_most, command_use
from tests.benchmarks.synthetic_build import write_synthetic_build

COMMAND = Path(sys.executable).with_name("reelproof")
SIZES = (10_000, 50_000)
"""Videos."""
TRACES_PER_VIDEO = 10
GOALS_S = {"status": 2.0, "--dry-run": 3.0, "the same again": 5.0}
"""At the first size; a refilter has its own benchmark, beside polars."""
LEAST_GROWTH, PEAK_MB = 1.0, 500


def bench_clients(folder: Path) -> Rows:
    """`status`, a dry run, a build with nothing to do and a refilter, each by the command as typed."""
    few, many = (_used(folder, videos) for videos in SIZES)
    rows: Rows = {}
    for name, each in few.items():
        more = many[name]
        against = f"{each.cpu_s:.1f} CPU s at {SIZES[0]:,} videos, {more.cpu_s:.1f} at {SIZES[1]:,}"
        if name in GOALS_S:
            rows[f"{SIZES[0]:,} videos, {name}"] = at_most(each.cpu_s, GOALS_S[name], "CPU s", "its command")
        growth = more.cpu_s / each.cpu_s * SIZES[0] / SIZES[1]
        rows[f"{name}, time a video"] = at_most(growth, LEAST_GROWTH, "x", against)
        rows[f"{SIZES[1]:,} videos, {name}, memory"] = at_most(
            more.peak_mb, PEAK_MB, "MB", f"{each.peak_mb:.0f} MB at {SIZES[0]:,}"
        )
    return rows


def _used(folder: Path, videos: int) -> dict[str, Used]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        store = write_synthetic_build(Path(own), videos * TRACES_PER_VIDEO, TRACES_PER_VIDEO).store
        refilter = ["refilter", store.url, "--set", "policy.probe_confidence=0.5"]
        build = ["build", f"{own}/videos", "--out", store.url, "--set", "probes.probes=[blind]"]
        command_use([str(COMMAND), *refilter])  # compacts; what follows finds blocks
        found = {
            "status": command_use([str(COMMAND), "status", store.url]),
            "--dry-run": command_use([str(COMMAND), *build, "--dry-run"]),
            "the same again": command_use([str(COMMAND), *build]),
            "refilter": command_use([str(COMMAND), *refilter, "--set", "policy.max_blind_pass_rate=0.45"]),
        }
    print(videos, found, flush=True)
    return found
