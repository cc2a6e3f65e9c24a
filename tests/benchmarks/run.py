"""Run the benchmarks: print a table, keep build/bench.json up to date with it.

`make bench` runs all, `make bench ONLY="refilter report"` those; what cannot run here says what it needs.
"""

import json
import sys
import traceback
from pathlib import Path

from tests.benchmarks.bench_ask import bench_ask
from tests.benchmarks.bench_build import bench_build, bench_long_film
from tests.benchmarks.bench_busy import bench_busy
from tests.benchmarks.bench_clients import bench_clients
from tests.benchmarks.bench_duplicates import bench_duplicates
from tests.benchmarks.bench_evidence import bench_evidence
from tests.benchmarks.bench_footage import (
    bench_cuts,
    bench_frames_at,
    bench_memory,
    bench_one_film,
    bench_speed,
    bench_workers,
)
from tests.benchmarks.bench_highlights import bench_highlights
from tests.benchmarks.bench_network_cuts import bench_network_cuts
from tests.benchmarks.bench_new_check import bench_new_check
from tests.benchmarks.bench_refilter import bench_policy, bench_refilter
from tests.benchmarks.bench_report import bench_report
from tests.benchmarks.bench_teacher import bench_client, bench_frames_sent, bench_log
from tests.benchmarks.bench_training import (
    bench_ahead,
    bench_loss_memory,
    bench_packed,
    bench_sft,
    bench_stream,
)
from tests.benchmarks.bench_upload import bench_upload
from tests.benchmarks.bench_vllm import bench_vllm
from tests.benchmarks.bench_watch import bench_watch
from tests.benchmarks.rows import Bench, LeftOut, Rows, machine

BENCHES: tuple[Bench, ...] = (
    bench_speed,
    bench_cuts,
    bench_network_cuts,
    bench_frames_at,
    bench_workers,
    bench_memory,
    bench_one_film,
    bench_evidence,
    bench_build,
    bench_long_film,
    bench_policy,
    bench_refilter,
    bench_clients,
    bench_duplicates,
    bench_report,
    bench_new_check,
    bench_ask,
    bench_highlights,
    bench_upload,
    bench_client,
    bench_frames_sent,
    bench_log,
    bench_busy,
    bench_vllm,
    bench_sft,
    bench_ahead,
    bench_packed,
    bench_loss_memory,
    bench_stream,
    bench_watch,
)
BUILD = Path(__file__).parents[2] / "build"


def main(names: list[str]) -> None:
    chosen = [bench for bench in BENCHES if not names or _name(bench) in names]
    known = [_name(bench) for bench in BENCHES]
    if wrong := sorted(set(names) - set(known)):
        sys.exit(f"no benchmark is called {', '.join(wrong)}; there are {', '.join(known)}")
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    table = BUILD / "bench.json"
    rows: Rows = json.loads(table.read_text()) if names and table.exists() else {}
    print(machine())
    failed = []
    for bench in chosen:
        try:
            found = bench(folder)
        except LeftOut as reason:
            print(f"left out: {_name(bench)}; {reason}", flush=True)
            continue
        except Exception:
            traceback.print_exc()
            failed.append(_name(bench))
            continue
        print_table(found)
        rows |= found
        table.write_text(json.dumps(rows, indent=2) + "\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _name(bench: Bench) -> str:
    return bench.__name__.removeprefix("bench_")


def print_table(rows: Rows) -> None:
    for name, row in rows.items():
        mark = "ok  " if row["holds"] else "MISS"
        figure = f"{row['value']:g} {row['unit']}"
        print(f"{mark} {name:<44} {figure:>14}   goal {row['goal']:<9} against {row['against']}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
