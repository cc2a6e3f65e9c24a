import json

import fsspec
import pytest

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.errors import UsageError
from reelproof.schemas.manifest import FORMAT
from reelproof.schemas.published import DatasetError, open_folder
from tests.published import publish

ROWS = 10


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("build") / "dataset", ROWS).parent


def ids(dataset, *configs, **which):
    shards = dataset.contents.shards_of(*configs, **which)
    return dataset.columns(shards, ["sample_id"])["sample_id"].to_pylist()


def test_dataset_is_found_in_a_build_and_in_its_own_folder(build):
    of_build, own = open_folder(build), open_folder(build / "dataset")
    assert (of_build.folder, own.folder) == ("dataset", ".")
    assert of_build.contents == own.contents
    assert ids(of_build, "sft") == ids(own, "sft") == [f"{number:032x}" for number in range(ROWS)]
    assert ids(own, "rl", split="test") == [f"{ROWS - 1:032x}"]
    assert own.contents.configs == ("dpo", "rl", "sft")


def test_dataset_in_any_store_is_read_as_on_this_machine(build):
    memory = fsspec.filesystem("memory")
    memory.put(str(build), "/published-elsewhere", recursive=True)
    there, here = open_dataset(Store("memory://published-elsewhere")), open_folder(build)
    for shard in here.contents.shards:
        there.check(shard)
        assert list(there.rows(shard)) == list(here.rows(shard))
        assert there.schema(shard) == here.schema(shard)
        columns = ["task", "answer"]
        assert there.scan(shard, columns).collect().equals(here.scan(shard, columns).collect())
    memory.rm("/published-elsewhere", recursive=True)


def test_rows_have_the_columns_that_are_asked_for_and_held(build):
    dataset = open_folder(build)
    (shard,) = dataset.contents.shards_of("rl", split="test")
    (row,) = dataset.rows(shard, ("answer", "thought"))
    assert set(row) == {"answer"}  # `rl` holds no thoughts
    (rest,) = dataset.rows(shard, without=("images", "answer"))
    assert {"prompt", "task"} <= set(rest)
    assert not {"images", "answer"} & set(rest)


def changed(build, tmp_path, **said):
    folder = tmp_path / "changed"
    folder.mkdir()
    manifest = json.loads((build / "dataset/manifest.json").read_text()) | said
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_rows_of_another_version_are_read_and_its_settings_are_told_as_they_are(build, tmp_path):
    folder = changed(build, tmp_path, policy={"name": "old", "max_luck": 0.3}, facts={"machine": "x"})
    (folder / "data").symlink_to(build / "dataset/data")
    dataset = open_folder(folder)
    assert dataset.contents.policy == {"name": "old", "max_luck": 0.3}
    assert len(ids(dataset, "sft")) == ROWS
    with pytest.raises(DatasetError, match=r"of another version of reelproof .*refilter first"):
        dataset.manifest()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"format": FORMAT + 1},
            f"has format {FORMAT + 1}, this version .* reads {FORMAT}: update",
        ),
        ({"format": "new"}, "not a manifest of reelproof's"),
        ({"files": [{"path": "../elsewhere.parquet"}]}, r"not a manifest of reelproof's \(path: "),
        ({"files": 3}, "not a manifest of reelproof's"),
        ({"policy": "balanced"}, "not a manifest of reelproof's"),
    ],
)
def test_manifest_that_cannot_be_read_is_refused_with_the_reason(build, tmp_path, said, message):
    with pytest.raises(DatasetError, match=message):
        open_folder(changed(build, tmp_path, **said))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\ufeff{", '{"format": 1, "files": []}'])
def test_file_that_is_no_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match=r"manifest\.json is not a manifest of reelproof's"):
        open_folder(tmp_path)


def test_folder_without_a_manifest_is_bad_usage(tmp_path):
    with pytest.raises(UsageError, match=r"no dataset \(no manifest\.json there\)"):
        open_folder(tmp_path)
    with pytest.raises(DatasetError, match="nothing holds no dataset"):
        open_folder(tmp_path / "nothing")


def test_shard_that_is_gone_or_changed_is_told_apart(tmp_path):
    dataset = open_folder(publish(tmp_path / "dataset", ROWS))
    first, second, *_ = dataset.contents.shards_of("sft")
    (tmp_path / "dataset" / first.path).unlink()
    (tmp_path / "dataset" / second.path).write_bytes(b"x" * second.size_bytes)
    with pytest.raises(DatasetError, match=f"{first.path} is named by the manifest but missing"):
        dataset.check(first)
    with pytest.raises(DatasetError, match=f"{second.path} has sha256 .* changed or damaged"):
        dataset.check(second)
