"""`reelproof watch`, as a user runs it: a camera that shows one place, and for a while another one."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.inputs.events_folder import read_verdicts, right_answer
from reelproof.pipeline.inputs.sources import SourceError, list_sources
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.watching.journal import LineFile
from reelproof.pipeline.watching.run import Asked, Say, watch_source
from reelproof.schemas.event import Choice, Event, EventVerdict
from reelproof.schemas.footage import Footage
from reelproof.schemas.question import Task
from reelproof.schemas.record import Record
from reelproof.stages.footage.decode import LocalVideo, Reel
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from tests.films import Shot, make_film
from tests.pipeline.conftest import COMMAND, reelproof_here
from tests.streaming import as_stream, streamed

FOREIGN_S = (40.0, 44.0)
QUICKLY = ("--set", "gate.learn_s=20", "--set", "clips.margin_s=1")


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A minute of one place, with four seconds of another."""
    shots = [Shot(1, 40), Shot(50, 4), Shot(1, 16, start_px=400)]
    return make_film(tmp_path_factory.mktemp("camera") / "gate.mp4", shots, fps=10, options={"g": "20"})


def events_in(folder: Path) -> list[Event]:
    return [Event.model_validate_json(line) for line in (folder / "events.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def watched(camera, tmp_path_factory):
    out = tmp_path_factory.mktemp("watched") / "events"
    ran = reelproof_here("watch", camera, "--out", out, *QUICKLY)
    assert ran.code == 0, ran.err
    return out


def test_what_is_unlike_the_past_is_one_event_with_its_frames_and_clip(camera, watched):
    (event,) = events_in(watched)
    assert (event.question, event.start_s) == ("unusual", FOREIGN_S[0])
    assert FOREIGN_S[1] <= event.end_s <= FOREIGN_S[1] + 1  # the way back is unusual as well
    assert event.measured is None
    assert event.margin > 1
    assert event.clip is not None
    with Reel(str(watched / event.clip.file)) as clip:
        *_, last = clip.frames(exact=True)
    assert last.time_s == pytest.approx(event.clip.end_s - event.clip.start_s - 0.1, abs=0.01)
    assert event.clip.start_s <= FOREIGN_S[0] - 1 < event.end_s + 1 <= event.clip.end_s
    assert all((watched / "frames" / f"{each.sha256}.jpg").exists() for each in event.frames)


def test_frames_of_an_event_are_those_that_a_build_keeps(camera, watched):
    video = LocalVideo(str(camera), "0" * 64, camera.name, camera.stat().st_size)
    (footage,) = scan_footage([video], FootageConfig())
    assert isinstance(footage, Footage)
    kept = {each.frame.sha256: each.frame.time_s for each in footage.candidates}
    (event,) = events_in(watched)
    assert len(event.frames) >= 4
    assert {each.sha256: each.film_time_s for each in event.frames}.items() <= kept.items()


def test_a_finished_watch_adds_nothing(camera, watched):
    before = (watched / "events.jsonl").read_bytes()
    ran = reelproof_here("watch", camera, "--out", watched, *QUICKLY)
    assert (ran.code, ran.out) == (0, "")
    assert "60.0 s, all of it watched before (another --out watches it anew): 1 × unusual; " in ran.err
    assert (watched / "events.jsonl").read_bytes() == before
    assert json.loads((watched / "status.json").read_text())["events"] == {"unusual": 1}


def test_a_watch_that_is_killed_again_and_again_logs_each_event_once(camera, watched, tmp_path):
    out = tmp_path / "events"
    for wait_s in (1.2, 1.6, 2.2):
        process = subprocess.Popen(
            [COMMAND, "watch", camera, "--out", out, *QUICKLY], stdout=subprocess.DEVNULL
        )
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (out / "events.jsonl").exists():
            with (out / "events.jsonl").open("ab") as file:
                file.write(b'{"event_id": "half a li')
    assert reelproof_here("watch", camera, "--out", out, *QUICKLY).code == 0
    facts = [(each.question, each.start_s, each.end_s, each.frames) for each in events_in(out)]
    assert facts == [(each.question, each.start_s, each.end_s, each.frames) for each in events_in(watched)]


def test_another_watch_in_the_same_folder_is_refused(camera, watched):
    ran = reelproof_here("watch", camera, "--out", watched, "--set", "gate.learn_s=21")
    assert ran.code == 2
    assert "another settings" in ran.err
    assert json.loads((watched / "status.json").read_text())["state"] == "ended"


def test_a_stream_gives_the_events_and_frames_of_its_film(camera, watched, tmp_path):
    out = tmp_path / "events"
    with streamed(as_stream(camera, tmp_path / "camera.ts")) as address:
        ran = reelproof_here("watch", address, "--out", out, *QUICKLY, "--set", "stream.patience_s=0")
    assert ran.code == 0, ran.err
    (live,), (event,) = events_in(out), events_in(watched)
    assert (live.start_s, live.end_s, live.answer, live.frames) == (
        event.start_s,
        event.end_s,
        event.answer,
        event.frames,
    )
    assert live.clip.start_s == event.clip.start_s
    assert live.clip.end_s == pytest.approx(event.clip.end_s, abs=0.3)


def test_a_lost_stream_is_found_again_and_its_time_goes_on(camera, tmp_path):
    out = tmp_path / "events"
    settings = ("--set", "stream.patience_s=2.5", "--set", "stream.longest_wait_s=1")
    with streamed(as_stream(camera, tmp_path / "camera.ts"), times=2) as address:
        ran = reelproof_here("watch", address, "--out", out, *QUICKLY, *settings)
    assert ran.code == 0, ran.err
    status = json.loads((out / "status.json").read_text())
    assert status["reconnect"] >= 2
    assert status["ticks"] == 120
    first, *_, second = events_in(out)
    assert second.video == "connection 2"
    assert second.start_s >= 60 + FOREIGN_S[0]
    assert [each.sha256 for each in second.frames] == [each.sha256 for each in first.frames]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nothing.mp4", "does not exist"),
        ("gopher://place/film", "a stream begins with http"),
        ("rtsp://me:secret@127.0.0.1:9/film", "cannot be reached"),
    ],
)
def test_a_source_that_is_none_is_told_in_one_line(source, told, tmp_path):
    ran = reelproof_here("watch", source, "--out", tmp_path / "events", "--set", "stream.patience_s=0")
    assert ran.code != 0
    assert told in ran.err
    assert "secret" not in ran.err


