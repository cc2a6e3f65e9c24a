import hashlib
import os
import subprocess
import threading
from pathlib import Path

import pytest

from reelproof.pipeline.disk.own_files import LISTING, PUBLISH, listing
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.publish.hub import HubTarget
from reelproof.pipeline.publish.publish import publish
from reelproof.stages.policy import PolicyConfig
from tests.hub_stand_in import Answer, Held, HubStandIn
from tests.pipeline.conftest import COMMAND
from tests.small_datasets import write_small_build

TOKEN = "hf_notARealToken"
NAME = "me/small"
STRICTER = PolicyConfig(min_grounded_share=0.9)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Not to be changed."""
    return write_small_build(tmp_path_factory.mktemp("built") / "build", PolicyConfig())


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with HubStandIn(TOKEN) as hub:
        yield hub


def environment(hub: HubStandIn, home: Path, **more: str) -> dict[str, str]:
    return os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(home)} | more


def on_hub(hub: HubStandIn) -> dict[str, str]:
    """What was published there, without the list of it."""
    return {name: sha256 for name, sha256 in hub.content(NAME).items() if name != LISTING}


def content(store: Store) -> dict[str, str]:
    root = Path(store.path("dataset"))
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_dataset_arrives_whole_in_one_commit_and_private(store, hub):
    published = publish(store, HubTarget(NAME, endpoint=hub.url))
    assert on_hub(hub) == content(store)
    assert len(published.sent) == len(content(store))
    assert (hub.repositories[NAME].private, hub.repositories[NAME].commits) == (True, 1)


def test_only_what_changed_goes_and_what_went_is_removed(hub, tmp_path):
    store = write_small_build(tmp_path / "build", PolicyConfig())
    publish(store, HubTarget(NAME, endpoint=hub.url))
    uploads = hub.seen["PUT lfs"]
    before = content(store)
    assert publish(store, HubTarget(NAME, endpoint=hub.url)).sent == ()
    assert (hub.seen["PUT lfs"], hub.repositories[NAME].commits) == (uploads, 1)
    write_small_build(tmp_path / "build", STRICTER)
    held = hub.repositories[NAME].files
    larger = "data/sft/train-00001.parquet"
    held[larger] = held["data/sft/train-00000.parquet"]
    listed = listing(PUBLISH["dataset"], {*before, larger})
    held[LISTING] = Held(len(listed), "0" * 40, None, listed)
    held["notes.md"] = held["manifest.json"]
    again = publish(store, HubTarget(NAME, endpoint=hub.url))
    changed = {name for name, sha256 in content(store).items() if before.get(name) != sha256}
    assert {each.name for each in again.sent} == changed & set(content(store))
    assert not any(name.startswith("data/rl/") for name in changed)
    assert larger in again.removed
    assert hub.seen["PUT lfs"] - uploads == sum(name.endswith((".parquet", ".jpg")) for name in changed)
    theirs = on_hub(hub)
    assert theirs.pop("notes.md")  # a person put it there
    assert theirs == content(store)


def test_dry_run_changes_nothing_on_the_hub(store, hub):
    told = publish(store, HubTarget(NAME, endpoint=hub.url), dry_run=True)
    assert {each.name for each in told.sent} == set(content(store))
    assert hub.repositories == hub.objects == {}
    publish(store, HubTarget(NAME, endpoint=hub.url))
    assert publish(store, HubTarget(NAME, endpoint=hub.url), dry_run=True).sent == ()


def test_public_dataset_is_not_taken_for_a_private_one(store, hub):
    publish(store, HubTarget(NAME, public=True, endpoint=hub.url))
    assert not hub.repositories[NAME].private
    with pytest.raises(UsageError, match="me/small is there already, and public; say --public"):
        publish(store, HubTarget(NAME, endpoint=hub.url))


def test_commit_that_fails_leaves_uploads_that_the_next_try_uses(store, hub):
    hub.fault = lambda line: Answer(500, {"error": "down"}) if "/commit/" in line else None
    with pytest.raises(BuildFailed, match=r"down.*publish again: what has arrived is not sent twice"):
        publish(store, HubTarget(NAME, endpoint=hub.url))
    assert on_hub(hub) == {}
    uploads, hub.fault = hub.seen["PUT lfs"], lambda line: None
    publish(store, HubTarget(NAME, endpoint=hub.url))
    assert on_hub(hub) == content(store)
    assert hub.seen["PUT lfs"] == uploads > 0


def test_manifest_that_comes_back_otherwise_is_noticed(store, hub):
    hub.fault = lambda line: (
        Answer(200, b"{}", (("ETag", '"x"'), ("X-Repo-Commit", "0" * 40))) if "/resolve/" in line else None
    )
    with pytest.raises(BuildFailed, match=r"does not give back the manifest\.json"):
        publish(store, HubTarget(NAME, endpoint=hub.url))


@pytest.mark.parametrize(
    ("name", "token", "message"),
    [
        (
            NAME,
            "hf_another",
            r"write to me/small .*folder would be \./me/small.* HF_TOKEN to a token that",
        ),
        ("me/small/data", TOKEN, "'me/small/data' is no name on the Hub"),
        ("me/sm all", TOKEN, "'me/sm all' is no name on the Hub"),
    ],
)
def test_what_the_hub_refuses_is_said_without_the_token(name, token, message, store, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UsageError, match=message) as refused:
        publish(store, HubTarget(name, endpoint=hub.url))
    assert token not in str(refused.value)


def test_hub_that_is_not_there_is_said_without_the_token(store, hub, monkeypatch):
    with pytest.raises(BuildFailed, match=r"did not take or give me/small \(a folder would be \./me/small\)"):
        publish(store, HubTarget(NAME, endpoint="http://127.0.0.1:9"))
    monkeypatch.setenv("HF_TOKEN", "hf_\x7fnot\x01AHeader")
    with pytest.raises((BuildFailed, UsageError)) as refused:
        publish(store, HubTarget(NAME, endpoint=hub.url))
    assert "AHeader" not in str(refused.value)


def test_command_that_was_killed_goes_on_where_it_was(store, tmp_path):
    stalled, dead = threading.Event(), threading.Event()

    def stall(line: str) -> Answer | None:
        """Once an upload has arrived, the others wait until the command is dead."""
        if not line.startswith("PUT") or not hub.objects:
            return None
        stalled.set()
        dead.wait(300)
        return Answer(503)

    with HubStandIn(TOKEN, fault=stall) as hub:
        variables = environment(hub, tmp_path / "home", HF_HUB_DISABLE_XET="1")
        command = [COMMAND, "publish", store.url, NAME]
        with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as killed:
            assert stalled.wait(300)
            killed.kill()
        arrived, sent = set(hub.objects), []
        hub.fault = sent.append
        dead.set()
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=True)
        assert on_hub(hub) == content(store)
    again = {line.rpartition("/")[2] for line in sent if line.startswith("PUT")}
    assert arrived
    assert again
    assert not arrived & again
    assert done.stdout.splitlines()[-1].startswith(f"{len(content(store))} files")
    assert done.stderr == ""
    assert TOKEN not in done.stdout


def test_command_sends_by_xet_what_its_storage_gives_back(store, tmp_path, monkeypatch):
    hf_xet = pytest.importorskip("hf_xet", reason="comes with huggingface_hub on common processors")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with HubStandIn(TOKEN, xet=tmp_path / "storage") as hub:
        ran = subprocess.run(
            [COMMAND, "publish", store.url, NAME],
            env=environment(hub, tmp_path / "home", HF_DEBUG="1"),
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        assert on_hub(hub) == content(store)
        assert hub.seen["GET xet-write-token"] > 0 == hub.seen["PUT lfs"]
    assert TOKEN not in ran.stdout + ran.stderr
    shards = sorted(Path(store.path("dataset")).rglob("*.parquet"))
    with hf_xet.XetSession().new_file_download_group(endpoint=f"local://{tmp_path / 'storage'}") as group:
        for each in hf_xet.hash_files([str(path) for path in shards]):
            group.start_download_file(
                hf_xet.XetFileInfo(each.hash, each.file_size), str(tmp_path / each.hash)
            )
    for path, each in zip(shards, hf_xet.hash_files([str(path) for path in shards]), strict=True):
        assert (tmp_path / each.hash).read_bytes() == path.read_bytes()
