"""Shards that are written together: the same bytes as one by one, and each block is read once."""

from collections import Counter
from collections.abc import Iterator

import pytest

from reelproof.pipeline.dataset import block_rows
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.side_by_side import Here
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import PARTS_A_BLOCK, read_measurements, small_blocks, write_dataset

SETS = 8
WITH_IMAGES = 6


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[tuple[Store, list[PartFiles]]]:
    """Parts of two blocks."""
    store = Store(str(tmp_path_factory.mktemp("build")))
    with small_blocks():
        yield store, [write_part(store, number) for number in range(PARTS_A_BLOCK + 2)]


def dataset(built: tuple[Store, list[PartFiles]], folder: str, alone: bool = False) -> str:
    """Decide and publish, each shard alone as workers do or not; the dataset's hash."""
    store, parts = built
    measured = read_measurements(store, parts)
    splits = {video: "test" if video[0] in "01234" else "train" for video in measured["video_id"].unique()}
    policy, facts = PolicyConfig(), BuildFacts()
    verdicts = decide(measured, policy)
    spread = Here(store) if alone else None
    told = write_dataset(
        store, parts, measured, verdicts, splits, policy, ShardsConfig(), facts, folder, spread
    )
    assert told.written == SETS
    return told.dataset_sha256


@pytest.fixture
def opened(monkeypatch) -> Counter[str]:
    """How many times files of a block's words were opened to be read."""
    counts: Counter[str] = Counter()
    plainly = block_rows.open_parquet

    def counting(store, name):
        counts[name] += 1
        return plainly(store, name)

    monkeypatch.setattr(block_rows, "open_parquet", counting)
    return counts


def test_shards_come_out_as_alone_and_those_with_few_frames_read_each_block_once(built, opened, monkeypatch):
    together = dataset(built, "together")
    assert sorted(opened.values()) == [1] * 4  # two blocks, traces and questions
    opened.clear()
    assert dataset(built, "alone", alone=True) == together
    assert set(opened.values()) == {SETS}
    opened.clear()
    monkeypatch.setattr("reelproof.pipeline.dataset.shard_plan.READ_AT_ONCE_BYTES", 1000)
    assert dataset(built, "many") == together
    assert set(opened.values()) == {WITH_IMAGES + 1}  # those of `rejected` show none
