"""How fast a policy decides, and a whole refilter beside polars reading and writing the same rows."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.steps.dataset import SHARDS
from reelproof.pipeline.steps.whole_set import POLICY
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.benchmarks.rows import Row, Rows, at_most
from tests.benchmarks.synthetic_build import write_synthetic_build
from tests.benchmarks.synthetic_parts import write_synthetic_parts
from tests.whole_sets import read_measurements

ROUNDS = 3
SIZES = (100_000, 1_000_000)
COMMAND = Path(sys.executable).with_name("reelproof")


def bench_policy(_folder: Path) -> Rows:
    """Rows a second of the policy alone, on measurements in memory."""
    rows: Rows = {}
    for traces in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            measurements = read_measurements(store, write_synthetic_parts(store, traces))
        seconds = [timed(lambda measured=measurements: decide(measured, PolicyConfig())) for _ in range(15)]
        took = statistics.median(seconds[1:])
        if traces == SIZES[0]:
            speed = traces / took / 1e6
            rows["policy, 100,000 traces"] = Row(
                value=round(speed, 2),
                unit="million rows/s",
                goal=">= 3",
                holds=speed >= 3,
                against="in memory",
            )
        else:
            rows["policy, 1,000,000 traces"] = Row(
                value=round(took, 3), unit="s", goal="< 2", holds=took < 2, against="in memory"
            )
    return rows


def bench_refilter(_folder: Path) -> Rows:
    """A threshold changed, by the command as typed, on a build of the demo's shape."""
    rows: Rows = {}
    for traces in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            workplace = write_synthetic_build(Path(folder), traces)
            command_refilter(workplace.store, 0.95)  # compacts; what follows finds blocks
            found = [measure_refilter(workplace.store, 0.2 + turn / 4) for turn in range(ROUNDS)]
        polars_s = statistics.median(each.polars_s for each in found)
        decided = statistics.median(each.decided_s for each in found) / polars_s
        published = statistics.median(each.published_s for each in found) / polars_s
        peak_mb = max(each.peak_mb for each in found)
        against = f"polars reading and writing the same rows: {polars_s:.2f} s"
        name = f"{traces:,} traces"
        rows[f"refilter until decided, {name}"] = at_most(decided, 0.4, "times polars", against)
        rows[f"refilter until published, {name}"] = at_most(published, 1.2, "times polars", against)
        rows[f"refilter memory, {name}"] = at_most(peak_mb, 1000, "MB", "peak RSS of the command")
    return rows


class Refiltered(NamedTuple):
    """One `reelproof refilter`, its start included, and a copy of the rows that it published."""

    decided_s: float
    published_s: float
    polars_s: float
    peak_mb: float


def measure_refilter(store: Store, max_blind_pass_rate: float) -> Refiltered:
    """Until verdicts lie there, and until shards do: the card comes later."""
    start = time.time()
    peak_mb = command_refilter(store, max_blind_pass_rate)
    decided, published = (_newest(store, step) - start for step in (POLICY.name, SHARDS.name))
    return Refiltered(decided, published, timed(lambda: copy_with_polars(store)), peak_mb)


def command_refilter(store: Store, max_blind_pass_rate: float) -> float:
    """Run the command; MB at its peak."""
    # at even confidence each limit moves rows: four answers are too few to be surer
    settings = (f"policy.max_blind_pass_rate={max_blind_pass_rate}", "policy.probe_confidence=0.5")
    chosen = [word for each in settings for word in ("--set", each)]
    command = [str(COMMAND), "refilter", store.url, *chosen, "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return float(told["peak_rss_mb"])


def _newest(store: Store, step: str) -> float:
    """When the step was last done, in seconds since 1970."""
    return max(each.stat().st_mtime for each in Path(store.path("whole")).glob(f"{step}-*/outcome.json"))


def copy_with_polars(store: Store) -> None:
    """The dataset's files, read and written as polars does by default."""
    target = Path(store.path("copy.parquet"))
    for file in sorted(Path(store.path("dataset/data")).rglob("*.parquet")):
        pl.read_parquet(file).write_parquet(target)


def timed(work: Callable[[], object]) -> float:
    """Wall-clock seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
