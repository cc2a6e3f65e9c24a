"""The main job as a user runs it: what a second command does again, and what it leaves alone."""

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.build import refilter
from tests.pipeline.conftest import SMALL, film, reelproof_here
from tests.server_builds import one_worker

pytestmark = pytest.mark.real


def shard_files(build: Path) -> dict[str, tuple[int, bytes]]:
    """Path in the dataset -> inode and bytes of every shard."""
    data = build / "dataset" / "data"
    return {
        str(each.relative_to(data)): (each.stat().st_ino, each.read_bytes())
        for each in data.rglob("*.parquet")
    }


def test_build_again_does_nothing(films, build_copy):
    before = shard_files(build_copy)
    again = reelproof_here("build", films, "--out", build_copy, *SMALL, "--json").summary
    assert (again["videos_decoded"], again["teacher_calls"], again["shards_written"]) == (0, 0, 0)
    assert shard_files(build_copy) == before


def test_refilter_writes_only_shards_whose_rows_changed(films, build_copy, tmp_path, ready):
    before = shard_files(build_copy)
    override = ("--set", "policy.min_thought_words=38")
    filtered = reelproof_here("refilter", build_copy, *override, "--json").summary
    after = shard_files(build_copy)
    assert (filtered["videos_decoded"], filtered["teacher_calls"]) == (0, 0)
    untouched = [name for name in before if after[name] == before[name]]
    assert len(untouched) == filtered["shards_unchanged"] > 0
    assert len(after) - len(untouched) == filtered["shards_written"] > 0
    assert all(after[name][1] != before[name][1] for name in set(before) - set(untouched))
    scratch = reelproof_here(
        "build", films, "--out", tmp_path / "scratch", *ready, *SMALL, *override, "--json"
    ).summary
    assert scratch["dataset_sha256"] == filtered["dataset_sha256"]
    version = json.loads((build_copy / "dataset" / "croissant.json").read_text())["version"]
    assert version == "2.0.0"  # rows that were published went
    back = reelproof_here("refilter", build_copy, "--set", "policy.min_thought_words=5", "--json").summary
    assert {name: content for name, (_, content) in shard_files(build_copy).items()} == {
        name: content for name, (_, content) in before.items()
    }
    assert back["dataset_sha256"] != filtered["dataset_sha256"]


def test_card_has_plots_where_they_are_wanted(build_copy):
    readme, plots = build_copy / "dataset" / "README.md", build_copy / "dataset" / "plots"
    assert "](plots/" not in readme.read_text()
    assert not plots.exists()
    assert reelproof_here("refilter", build_copy, "--set", "card.plots=true").code == 0
    assert readme.read_text().count("](plots/") == len(list(plots.glob("*.png"))) > 3


def test_added_videos_alone_are_decoded_and_asked_about(films_copy, build_copy, ready):
    films = films_copy()
    calls_before = len(logged_ids(build_copy))
    film(films, 10)
    film(films, 11)
    grown = reelproof_here("build", films, "--out", build_copy, *ready, *SMALL, "--json").summary
    assert grown["videos_decoded"] == 2
    assert grown["completions_reused"] == 0
    assert len(logged_ids(build_copy)) == calls_before + grown["teacher_calls"]


def logged_ids(build: Path) -> list[str]:
    """Request ids in the completions logs, as often as they stand there."""
    lines = [
        line for log in (build / "completions").rglob("*.jsonl") for line in log.read_text().splitlines()
    ]
    return [line.split('"')[3] for line in lines]


def test_scene_threshold_asks_only_about_clips_that_changed(films, build_copy, ready):
    known = set(logged_ids(build_copy))
    changed = reelproof_here(
        "build",
        films,
        "--out",
        build_copy,
        *ready,
        *SMALL,
        "--set",
        "storyboard.keyframe_every_s=0.9",
        "--json",
    ).summary
    assert changed["videos_decoded"] == 0
    ids = logged_ids(build_copy)
    assert len(ids) == len(set(ids)) == len(known) + changed["teacher_calls"]
    assert changed["completions_reused"] > 0


def test_more_rollouts_ask_only_for_the_further_ones(films, build_copy, ready):
    known = logged_ids(build_copy)
    more = reelproof_here(
        "build", films, "--out", build_copy, *ready, *SMALL, "--set", "rollouts.rollouts=5", "--json"
    ).summary
    assert more["videos_decoded"] == 0
    ids = logged_ids(build_copy)
    assert len(ids) == len(set(ids)) == len(known) + more["teacher_calls"]
    questions = {row["question_id"] for row in published_rows(build_copy)}
    assert more["completions_reused"] >= 4 * len(questions)
    assert len(questions) <= more["teacher_calls"] < 2 * len(questions)


def test_number_of_workers_does_not_change_the_dataset(films, built, tmp_path):
    with one_worker() as scheduler:
        one = reelproof_here(
            "build", films, "--out", tmp_path / "one", *SMALL, "--scheduler", scheduler, "--json"
        ).summary
    again = reelproof_here("refilter", shutil.copytree(built, tmp_path / "two"), "--json").summary
    assert one["dataset_sha256"] == again["dataset_sha256"]


def test_replaced_video_is_a_new_one_and_the_old_rows_go(tmp_path, ready):
    films, out = tmp_path / "films", tmp_path / "replaced"
    films.mkdir()
    for number in range(3):
        film(films, number)
    reelproof_here("build", films, "--out", out, *ready, *SMALL)
    film(films, 20).replace(films / "film 0.mp4")
    second = reelproof_here("build", films, "--out", out, *ready, *SMALL, "--json")
    assert "film 0.mp4 was replaced" in second.err
    assert (second.summary["videos"], second.summary["videos_decoded"]) == (3, 1)
    there = {hashlib.sha256(path.read_bytes()).hexdigest() for path in films.iterdir()}
    assert {row["video_id"] for row in published_rows(out)} == there


def published_rows(build: Path) -> list[dict[str, str]]:
    """`video_id` and `question_id` of every row in `sft` and `rejected`."""
    files = (path for path in (build / "dataset" / "data").rglob("*.parquet") if path.parent.name != "rl")
    tables = [pq.read_table(path, columns=["video_id", "question_id"], partitioning=None) for path in files]
    return [row for table in tables for row in table.to_pylist()]


def test_licence_stated_later_is_published_without_any_other_work(films, build_copy, ready):
    named = reelproof_here(
        "build", films, "--out", build_copy, *ready, *SMALL, "--set", "sources.license=CC-BY-4.0", "--json"
    ).summary
    assert (named["videos_decoded"], named["teacher_calls"]) == (0, 0)
    files = (build_copy / "dataset" / "data").rglob("*.parquet")
    tables = [pq.read_table(path, columns=["license"], partitioning=None) for path in files]
    assert {row["license"] for table in tables for row in table.to_pylist()} == {"CC-BY-4.0"}
    assert "license: cc-by-4.0" in (build_copy / "dataset" / "README.md").read_text()


def test_shards_that_workers_write_are_those_that_one_process_writes(built, build_copy):
    shutil.rmtree(build_copy / "dataset")
    summary, _ = refilter(str(build_copy), [])
    assert summary.shards_written >= 6
    assert summary.dataset_sha256 == json.loads((built / "run.json").read_text())["dataset_sha256"]
