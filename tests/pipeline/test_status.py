"""Status: what a person must not overlook."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from reelproof.pipeline.accounts.accounting import TeacherUse
from reelproof.pipeline.accounts.use_figures import use_figures
from reelproof.pipeline.commands.status import build_status, print_status
from reelproof.pipeline.commands.terminal import PlainConsole
from reelproof.pipeline.progress.run_progress import PROGRESS, RunProgress
from reelproof.pipeline.workplace import open_workplace
from tests.pipeline.conftest import film, reelproof_here
from tests.stages.test_damage import X264, Lossy, lossy


@pytest.mark.real
@pytest.mark.parametrize(
    ("updated_ago_s", "ended", "told"),
    [(1, False, "build at work"), (600, False, "build stopped without an end"), (1, True, "build ended")],
)
def test_status_says_whether_a_build_is_at_it(build_copy, updated_ago_s, ended, told):
    (build_copy / "run.json").unlink()  # no command came to its end
    use = TeacherUse(calls=4, prompt_tokens=80, completion_tokens=20, asked_from_s=0, asked_until_s=10)
    now_s = time.time()
    progress = RunProgress(
        started_s=now_s - updated_ago_s - 300,
        updated_s=now_s - updated_ago_s,
        ended=ended,
        use=use,
        figures=use_figures(use, (), in_flight=2, seconds_left=90),
    )
    (build_copy / PROGRESS).write_text(progress.model_dump_json())
    (build_copy / ".reelproof/owner").write_text(f"process {os.getpid()} on {socket.gethostname()}")
    screen = io.StringIO()
    print_status(build_status(open_workplace(str(build_copy))), PlainConsole(file=screen, width=300))
    assert f"{told}, 5 min after it began" in screen.getvalue()
    assert "80 tokens in, 20 out, 2.0 out a second; 2 requests in flight" in screen.getvalue()
    assert ("about 90 s left" in screen.getvalue()) == (told == "build at work")


@pytest.mark.real
def test_a_build_whose_process_is_gone_is_not_at_work(build_copy):
    now_s = time.time()
    progress = RunProgress(started_s=now_s - 300, updated_s=now_s)
    (build_copy / PROGRESS).write_text(progress.model_dump_json())
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    running = {}
    for pid, host in (
        (os.getpid(), socket.gethostname()),
        (int(gone.stdout), socket.gethostname()),
        (int(gone.stdout), "another"),
    ):
        (build_copy / ".reelproof/owner").write_text(f"process {pid} on {host}")
        running[pid == os.getpid(), host] = build_status(open_workplace(str(build_copy))).running
    here = socket.gethostname()
    assert running == {(True, here): True, (False, here): False, (False, "another"): True}


@pytest.mark.real
def test_status_raises_an_alarm_for_a_key_that_can_be_guessed(built, tmp_path):
    build = Path(shutil.copytree(built, tmp_path / "build"))
    assert build_status(open_workplace(str(build))).alarms == ()
    path = build / "dataset" / "stats.json"
    stats = json.loads(path.read_text())
    stats["build"]["answer_keys"][0] |= {"alarm": True, "constant_answer": "C", "constant_score": 0.8}
    path.write_text(json.dumps(stats))
    (alarm,) = build_status(open_workplace(str(build))).alarms
    assert "always answering C is right for 80%" in alarm


@pytest.mark.real
def test_seconds_that_a_recipe_leaves_out_are_told_by_status_card_and_explain(tmp_path, ready):
    (tmp_path / "films").mkdir()
    path = film(tmp_path / "films", 3)
    sets = ["clips.target_s=2", "clips.max_s=3", "clips.max_segments=1", "clips.scene_s=null"]
    sets += ["clips.chapter_s=null", "clips.whole=false"]
    build = tmp_path / "build"
    words = [word for each in sets for word in ("--set", each)]
    assert reelproof_here("build", tmp_path / "films", "--out", build, *ready, *words).code in (0, 1)
    status = reelproof_here("status", build, "--json").summary
    told = reelproof_here("explain", build, path.name).out
    gaps = re.findall(r"in no clip: \[([\d.]+), ([\d.]+)\)", told)
    assert gaps
    assert status["left_out_s"] == pytest.approx(sum(float(b) - float(a) for a, b in gaps), abs=0.02)
    assert f"{status['left_out_s']:.1f} seconds of it" in (build / "dataset/README.md").read_text()
    assert f"{status['left_out_s']:.0f} s of the videos are in no clip" in reelproof_here("status", build).out


@pytest.mark.real
def test_damage_is_told_by_status_card_and_explain(tmp_path, ready):
    """A second of one of two films: a key frame is lost, and what follows rests on it."""
    (tmp_path / "films").mkdir()
    film(tmp_path / "films", 3)
    lost = Lossy("lost.mkv", "libx264", {**X264, "bf": "0"}, (50,))
    shutil.copy(lossy(tmp_path, lost), tmp_path / "films")
    build = tmp_path / "build"
    assert reelproof_here("build", tmp_path / "films", "--out", build, *ready).code in (0, 1)
    status = reelproof_here("status", build, "--json").summary
    assert (status["damaged_videos"], status["damaged_s"]) == (1, pytest.approx(1.0, abs=0.05))
    assert "damaged: 1 s of 1 video; " in reelproof_here("status", build).out
    assert "  damaged: [2.00, 3.00) s" in reelproof_here("explain", build, "lost.mkv").out
    card = " ".join((build / "dataset/README.md").read_text().split())
    assert "Of 1 of the videos a part is damaged, 1.0 seconds in all" in card
    assert "Every source could be used" not in card
    for shard in (build / "dataset" / "data").glob("*/*.parquet"):
        shown = pl.read_parquet(shard, columns=["video", "frame_times_s"])
        times_s = shown.filter(pl.col("video") == "lost.mkv")["frame_times_s"].explode()
        assert not times_s.is_between(2.0, 3.0, closed="left").any()
