"""What the Hub's client uploads after one row of a 200 MB dataset was decided otherwise."""

import tempfile
from pathlib import Path

from tests.benchmarks.rows import Rows, at_most
from tests.upload_share import FilmedBuild, measure_upload

VIDEOS = 44
PLACES = (0.0, 0.5, 1.0)
"""Of the row among those kept: what follows it in its shard moves."""


def bench_upload(_folder: Path) -> Rows:
    """The worst of three places, in percent of the dataset's shards."""
    with tempfile.TemporaryDirectory() as folder:
        build = FilmedBuild(Path(folder) / "build", VIDEOS)
        shares = [measure_upload(build, Path(folder) / f"storage-{place}", place) for place in PLACES]
    worst = max(shares, key=lambda each: each.share)
    against = f"{worst.all_bytes / 1e6:.0f} MB of shards, {worst.changed_bytes / 1e6:.0f} MB in changed files"
    return {"upload after one row changed": at_most(100 * worst.share, 5, "%", against)}