def test_judged_events_are_rows_for_a_build(watched, tmp_path):
    folder = Path(shutil.copytree(watched, tmp_path / "events"))
    recipe = recipe_for_sources(str(folder))
    assert recipe.sources.manifest == str(folder)
    with pytest.raises(SourceError, match="takes verdicts"):
        list_sources(recipe.sources)
    (event,) = events_in(folder)
    for verdict in (Choice.WRONG, Choice.RIGHT):
        said = EventVerdict(event_id=event.event_id, verdict=verdict, said_at=0.0)
        with (folder / "verdicts.jsonl").open("a") as file:
            file.write(said.model_dump_json() + "\n")
    listed = list_sources(recipe.sources)
    assert [file.url for file in listed.files] == [str(folder / event.clip.file)]
    ((_, question),) = listed.questions
    assert (question.task, question.answer, question.kind) == (Task.BOOLEAN, "yes", "watched")
    assert listed.notes == ()


@pytest.mark.parametrize(
    ("question", "task", "answer", "verdict", "right"),
    [
        ("unusual", Task.BOOLEAN, "motion", Choice.RIGHT, "yes"),
        ("unusual", Task.BOOLEAN, "motion", Choice.WRONG, "no"),
        ("unusual", Task.BOOLEAN, "motion", Choice.UNSURE, None),
        ("Does it rain?", Task.BOOLEAN, "No", Choice.WRONG, "yes"),
        ("Who is it?", Task.MULTIPLE_CHOICE, "B", Choice.RIGHT, "B"),
        ("Who is it?", Task.MULTIPLE_CHOICE, "B", Choice.WRONG, None),
    ],
)
def test_a_verdict_tells_the_right_answer_where_it_can(watched, question, task, answer, verdict, right):
    (event,) = events_in(watched)
    event = event.model_copy(update={"question": question, "task": task, "answer": answer})
    assert right_answer(event, verdict) == right


def test_a_line_that_is_no_verdict_is_told_by_its_number(tmp_path):
    good = EventVerdict(event_id="a", verdict=Choice.RIGHT, said_at=1.0).model_dump_json()
    (tmp_path / "verdicts.jsonl").write_text(f'{good}\n{{"event_id": "b", "verdict": "right"}}\n')
    with pytest.raises(
        UsageError, match=r"verdicts\.jsonl, line 2: said_at: Field required; mend or remove that line$"
    ):
        read_verdicts(tmp_path)


