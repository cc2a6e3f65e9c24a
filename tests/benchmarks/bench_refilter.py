"""How fast a policy decides, and a whole refilter beside polars reading and writing the same rows."""

import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from reelproof.pipeline.accounts.memory import peak_rss_mb
from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import ShardsConfig, write_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.splits import assign_splits
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.synthetic_parts import write_synthetic_parts
from tests.whole_sets import read_measurements, write_card

ROUNDS = 3
SIZES = (100_000, 1_000_000)
PARTS = "parts.pickle"


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
    """A threshold changed: read the measurements, decide, write shards, manifest, stats and card."""
    rows: Rows = {}
    for traces in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            parts = write_synthetic_parts(Store(folder), traces)
            Path(folder, PARTS).write_bytes(pickle.dumps(parts))
            # A process that only refilters: its peak memory is the command's.
            command = [sys.executable, "-m", "tests.benchmarks.bench_refilter", folder]
            found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        ratio = found["refilter_s"] / found["polars_s"]
        against = f"polars reading and writing the same rows: {found['polars_s']:.2f} s"
        rows[f"refilter, {traces:,} traces"] = Row(
            value=round(found["refilter_s"], 2), unit="s", goal="", holds=True, against=against
        )
        rows[f"refilter ratio, {traces:,} traces"] = Row(
            value=round(ratio, 2), unit="times polars", goal="<= 1.5", holds=ratio <= 1.5, against=against
        )
        rows[f"refilter memory, {traces:,} traces"] = Row(
            value=round(found["peak_mb"]),
            unit="MB",
            goal="< 2000",
            holds=found["peak_mb"] < 2000,
            against="peak RSS",
        )
    return rows


def measure_refilter(folder: str) -> dict[str, float]:
    """Median seconds of a refilter and of polars, taking turns, and the peak memory of the first refilter."""
    store = Store(folder)
    parts = pickle.loads(Path(folder, PARTS).read_bytes())
    refilter(store, parts, 0.9)
    peak_mb = peak_rss_mb()
    ours, plain = [], []
    for turn in range(ROUNDS):
        ours.append(timed(lambda limit=0.2 + turn / 4: refilter(store, parts, limit)))
        plain.append(timed(lambda: copy_with_polars(store)))
    return {
        "refilter_s": statistics.median(ours),
        "polars_s": statistics.median(plain),
        "peak_mb": peak_mb,
    }


def refilter(store: Store, parts: list[PartFiles], max_blind_pass_rate: float) -> None:
    """All that `reelproof refilter` does with a build's files."""
    # at even confidence each limit moves rows: four answers are too few to be surer
    policy = PolicyConfig(max_blind_pass_rate=max_blind_pass_rate, probe_confidence=0.5)
    measurements = read_measurements(store, parts)
    verdicts = decide(measurements, policy)
    splits = assign_splits(measurements["video_id"].unique(), {}, 0.05, 0)
    write_dataset(store, parts, measurements, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measurements, verdicts, CardConfig())


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


if __name__ == "__main__":
    print(json.dumps(measure_refilter(sys.argv[1])))
