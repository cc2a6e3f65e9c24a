"""Finished parts in blocks: what they hold, and what a kill leaves of them."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reelproof.pipeline.dataset.blocks import blocks_of, compact, read_block_measurements, read_sizes
from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.policy import PolicyConfig
from tests.killed import states_at_changes
from tests.small_parts import write_part
from tests.whole_sets import PARTS_A_BLOCK, read_measurements, small_blocks, write_dataset

BALANCED = PolicyConfig()
STRICTER = PolicyConfig(min_grounded_share=0.9)


def publish(url: str, parts: list[PartFiles], policy: PolicyConfig) -> str:
    """Decide and publish; the dataset's hash."""
    store = Store(url)
    measured = read_block_measurements(store, compact(store, parts))
    splits = dict.fromkeys(measured["video_id"], "train")
    verdicts = decide(measured, policy)
    return write_dataset(
        store, parts, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts()
    ).dataset_sha256


def contents(store: Store, folder: str) -> dict[str, str]:
    """File -> hash of what it holds."""
    root = Path(store.path(folder))
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in root.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Iterator[tuple[Path, list[PartFiles]]]:
    """A folder with more parts than a block holds, and their files. Not to be changed: take a copy."""
    folder = tmp_path_factory.mktemp("parts")
    with small_blocks():
        yield folder, [write_part(Store(str(folder)), number) for number in range(PARTS_A_BLOCK + 2)]


@pytest.fixture
def many(written, tmp_path) -> tuple[Store, list[PartFiles]]:
    """The same to work on; the parts' files are links, and never written to."""
    folder, parts = written
    shutil.copytree(folder, tmp_path / "many", copy_function=os.link)
    return Store(str(tmp_path / "many")), parts


@pytest.mark.parametrize("count", [1, PARTS_A_BLOCK + 1])
def test_blocks_hold_what_the_parts_hold(many, count):
    store, parts = many
    parts = parts[:count]
    blocks = compact(store, parts)
    assert len(blocks) == -(-count // PARTS_A_BLOCK)
    held, plain = read_block_measurements(store, blocks), read_measurements(store, parts)
    assert_frame_equal(held, plain, check_column_order=False)
    assert (
        read_sizes(store, blocks).traces.tolist()
        == plain["part"].value_counts(sort=False).sort("part")["count"].to_list()
    )
    assert {name for block in blocks for name in block.files} == {
        f"blocks/{name}" for name in contents(store, "blocks")
    }


def test_block_that_is_full_is_not_made_again_as_parts_follow(many):
    store, parts = many
    compact(store, parts[:-1])
    full = blocks_of(parts)[0].files
    before = {name: Path(store.path(name)).stat().st_ino for name in full}
    compact(store, parts)
    assert {name: Path(store.path(name)).stat().st_ino for name in full} == before
    assert len(contents(store, "blocks")) == 6  # what the open block held before is gone


def test_other_scores_make_other_measurements_and_leave_the_words(tmp_path):
    store = Store(str(tmp_path))
    part = write_part(store, 0)
    (first,) = compact(store, [part])
    check, path = next(iter(part.scores.items()))
    other = f"parts/other-1/{Path(path).name}"
    store.write_table(other, store.read_table(path))
    (second,) = compact(store, [replace(part, scores={**part.scores, check: other})])
    assert second.measured != first.measured
    assert (second.traces, second.questions) == (first.traces, first.questions)
    assert not store.exists(first.measured)


def test_killed_at_any_change_of_files_ends_at_the_same_dataset_and_parts(tmp_path):
    """Blocks are made and shards replaced from what a kill before the 1st, 2nd, … change of files leaves."""
    fresh, whole = Store(str(tmp_path / "fresh")), Store(str(tmp_path / "whole"))
    parts = [write_part(fresh, number) for number in range(2)]
    before = publish(fresh.url, parts[:1], BALANCED)
    kept = contents(fresh, "parts")
    shutil.copytree(fresh.url, whole.url)
    wanted = publish(whole.url, parts, STRICTER)
    assert wanted != before
    at_work = Path(shutil.copytree(fresh.url, tmp_path / "at work"))
    states = states_at_changes(at_work, tmp_path / "killed", publish, str(at_work), parts, STRICTER)
    for state in states:
        store = Store(str(state))
        if store.exists("dataset/.replacing"):  # files of one manifest lie beside those of another
            assert publish(shutil.copytree(state, f"{state} back"), parts[:1], BALANCED) == before
            assert contents(Store(f"{state} back"), "dataset/data") == contents(fresh, "dataset/data")
        with store.lock():
            assert publish(store.url, parts, STRICTER) == wanted
        assert contents(store, "parts") == kept
        assert contents(store, "blocks") == contents(whole, "blocks")
        assert contents(store, "dataset/data") == contents(whole, "dataset/data")
        assert not any(".tmp-" in name for name in contents(store, ""))
    assert len(states) > 20


def test_block_that_was_not_finished_is_made_again(tmp_path):
    store = Store(str(tmp_path))
    parts = [write_part(store, 0)]
    (block,) = compact(store, parts)
    plain = pl.read_parquet(store.path(block.questions))
    store.remove(block.questions)  # as if killed between the two files of words
    compact(store, parts)
    assert_frame_equal(pl.read_parquet(store.path(block.questions)), plain)
