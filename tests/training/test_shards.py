import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.schemas.published import DatasetError
from reelproof.schemas.sample import SftSample
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.shards import open_shards, read_rows, stream_epoch, stream_examples, stream_in_order
from tests.tiny_training import sft_row, write_dataset, write_sft


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_sft(tmp_path_factory.mktemp("data"), 23)


def ids(examples):
    return [example.sample_id for example in examples]


def test_epoch_holds_every_row_once_and_each_in_its_own_order(dataset):
    cfg = ShardsConfig(seed=3, window_groups=2)
    shards = open_shards(dataset, cfg)
    first, second = (ids(stream_epoch(shards, cfg, epoch)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == [f"s{number:04d}" for number in range(23)]
    assert first != second
    assert first == ids(stream_epoch(shards, cfg, 0))
    assert first != ids(stream_epoch(shards, cfg.model_copy(update={"seed": 4}), 0))


@settings(max_examples=15, deadline=None)
@given(start=st.integers(0, 60), window=st.integers(1, 4))
def test_stream_resumed_anywhere_goes_on_as_if_never_stopped(dataset, start, window):
    cfg = ShardsConfig(seed=1, window_groups=window)
    shards = open_shards(dataset, cfg)
    whole = ids(itertools.islice(stream_examples(shards, cfg), start + 5))
    assert ids(itertools.islice(stream_examples(shards, cfg, start), 5)) == whole[start:]


def test_rows_are_found_by_their_place(dataset):
    shards = open_shards(dataset, ShardsConfig())
    in_order = ids(stream_in_order(shards))
    assert ids(read_rows(shards, [20, 0, 7])) == [in_order[20], in_order[0], in_order[7]]


def test_example_holds_the_row_as_published(dataset):
    cfg = ShardsConfig()
    example = next(each for each in stream_in_order(open_shards(dataset, cfg)) if each.sample_id == "s0005")
    row = sft_row(5)
    assert example.images == tuple(image.bytes for image in row.images)
    assert (example.prompt, example.completion) == (row.prompt, row.completion)
    assert (example.answer, example.options, example.task) == (row.answer, row.options, row.task)


def test_changed_shard_is_refused(tmp_path):
    dataset = write_sft(tmp_path)
    file = next(tmp_path.glob("data/sft/*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    with pytest.raises(DatasetError, match=r"the manifest says .* changed or damaged"):
        open_shards(dataset, ShardsConfig())


def test_missing_shard_missing_manifest_and_empty_split_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"no manifest\.json"):
        open_shards(tmp_path, ShardsConfig())
    dataset = write_dataset(tmp_path / "empty", "sft", [], SftSample)
    with pytest.raises(DatasetError, match="no rows in subset sft, split train"):
        open_shards(dataset, ShardsConfig())
    whole = write_sft(tmp_path / "whole")
    with pytest.raises(DatasetError, match=r"no rows in subset rl.*it has some in sft train\. Choose one"):
        open_shards(whole, ShardsConfig(subset="rl"))
    next(whole.glob("data/sft/*.parquet")).unlink()
    with pytest.raises(DatasetError, match="missing"):
        open_shards(whole, ShardsConfig())


def test_only_files_that_the_manifest_names_are_read(dataset, tmp_path):
    shards = open_shards(dataset, ShardsConfig())
    assert shards.rows == 23
    assert json.loads(shards.policy)["name"] == "test"
