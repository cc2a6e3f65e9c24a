"""Commands are pointed at folders and repositories of others: what lies there is as it was afterwards."""

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.disk.own_files import LISTING
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.export.export import export
from reelproof.pipeline.export.layouts import LAYOUTS
from reelproof.pipeline.publish.hub import HubTarget
from reelproof.pipeline.publish.publish import FolderTarget, publish
from reelproof.pipeline.report.rows import CONFIGS
from reelproof.pipeline.report.static import ReportConfig, write_report
from reelproof.schemas.policy import PolicyConfig
from reelproof.training.preflight import SetupError
from reelproof.training.runs import RunFolder
from tests.hub_stand_in import Held, HubStandIn, Repository
from tests.pipeline.conftest import reelproof_here
from tests.published import publish as write_published
from tests.reports import small_dataset
from tests.small_datasets import write_small_build

COMMAND = Path(sys.executable).with_name("reelproof")
TOKEN = "hf_attacks"
FOREIGN: dict[str, dict[str, bytes]] = {
    "a dataset of others": {"README.md": b"mine", "data/sft/train-00000.parquet": b"mine"},
    "frames of others": {"examples/a.jpg": b"mine", "plots/b.png": b"mine"},
    "another manifest": {"manifest.json": b'{"files": []}', "data/rl/x.parquet": b"mine"},
    "a list of others": {LISTING: b'["data/sft/x.parquet"]', "data/sft/x.parquet": b"mine"},
    "pages of others": {"index.html": b"mine", "my-rl-notes-1.html": b"mine", "sft-1.html": b"mine"},
    "a run of others": {"checkpoints/epoch-1/w.bin": b"mine", "a.jsonl": b"mine", "model/config.json": b""},
    "another run.json": {"run.json": b"[1, 2]", "metrics.jsonl": b"mine"},
    "a recipe": {"recipe.yaml": b"# by hand\nsources: {videos: films}\n"},
}


