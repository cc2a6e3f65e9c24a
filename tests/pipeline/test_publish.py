import hashlib
from pathlib import Path

import pytest

from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.disk.own_files import LISTING, PUBLISH, listing
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.publish.publish import FolderTarget, list_files, publish, tell_published
from reelproof.stages.policy import PolicyConfig
from tests.small_datasets import write_small_build


def content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != LISTING]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_published_folder_is_the_dataset(tmp_path):
    store = write_small_build(tmp_path / "build", PolicyConfig())
    published = publish(store, FolderTarget((tmp_path / "there").as_uri()))
    assert content(tmp_path / "there") == content(tmp_path / "build/dataset")
    assert published.sent[-1].name == "manifest.json"


def test_published_copy_is_published_on_as_it_is(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    publish(write_small_build(tmp_path / "build", PolicyConfig()), FolderTarget(str(first)))
    onwards = publish(Store(str(first)), FolderTarget(str(second)))
    assert {each.name for each in onwards.sent} == set(content(first))
    assert content(second) == content(first)


def test_only_what_changed_goes(tmp_path):
    store = write_small_build(tmp_path / "build", PolicyConfig())
    target = FolderTarget(str(tmp_path / "there"))
    publish(store, target)
    assert publish(store, target).sent == ()
    write_small_build(tmp_path / "build", PolicyConfig(min_grounded_share=0.9))
    larger = tmp_path / "there/data/sft/train-00001.parquet"
    larger.write_bytes(b"from a larger dataset that we published")
    names = {*content(tmp_path / "there"), "data/sft/train-00001.parquet"}
    (tmp_path / "there" / LISTING).write_bytes(listing(PUBLISH["dataset"], names))
    again = publish(store, target)
    assert "data/rl/train-00000.parquet" not in {each.name for each in again.sent}
    assert "data/sft/train-00000.parquet" in {each.name for each in again.sent}
    assert "data/sft/train-00001.parquet" in again.removed
    assert content(tmp_path / "there") == content(tmp_path / "build/dataset")


def test_dry_run_tells_and_does_nothing(tmp_path):
    store = write_small_build(tmp_path / "build", PolicyConfig())
    told = publish(store, FolderTarget(str(tmp_path / "there")), dry_run=True)
    assert not (tmp_path / "there").exists()
    lines = list(tell_published(told, dry_run=True))
    assert any(line.startswith("would send data/sft/train-00000.parquet") for line in lines)
    assert len(told.sent) == len(content(tmp_path / "build/dataset"))
    assert not [line for line in lines if "0.0 MB" in line]  # small files have a size as well


def test_hidden_files_and_strange_shards_stay_at_home(tmp_path):
    store = write_small_build(tmp_path, PolicyConfig())
    for name in (".replacing", ".cache/x", "data/sft/old.parquet"):
        store.write_bytes(f"dataset/{name}", b"x")
    names = {each.name for each in list_files(store)}
    assert not names & {".replacing", ".cache/x", "data/sft/old.parquet"}


def test_damaged_dataset_is_not_published(tmp_path):
    store = write_small_build(tmp_path, PolicyConfig())
    store.write_bytes("dataset/data/rl/train-00000.parquet", b"x")
    with pytest.raises(UsageError, match=r"1 shards are not what the manifest says, such as data/rl/train"):
        publish(store, FolderTarget(str(tmp_path / "there")))


@pytest.mark.parametrize("name", ["README.md", "croissant.json"])
def test_what_tells_of_other_shards_is_not_published(tmp_path, name):
    """A refilter that was killed between shards and card leaves such a folder."""
    store = write_small_build(tmp_path / "build", PolicyConfig())
    told = tmp_path / "build/dataset" / name
    here = open_dataset(store).contents.dataset_sha256
    said = (
        f"Data sha256 `{here}`" if name == "README.md" else f'{{"citeAs": "x, version 1.0.0, sha256 {here}"}}'
    )
    told.write_text(f"# Card\n\n{said}\n")
    publish(store, FolderTarget(str(tmp_path / "there")))
    told.write_text(told.read_text().replace(here, "0" * 64))
    with pytest.raises(UsageError, match=rf"{name} tell of other shards .* run `reelproof refilter`"):
        publish(store, FolderTarget(str(tmp_path / "there")))
    told.write_text("# A card of my own")
    publish(store, FolderTarget(str(tmp_path / "there")))


def test_target_that_loses_files_is_noticed(tmp_path):
    class Forgetful(FolderTarget):
        def read(self, name):
            return b"{}"

    store = write_small_build(tmp_path / "build", PolicyConfig())
    with pytest.raises(BuildFailed, match=r"does not give back the manifest\.json"):
        publish(store, Forgetful(str(tmp_path / "there")))


def test_send_that_broke_off_goes_on_where_it_was(tmp_path):
    class Failing(FolderTarget):
        def send(self, files, stale, own):
            super().send(files[:3], [], own)
            raise OSError("the line is down")

    store = write_small_build(tmp_path / "build", PolicyConfig())
    with pytest.raises(OSError, match="the line is down"):
        publish(store, Failing(str(tmp_path / "there")))
    assert not (tmp_path / "there/manifest.json").exists()
    again = publish(store, FolderTarget(str(tmp_path / "there")))
    assert (len(again.sent), again.unchanged) == (len(content(tmp_path / "build/dataset")) - 3, 3)
    assert content(tmp_path / "there") == content(tmp_path / "build/dataset")
