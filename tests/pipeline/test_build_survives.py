"""Builds that are killed, given broken files, or asked for the impossible: nothing is lost, all is said."""

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from reelproof.pipeline.build import refilter
from reelproof.pipeline.errors import UsageError
from tests.films import FOOTAGE, make_audio, make_film, truncate
from tests.pipeline.conftest import COMMAND, SMALL, film, reelproof_here
from tests.pipeline.test_build import logged_ids

pytestmark = pytest.mark.real

KILLS = int(os.environ.get("REELPROOF_KILLS", "3"))


def test_killed_build_goes_on_to_the_same_dataset(films, built, tmp_path, ready):
    """`kill -9` of the whole process tree at random moments, then the same command."""
    out, moments = tmp_path / "killed", random.Random(11)
    logged = 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [COMMAND, "build", films, "--out", out, *SMALL],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as build:
            try:
                build.wait(timeout=moments.uniform(1.0, 6.0))
            except subprocess.TimeoutExpired:
                os.killpg(build.pid, signal.SIGKILL)
        assert len(logged_ids(out)) >= logged
        logged = len(logged_ids(out))
    done = reelproof_here("build", films, "--out", out, *ready, *SMALL, "--json").summary
    assert done["dataset_sha256"] == json.loads((built / "run.json").read_text())["dataset_sha256"]
    ids = logged_ids(out)
    assert len(ids) == len(set(ids))


def test_broken_files_are_in_quarantine_with_their_kind(tmp_path, ready):
    folder = tmp_path / "mixed videos é"
    folder.mkdir()
    good = make_film(folder / "good one.mp4", fps=10)
    make_audio(folder / "sound.mp4")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.avi").write_text("This is no video.\n" * 100)
    make_film(folder / "blink.mp4", [(5, 0.2)], fps=10)
    truncate(good, folder / "no end.mp4", 0.3)  # the index stood at the end
    out = tmp_path / "out"
    ran = reelproof_here("build", folder, "--out", out, *ready)
    assert ran.code == 1
    assert "5 of 6 videos are in quarantine" in ran.err
    told = json.loads(reelproof_here("status", out, "--json").out)
    assert {each["name"]: each["kind"] for each in told["quarantine"]} == {
        "sound.mp4": "no_video_stream",
        "empty.mp4": "unreadable",
        "text.avi": "unreadable",
        "blink.mp4": "too_short",
        "no end.mp4": "truncated",
    }
    allowed = reelproof_here(
        "build", folder, "--out", out, *ready, "--set", "max_quarantined_share=1", "--json"
    ).summary
    assert (allowed["videos_decoded"], allowed["quarantined"]) == (0, 5)
    again = reelproof_here(
        "build",
        folder,
        "--out",
        out,
        *ready,
        "--retry-quarantined",
        "--set",
        "max_quarantined_share=1",
        "--json",
    ).summary
    assert (again["videos_decoded"], again["quarantined"]) == (5, 5)
    assert again["dataset_sha256"] == allowed["dataset_sha256"]


def test_what_is_tried_again_is_tried_once_although_a_damaged_file_is_met(tmp_path, ready):
    folder, out = tmp_path / "films", tmp_path / "out"
    folder.mkdir()
    film(folder, 1)
    (folder / "text.mp4").write_text("this is no film")
    command = ("build", folder, "--out", out, *ready, *SMALL)
    assert reelproof_here(*command, "--json").summary["quarantined"] == 1
    (traces,) = out.glob("parts/traces-*/part-00000.parquet")
    content = bytearray(traces.read_bytes())
    for place in range(4, len(content), 64):  # whichever of its columns is read
        content[place] ^= 1
    traces.write_bytes(content)
    again = reelproof_here(*command, "--retry-quarantined", "--json")
    assert "damaged and made again" in again.err
    assert again.summary["videos_decoded"] == 1
    assert len(json.loads((out / "plan.json").read_text())["parts"]) == 2


OTHER_AV = """
import av
opened = av.open
def other_open(file, mode="r", **how):
    if mode == "r":
        raise TypeError("open() got an unexpected keyword argument")
    return opened(file, mode, **how)
av.open = other_open
"""


def test_library_that_does_not_fit_stops_the_build_and_sets_nothing_aside(tmp_path, monkeypatch, ready):
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(OTHER_AV)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    film(films, 1)
    film(films, 2)
    ran = reelproof_here("build", films, "--out", out, *SMALL, "--workers", "1")
    assert ran.code == 1
    assert "footage works for no video here: not even a film of our own can be decoded" in ran.err
    assert "unexpected keyword argument" in ran.err
    assert not list(out.glob("parts/footage-*/part-*"))
    monkeypatch.delenv("PYTHONPATH")
    assert reelproof_here("build", films, "--out", out, *ready, *SMALL, "--json").summary["quarantined"] == 0


