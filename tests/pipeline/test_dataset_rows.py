import json
import os
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.inputs.dataset_rows import is_manifest, read_rows
from tests.hub_stand_in import Held, HubStandIn, Repository, blob_id
from tests.pipeline.conftest import COMMAND, reelproof_here

CARD = """---
configs:
- config_name: easy
  data_files:
  - {split: train, path: "data/tr*.jsonl"}
  - {split: test, path: data/te.jsonl}
- config_name: hard
  data_files: data/te.jsonl
---
"""


def asked(number):
    row = {"video": f"videos/{number}.mp4", "question": f"What moves in part {number}?"}
    return row | {"options": ["a dog", "a bus"], "answer": "AB"[number % 2]}


def files():
    rows = {"tr1": asked(1), "tr2": asked(2), "te": asked(3)}
    lines = {f"data/{name}.jsonl": (json.dumps(row) + "\n").encode() for name, row in rows.items()}
    return {"README.md": CARD.encode(), **lines}


@pytest.fixture
def folder(tmp_path):
    for name, content in files().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_split_of_one_file_is_that_file_and_of_several_their_rows_in_order(folder):
    one, several = (read_rows(str(folder), "easy", split) for split in ("test", "train"))
    assert (one.url, one.content) == (f"{folder}/data/te.jsonl", files()["data/te.jsonl"])
    assert [json.loads(line) for line in several.content.splitlines()] == [asked(1), asked(2)]
    assert {one.root, several.root} == {str(folder)}, "paths start where the dataset does"
    assert read_rows(str(folder), "hard").content == one.content, (
        "a subset with one split needs no name of it"
    )


def test_bytes_in_a_row_are_left_out_where_files_are_joined(tmp_path):
    for number in (1, 2):
        row = asked(number) | {"thumbnail": b"\xff\xd8", "frames": [{"bytes": b"\xff"}]}
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / f"train-0000{number}.parquet")
    lines = read_rows(str(tmp_path)).content.splitlines()
    assert [json.loads(line) for line in lines] == [asked(number) | {"frames": [{}]} for number in (1, 2)]


@pytest.mark.parametrize(
    ("subset", "split", "told"),
    [
        (None, None, "several subsets; name one with sources.subset: easy, hard"),
        ("easy", None, "several splits; name one with sources.split: train, test"),
        ("easier", None, "no subset 'easier'; name one with sources.subset: easy, hard"),
        ("easy", "dev", "no split 'dev'; name one with sources.split: train, test"),
    ],
)
def test_what_there_is_to_choose_from_is_told(subset, split, told, folder):
    with pytest.raises(ValueError, match=told):
        read_rows(str(folder), subset, split)


def test_dataset_of_films_has_no_rows_to_read(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"film")
    with pytest.raises(ValueError, match=r"files such as .*film.mp4; what can be read ends in"):
        read_rows(str(tmp_path))


def test_rows_that_were_published_are_no_questions_about_a_film(tmp_path):
    columns = ("sample_id", "question_id", "frame_sha256", "frame_source_times_s")
    row = asked(1) | dict.fromkeys(columns, "x")
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    ran = reelproof_here("audit", tmp_path / "rows.jsonl", "--text-only")
    assert (ran.code, "holds rows that reelproof published" in ran.err) == (2, True)


def test_address_of_a_dataset_is_a_manifest_and_of_a_folder_in_it_is_not():
    assert is_manifest("hf://datasets/me/set")
    assert is_manifest("hf://datasets/me/set@v1")
    assert not is_manifest("hf://datasets/me/set/videos")


def test_audit_reads_a_folder_and_the_hub_alike(folder, tmp_path_factory):
    words = ("--text-only", "--json", "--set", "sources.subset=easy", "--set", "sources.split=train")
    here = reelproof_here("audit", folder, *words).summary
    assert here["rows"] == 2
    with HubStandIn("none") as hub:
        held = {name: Held(len(data), blob_id(data), None, data) for name, data in files().items()}
        hub.repositories["me/set"] = Repository(private=False, files=held)
        home = str(tmp_path_factory.mktemp("home"))
        ran = subprocess.run(
            [COMMAND, "audit", "hf://datasets/me/set", *words],
            env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["rows"] == 2