def planted(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_small_build(tmp_path_factory.mktemp("build"), PolicyConfig())


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_dataset(tmp_path_factory.mktemp("report"))


WRITERS: dict[str, Callable[[Store, Store, Path], object]] = {
    "publish": lambda build, report, folder: publish(build, FolderTarget(str(folder))),
    "browse --static": lambda build, report, folder: write_report(report, folder, ReportConfig()),
    "train": lambda build, report, folder: RunFolder(folder, {"seed": 1}),
    "build": lambda build, report, folder: Store(str(folder)).claim(),
}


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("command", WRITERS)
def test_folder_of_others_is_refused_and_untouched(command, foreign, build, report, tmp_path):
    folder = planted(tmp_path / "theirs", FOREIGN[foreign])
    with pytest.raises((UsageError, SetupError), match=r"theirs"):
        WRITERS[command](build, report, folder)
    assert held(folder) == FOREIGN[foreign]


@pytest.mark.parametrize(
    ("first", "second"), [pair for pair in itertools.permutations(WRITERS, 2) if pair[0] != "build"]
)
def test_folder_of_another_command_is_refused_and_untouched(first, second, build, report, tmp_path):
    folder = tmp_path / "results"
    WRITERS[first](build, report, folder)
    before = held(folder)
    with pytest.raises((UsageError, SetupError), match=r"results"):
        WRITERS[second](build, report, folder)
    assert held(folder) == before


@pytest.mark.parametrize("command", WRITERS)
def test_empty_folder_and_the_same_one_again_are_taken(command, build, report, tmp_path):
    (tmp_path / "new").mkdir()
    for _ in range(2):
        WRITERS[command](build, report, tmp_path / "new")
    assert held(tmp_path / "new")


def test_into_used_leaves_what_it_does_not_write(build, tmp_path):
    theirs = {"notes.md": b"mine", "data/sft/old.parquet": b"mine", "examples/z.jpg": b"mine"}
    folder = planted(tmp_path, theirs)
    published = publish(build, FolderTarget(str(folder)), into_used=True)
    assert published.removed == ()
    assert theirs.items() <= held(folder).items()
    assert publish(build, FolderTarget(str(folder))).sent == ()  # ours from now on


def test_person_adds_files_to_our_folders_and_keeps_them(build, report, tmp_path):
    publish(build, FolderTarget(str(tmp_path / "data")))
    planted(tmp_path / "data", {"data/sft/mine.parquet": b"mine", "plots/mine.png": b"mine"})
    assert publish(build, FolderTarget(str(tmp_path / "data"))).removed == ()
    write_report(report, tmp_path / "pages", ReportConfig(rows_a_page=5))
    planted(tmp_path / "pages", {"my-sft-1.html": b"mine"})
    before = held(tmp_path / "pages")
    write_report(report, tmp_path / "pages", ReportConfig(rows_a_page=500))  # fewer lists
    after = held(tmp_path / "pages")
    assert after["my-sft-1.html"] == b"mine"
    later = re.compile(rf"({'|'.join(CONFIGS)})-([2-9]|\d\d+)\.html")
    assert before.keys() - after.keys() == {name for name in before if later.fullmatch(name)} != set()


@pytest.mark.parametrize("foreign", [name for name in FOREIGN if name != "a recipe"])
def test_repository_of_others_is_refused_and_untouched(foreign, build, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with HubStandIn(TOKEN) as hub:
        hub.repositories["me/theirs"] = Repository(private=True)
        for name, content in FOREIGN[foreign].items():
            hub.repositories["me/theirs"].files[name] = Held(len(content), "0" * 40, None, content)
        before = hub.content("me/theirs")
        with pytest.raises(UsageError, match="me/theirs holds"):
            publish(build, HubTarget("me/theirs", endpoint=hub.url))
        assert hub.content("me/theirs") == before
        assert hub.repositories["me/theirs"].commits == 0


def test_name_of_a_folder_here_is_that_folder(build, tmp_path):
    (tmp_path / "me" / "published").mkdir(parents=True)
    ran = subprocess.run(
        [COMMAND, "publish", build.url, "me/published"],
        cwd=tmp_path,
        env=os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "manifest.json" in held(tmp_path / "me" / "published")


def test_bare_name_is_refused_before_the_hub_is_asked(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = reelproof_here("publish", build.url, "here")
    assert (ran.code, list(tmp_path.iterdir())) == (2, [])
    assert "say ./here for one, or user/name" in ran.err


OUTSIDE = (
    "../../../escaped",
    "/../../escaped",
    "a/../../../../escaped",
    "..",
    "a\\..\\b",
    "x" * 300,
    "",
    "é",
)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A dataset whose column holds this name and nothing else, made once."""
    return cache(lambda name, column: write_named(tmp_path_factory.mktemp("named"), name, column))


def write_named(folder: Path, name: str, column: str) -> Path:
    dataset = write_published(folder / "dataset", rows=4)
    for path in dataset.glob("data/*/*.parquet"):
        table = pq.read_table(path)
        kind = table.schema.field(column).type
        rows = table[column].to_pylist()
        bad = [[name] * len(row) for row in rows] if pa.types.is_list(kind) else [name] * len(rows)
        place = table.schema.get_field_index(column)
        pq.write_table(table.set_column(place, column, pa.array(bad, kind)), path)
    manifest = dataset / "manifest.json"
    text = manifest.read_text()
    for path in dataset.glob("data/*/*.parquet"):
        text = resigned(text, path, dataset)
    manifest.write_text(text)
    return dataset


@pytest.mark.parametrize("column", ["sample_id", "frame_sha256"])
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_of_a_foreign_dataset_never_lead_outside(layout, name, column, named, tmp_path):
    (tmp_path / "deep/er").mkdir(parents=True)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(UsageError, match="id or frame hash is"):
        export(named(name, column), tmp_path / "deep/er/out", layout)
    assert {*tmp_path.rglob("*")} == before


def resigned(manifest: str, path: Path, dataset: Path) -> str:
    """The manifest as whoever changed the shard would write it."""
    told = json.loads(manifest)
    for entry in told["files"]:
        if entry["path"] == path.relative_to(dataset).as_posix():
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry["size_bytes"] = path.stat().st_size
    return json.dumps(told)


@pytest.mark.parametrize(
    "path", ["../x.parquet", "/etc/passwd", "data/../../x", "data//x", ".hidden", "a\\b"]
)
def test_manifest_that_names_files_outside_is_refused(path, tmp_path):
    dataset = write_published(tmp_path / "dataset", rows=4)
    text = (
        (dataset / "manifest.json")
        .read_text()
        .replace("data/sft/train-00000.parquet", path.replace("\\", "\\\\"))
    )
    (dataset / "manifest.json").write_text(text)
    with pytest.raises(UsageError, match=r"manifest\.json"):
        export(dataset, tmp_path / "out", "trl")
    assert not (tmp_path / "out").exists()
