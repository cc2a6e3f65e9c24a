import hashlib
from pathlib import Path

import pytest

from pipeline.card import CardConfig, write_card
from pipeline.errors import BuildFailed, UsageError
from pipeline.part_files import read_measurements
from pipeline.publish import FolderTarget, list_files, publish, tell_published
from pipeline.shards import ShardsConfig, write_dataset
from pipeline.store import Store
from schemas.manifest import BuildFacts
from stages.policy import PolicyConfig, decide
from tests.small_parts import write_part


def build(folder: Path, policy: PolicyConfig) -> Store:
    store = Store(str(folder))
    parts = [write_part(store, number) for number in range(2)]
    measured = read_measurements(store, parts)
    verdicts = decide(measured, policy)
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    return store


def content(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_published_folder_is_the_dataset(tmp_path):
    store = build(tmp_path / "build", PolicyConfig())
    published = publish(store, FolderTarget((tmp_path / "there").as_uri()))
    assert content(tmp_path / "there") == content(tmp_path / "build/dataset")
    assert published.sent[-1].name == "manifest.json"


def test_only_what_changed_goes(tmp_path):
    store = build(tmp_path / "build", PolicyConfig())
    target = FolderTarget(str(tmp_path / "there"))
    publish(store, target)
    assert publish(store, target).sent == ()
    build(tmp_path / "build", PolicyConfig(min_grounded_share=0.9))
    (tmp_path / "there/data/sft/train-00000-of-00002.parquet").write_bytes(b"from a larger dataset")
    again = publish(store, target)
    assert "data/rl/train-00000-of-00001.parquet" not in {each.name for each in again.sent}
    assert "data/sft/train-00000-of-00001.parquet" in {each.name for each in again.sent}
    assert "data/sft/train-00000-of-00002.parquet" in again.removed
    assert content(tmp_path / "there") == content(tmp_path / "build/dataset")


def test_dry_run_tells_and_does_nothing(tmp_path):
    store = build(tmp_path / "build", PolicyConfig())
    told = publish(store, FolderTarget(str(tmp_path / "there")), dry_run=True)
    assert not (tmp_path / "there").exists()
    lines = list(tell_published(told, dry_run=True))
    assert any(line.startswith("would send data/sft/train-00000-of-00001.parquet") for line in lines)
    assert len(told.sent) == len(content(tmp_path / "build/dataset"))


def test_hidden_files_and_strange_shards_stay_at_home(tmp_path):
    store = build(tmp_path, PolicyConfig())
    for name in (".replacing", ".cache/x", "data/sft/old.parquet"):
        store.write_bytes(f"dataset/{name}", b"x")
    names = {each.name for each in list_files(store)}
    assert not names & {".replacing", ".cache/x", "data/sft/old.parquet"}


def test_damaged_dataset_is_not_published(tmp_path):
    store = build(tmp_path, PolicyConfig())
    store.write_bytes("dataset/data/rl/train-00000-of-00001.parquet", b"x")
    with pytest.raises(UsageError, match=r"1 shards are not what the manifest says, such as data/rl/train"):
        publish(store, FolderTarget(str(tmp_path / "there")))


def test_target_that_loses_files_is_noticed(tmp_path):
    class Forgetful(FolderTarget):
        def read(self, name):
            return b"{}"

    store = build(tmp_path / "build", PolicyConfig())
    with pytest.raises(BuildFailed, match="does not give back the manifest"):
        publish(store, Forgetful(str(tmp_path / "there")))