@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="no real footage here")
def test_real_footage_all_yields_clips(tmp_path, ready):
    out = tmp_path / "out"
    summary = reelproof_here(
        "build", FOOTAGE, "--out", out, *ready, "--json", "--set", "probes.probes=[]"
    ).summary
    assert summary["quarantined"] == 0
    for path in FOOTAGE.iterdir():
        if path.suffix != ".md":
            assert "clip " in reelproof_here("explain", out, path.name).out


def yaml_file(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("sources: {videos: nowhere}", "nowhere does not exist"),
        ("sources: {videos: .}\nstoryboard: {adaptive_ration: 2}", "did you mean adaptive_ratio?"),
        ("sources: {videos: .}\nrollouts: {rollouts: 0}", "rollouts.rollouts: got 0"),
        ("sources: {videos: .}\npolicy: {preset: harsh}", "policy.preset: got 'harsh'"),
        ("sources: {videos: .}\nsurces: 1", "surces: there is no such field (did you mean sources?)"),
        ("sources: [", "is not YAML"),
        ("just text", "expected sections"),
        ("name: x", "sources: missing"),
        (
            "sources: {videos: .}\ncluster: {workers: 1}\n"
            "teachers: [{teacher: {kind: server, model: m, urls: ['http://127.0.0.1:9/v1']}}]",
            "127.0.0.1:9",
        ),
    ],
)
def test_wrong_recipe_is_refused_in_one_message(tmp_path, recipe, said):
    make_film(tmp_path / "film.mp4", [(1, 1.0)], fps=10)
    path = yaml_file(tmp_path, recipe.replace("videos: .", f"videos: '{tmp_path}/film.mp4'"))
    ran = reelproof_here("build", path, "--out", tmp_path / "out")
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out" / "plan.json").exists()


def test_folder_without_videos_is_refused(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = reelproof_here("build", empty, "--out", tmp_path / "out")
    (empty / "notes.txt").write_text("no video")
    no_video = reelproof_here("build", empty, "--out", tmp_path / "out")
    assert (nothing.code, no_video.code) == (2, 2)
    assert "nothing is there" in nothing.err
    assert "no file there is a video" in no_video.err


def test_folder_with_something_else_is_not_touched(films, tmp_path):
    (tmp_path / "thesis.txt").write_text("all my work")
    ran = reelproof_here("build", films, "--out", tmp_path)
    assert ran.code == 2
    assert "thesis.txt" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_manifest_errors_name_their_lines(tmp_path):
    make_film(tmp_path / "film.mp4", [(1, 1.0)], fps=10)
    manifest = tmp_path / "questions.jsonl"
    manifest.write_text('{"video": "film.mp4"}\n{"video": "gone.mp4"}\n{broken\n')
    ran = reelproof_here("build", manifest, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "line 2: no such file" in ran.err
    assert "line 3" in ran.err


def test_second_build_at_once_is_refused(films, build_copy):
    from reelproof.pipeline.disk.store import Store

    with Store(str(build_copy)).lock():
        ran = reelproof_here("build", films, "--out", build_copy, *SMALL)
    assert ran.code == 2
    assert f"in use by process {os.getpid()}" in ran.err


def test_refilter_of_no_build_is_refused(tmp_path):
    ran = reelproof_here("refilter", tmp_path)
    assert ran.code == 2
    assert "holds no build" in ran.err


def test_refilter_refuses_settings_that_call_for_a_build(build_copy):
    ran = reelproof_here("refilter", build_copy, "--set", "rollouts.rollouts=9")
    assert ran.code == 2
    assert "run `reelproof build`" in ran.err
    assert reelproof_here("refilter", build_copy).code == 0


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('{name: wrong_answer, where: "thought_words < 40"}', "wrong_answer is the name of another rule"),
        ('{name: mine, where: "CAST(task AS INT) > 3"}', "extra_rules.mine: 'CAST(task AS INT) > 3' is not"),
        (
            '{name: mine, where: "CAST(thought_words + 120 AS TINYINT) > 126"}',
            "extra_rules.mine: 'CAST(thought_words + 120 AS TINYINT) > 126' cannot be decided of every row",
        ),
    ],
)
def test_refused_refilter_leaves_the_recipe_as_it_was(build_copy, rule, said):
    before = (build_copy / "recipe.yaml").read_bytes()
    with pytest.raises(UsageError) as refused:
        refilter(str(build_copy), [f"policy.extra_rules=[{rule}]"])
    assert said in str(refused.value)
    assert (build_copy / "recipe.yaml").read_bytes() == before


def test_refilter_mends_a_recipe_that_cannot_be_used(build_copy):
    recipe = build_copy / "recipe.yaml"
    sound = recipe.read_text()
    changed = sound.replace("extra_rules: []", "extra_rules: [{name: too_easy, where: leak}]")
    recipe.write_text(changed)
    with pytest.raises(UsageError, match="if you changed it, take out its last line"):
        refilter(str(build_copy), [])
    recipe.write_text("\n".join(changed.splitlines()[:-1]) + "\n")
    with pytest.raises(UsageError, match="too_easy is the name of another rule"):
        refilter(str(build_copy), [])
    refilter(str(build_copy), ["policy.extra_rules=[]"])
    assert recipe.read_text() == sound