def test_a_watch_that_was_killed_as_it_began_begins_again(camera, tmp_path):
    out = tmp_path / "events"
    out.mkdir()
    (out / ".tmp-1-2-3-here").touch()
    assert reelproof_here("watch", camera, "--out", out, *QUICKLY).code == 0
    assert not (out / ".tmp-1-2-3-here").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").touch()
    ran = reelproof_here("watch", camera, "--out", other, *QUICKLY)
    assert (ran.code, (other / "mine.txt").exists()) == (2, True)


def test_what_gives_no_frame_is_told_and_what_is_beside_it_is_watched(camera, tmp_path):
    place = tmp_path / "films"
    place.mkdir()
    (place / "a broken one.mp4").write_text("no film")
    ran = reelproof_here("watch", place, "--out", tmp_path / "none", "--set", "stream.patience_s=0")
    assert ran.code == 1
    assert "a broken one.mp4: not a video" in ran.err
    shutil.copy(camera, place / "b.mp4")
    shutil.copy(camera, place / "c.mp4")
    ran = reelproof_here("watch", place, "--out", tmp_path / "two", *QUICKLY, "--set", "stream.patience_s=0")
    assert ran.code == 0, ran.err
    found = [(each.video, each.start_s, each.film_start_s) for each in events_in(tmp_path / "two")]
    assert ("b.mp4", FOREIGN_S[0], FOREIGN_S[0]) in found
    assert ("c.mp4", 60 + FOREIGN_S[0], FOREIGN_S[0]) in found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["", "--out", "events"], "SOURCE is empty; name a file"),
        (["gate.mp4", "--out", "gate.mp4/events"], "Not a directory; name another --out"),
        (["gate.mp4", "--out", "damaged"], "damaged/watch.json cannot be read"),
        (["gate.mp4", "--out", "events", "--watch", "empty.yaml"], "expected sections or fields"),
    ],
)
def test_what_cannot_be_watched_is_one_message(camera, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    shutil.copy(camera, "gate.mp4")
    Path("damaged").mkdir()
    Path("damaged/watch.json").write_text("{")
    Path("empty.yaml").touch()
    ran = reelproof_here("watch", *words)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert told in ran.err


def test_a_full_disk_is_told_in_one_line_and_loses_nothing(camera, watched, tmp_path, monkeypatch):
    write, room = LineFile.append, [45]

    def append(self: LineFile, record: Record, lasting: bool = False) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, record, lasting)

    with monkeypatch.context() as patched:
        patched.setattr(LineFile, "append", append)
        ran = reelproof_here("watch", camera, "--out", tmp_path / "events", *QUICKLY)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "No space left on device where its results go: make room" in ran.err
    assert reelproof_here("watch", camera, "--out", tmp_path / "events", *QUICKLY).code == 0
    assert [each.frames for each in events_in(tmp_path / "events")] == [
        each.frames for each in events_in(watched)
    ]


def test_a_film_that_is_not_over_is_told_as_stopped(camera, tmp_path):
    stop = threading.Event()
    stop.set()
    asked = Asked(str(camera), "signals", None, None, ())
    with pytest.raises(KeyboardInterrupt):
        watch_source(asked, tmp_path / "events", False, Say(print, print), stop)
    assert (tmp_path / "events/status.json").exists()


def test_a_watch_that_an_older_version_began_goes_on(camera, watched, tmp_path):
    folder = Path(shutil.copytree(watched, tmp_path / "events"))
    (folder / "events.jsonl").unlink()
    (journal,) = (folder / "journal").iterdir()
    lines = journal.read_text().splitlines(keepends=True)
    older = [re.sub('"moves":"[^"]*",', "", line) for line in lines[:15]]
    journal.write_text("".join(older))
    ran = reelproof_here("watch", camera, "--out", folder, *QUICKLY)
    assert ran.code == 0, ran.err
    now = journal.read_text().splitlines(keepends=True)
    assert (now[:15], len(now)) == (older, len(lines))
    assert [each.start_s for each in events_in(folder)] == [FOREIGN_S[0]]


def test_a_journal_with_a_line_that_nobody_can_read_is_told_in_one_line(camera, watched, tmp_path):
    folder = Path(shutil.copytree(watched, tmp_path / "events"))
    (journal,) = (folder / "journal").iterdir()
    journal.write_text(journal.read_text().replace('"jolt"', '"leap"', 1))
    ran = reelproof_here("watch", camera, "--out", folder, *QUICKLY)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "000001.jsonl, line 1: tick.measures.jolt: Field required; it is damaged, or of another" in ran.err
