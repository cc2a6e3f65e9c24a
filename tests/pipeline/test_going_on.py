"""What a build says to the person who runs it again, elsewhere, or stops it."""

import os
import signal
import subprocess

import psutil
import pytest
import yaml

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.recipe import load_recipe
from reelproof.pipeline.recipe_changes import RECIPE, changed_settings, going_on
from tests.pipeline.conftest import COMMAND, SMALL, film, reelproof_here


def write_recipe(folder, text: str):
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def build_of(tmp_path, text: str) -> Store:
    """A folder with nothing of a build but its recipe."""
    store = Store(str(tmp_path / "out"))
    recipe = load_recipe(write_recipe(tmp_path, text))
    store.write_bytes(RECIPE, yaml.safe_dump(recipe.model_dump(mode="json")).encode())
    return store


def test_policy_of_a_refilter_stays_until_another_is_named(tmp_path):
    store = build_of(tmp_path, "sources: {videos: v}\npolicy: {preset: strict, max_blind_pass_rate: 0.1}\n")
    silent = going_on(store, load_recipe(write_recipe(tmp_path, "sources: {videos: v}\n")))
    assert (silent.policy.preset, silent.policy.max_blind_pass_rate) == ("strict", 0.1)
    named = load_recipe(write_recipe(tmp_path, "sources: {videos: v}\npolicy: {preset: balanced}\n"))
    assert going_on(store, named).policy == named.policy
    typed = load_recipe(write_recipe(tmp_path, "sources: {videos: v}\n"), ["policy.min_citations=3"])
    assert going_on(store, typed).policy.min_citations == 3
    told = list(changed_settings(store, going_on(store, named)))
    assert "policy.preset: strict -> balanced" in told
    assert not any(line.startswith("rollouts") for line in told)


def test_policy_of_an_earlier_versions_build_stays_without_the_settings_that_went(tmp_path):
    store = build_of(tmp_path, "sources: {videos: v}\npolicy: {preset: strict, max_blind_pass_rate: 0.1}\n")
    written = yaml.safe_load(store.read_bytes(RECIPE))
    written["policy"] |= {"strict_answers": True, "require_well_formed": True}
    written["duplicates"] |= {"trace_run_words": 3}
    store.write_bytes(RECIPE, yaml.safe_dump(written).encode())
    recipe = going_on(store, load_recipe(write_recipe(tmp_path, "sources: {videos: v}\n")))
    assert (recipe.policy.preset, recipe.policy.max_blind_pass_rate) == ("strict", 0.1)
    assert [line for line in changed_settings(store, recipe) if not line.startswith("sources")] == []


def test_recipe_that_a_build_keeps_has_paths_that_hold_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(str(tmp_path / "out"))
    recipe = going_on(
        store, load_recipe(write_recipe(tmp_path, "sources: {manifest: set/m.json, root: films}\n"))
    )
    assert recipe.sources.manifest == str(tmp_path / "set/m.json")
    assert recipe.sources.root == str(tmp_path / "films")
    remote = going_on(store, load_recipe(write_recipe(tmp_path, "sources: {videos: 's3://bucket/films'}\n")))
    assert remote.sources.videos == "s3://bucket/films"


def test_place_that_does_not_exist_leaves_no_folder_behind(tmp_path):
    ran = reelproof_here("build", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (ran.code, list(tmp_path.iterdir())) == (2, [])
    assert f"{tmp_path}/nowhere does not exist" in ran.err


@pytest.mark.real
@pytest.mark.parametrize("seen", ["sources:", "footage:"])
def test_ctrl_c_ends_a_build_with_one_line(tmp_path, seen):
    folder = tmp_path / "films"
    folder.mkdir()
    film(folder, 1)
    running = subprocess.Popen(
        [COMMAND, "build", folder, "--out", tmp_path / "out", *SMALL, "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stderr is not None
    while seen not in running.stderr.readline():
        assert running.poll() is None
    tree = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    said, rest = running.communicate(timeout=120)
    assert (running.returncode, said) == (130, "")
    told = [line for line in rest.splitlines() if line.strip()]
    assert told[-1] == "reelproof: stopped; what is done is kept, and the same command goes on"
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(tree, timeout=30)
    assert alive == []
