"""Run the benchmarks: print a table, leave build/bench.json. `python -m tests.benchmarks.run [NAME …]`."""

import json
import sys
from pathlib import Path

from tests.benchmarks.bench_build import bench_build
from tests.benchmarks.bench_footage import (
    bench_cuts,
    bench_frames_at,
    bench_memory,
    bench_speed,
    bench_workers,
)
from tests.benchmarks.bench_new_check import bench_new_check
from tests.benchmarks.bench_refilter import bench_policy, bench_refilter
from tests.benchmarks.bench_report import bench_report
from tests.benchmarks.bench_teacher import bench_client, bench_log
from tests.benchmarks.bench_training import bench_sft, bench_stream
from tests.benchmarks.bench_upload import bench_upload
from tests.benchmarks.bench_vllm import bench_vllm
from tests.benchmarks.rows import Bench, Rows, machine

BENCHES: tuple[Bench, ...] = (
    bench_speed,
    bench_cuts,
    bench_frames_at,
    bench_workers,
    bench_memory,
    bench_build,
    bench_policy,
    bench_refilter,
    bench_report,
    bench_new_check,
    bench_upload,
    bench_client,
    bench_log,
    bench_vllm,
    bench_sft,
    bench_stream,
)
BUILD = Path(__file__).parents[2] / "build"


def main(names: list[str]) -> None:
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    table = BUILD / "bench.json"
    rows: Rows = json.loads(table.read_text()) if names and table.exists() else {}
    print(machine())
    for bench in BENCHES:
        if not names or bench.__name__ in names:
            found = bench(folder)
            print_table(found)
            rows |= found
    table.write_text(json.dumps(rows, indent=2) + "\n")


def print_table(rows: Rows) -> None:
    for name, row in rows.items():
        mark = "ok  " if row["holds"] else "MISS"
        figure = f"{row['value']:g} {row['unit']}"
        print(f"{mark} {name:<44} {figure:>14}   goal {row['goal']:<9} against {row['against']}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
