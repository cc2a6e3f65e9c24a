"""What a watch makes of verdicts: false alarms, as a person called them, do not come again."""

import json
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from reelproof.pipeline.inputs.events_folder import read_events
from reelproof.pipeline.settings_text import parse_settings
from reelproof.pipeline.watching.journal import Journal
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.pipeline.watching.sources import open_source
from reelproof.pipeline.watching.watch import Told, Watch
from reelproof.schemas.event import Event, EventVerdict
from reelproof.schemas.tick import Tick
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from tests.films import FOOTAGE

CAMERA, FOREIGN = "bikes.mp4", "carphone_pristine.mp4"
PLANTED = {30: "another film", 42: "another film", 54: "a black picture"}
"""Three seconds each."""
pytestmark = pytest.mark.skipif(
    not all((FOOTAGE / name).is_file() for name in (CAMERA, FOREIGN)), reason="no real footage here"
)


def pictures(name: str) -> list[av.VideoFrame]:
    with av.open(str(FOOTAGE / name)) as film:
        frames = list(film.decode(video=0))
    step = round(float(Fraction(len(frames)) / max(frames[-1].time, 0.1)) / 10)
    return [frame.reformat(160, 96, "yuv420p") for frame in frames[::step]]


def camera_frames() -> Iterator[av.VideoFrame]:
    """Ten a second: a street there and back, again and again, and what was planted."""
    there = pictures(CAMERA)
    usual = there + there[::-1]
    black = av.VideoFrame.from_ndarray(np.zeros((96, 160, 3), np.uint8), format="rgb24")
    others = {"another film": pictures(FOREIGN), "a black picture": [black.reformat(format="yuv420p")] * 30}
    for number in range(620):
        second, kind = next(
            ((at, each) for at, each in PLANTED.items() if 0 <= number / 10 - at < 3), (0, "")
        )
        yield others[kind][number - second * 10] if kind else usual[number % len(usual)]


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("camera") / "street.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "20"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for frame in camera_frames():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")))
        out.mux(stream.encode())
    return path


def say(folder: Path, verdict: str, event: Event) -> None:
    said = EventVerdict(event_id=event.event_id, verdict=verdict, said_at=0.0)
    with (folder / "verdicts.jsonl").open("a") as file:
        file.write(said.model_dump_json() + "\n")


def call_first_wrong(folder: Path, event: Event) -> None:
    if event.start_s == min(PLANTED):
        say(folder, "wrong", event)


def watch(camera: Path, out: Path, closed: Callable[[Event], None] = print, stop=None) -> list[str]:
    """Watch on, and return what was told beside events."""
    given = {"gate": {"learn_s": 20}, "window": {"length_s": 1}, "clips": {"margin_s": 0}}
    cfg, notes, recorder = parse_settings(WatchConfig, given, (), "the test"), [], Recorder(out, 60)
    told = Told(lambda _: None, closed, notes.append)
    source = open_source(str(camera), recorder)
    Watch(out, source, SignalsTeacher(), cfg, {}, recorder, told).run(stop or threading.Event())
    return notes


def starts(folder: Path) -> list[float]:
    return [each.start_s for each in read_events(folder)]


@pytest.fixture(scope="module")
def taught(camera, tmp_path_factory) -> tuple[Path, list[str]]:
    """A watch that heard of its first event, while it ran, that it was none."""
    out = tmp_path_factory.mktemp("taught") / "events"
    return out, watch(camera, out, partial(call_first_wrong, out))


def test_what_was_called_wrong_comes_once_and_what_is_unlike_it_is_still_told(camera, taught, tmp_path):
    unjudged = tmp_path / "events"
    watch(camera, unjudged)
    assert starts(unjudged) == list(PLANTED)
    out, notes = taught
    assert starts(out) == [30, 54]
    assert notes[0].startswith("called wrong, so that what is alike counts as usual: 30.0–")
    assert read_events(out)[0].answer in notes[0].partition("(")[2]
    assert json.loads((out / "status.json").read_text())["taught"] == 1


def test_a_watch_that_was_taught_and_stopped_goes_on_as_one_that_ran_through(camera, taught, tmp_path):
    stop, out = threading.Event(), tmp_path / "events"

    def closed(event: Event) -> None:
        say(out, "wrong", event)
        stop.set()

    watch(camera, out, closed, stop)
    assert starts(out) == [30]
    (journal,) = (out / "journal").iterdir()
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:38]))
    watch(camera, out)
    seen, whole = (
        [(each.stands_out, each.outs, each.because) for each in Journal(folder / "journal").read()]
        for folder in (out, taught[0])
    )
    assert seen == whole


def test_who_thinks_again_is_heard_and_unsure_teaches_nothing(camera, tmp_path):
    out = tmp_path / "events"

    def closed(event: Event) -> None:
        for verdict in ("wrong", "right", "unsure"):
            say(out, verdict, event)

    assert watch(camera, out, closed) == []
    assert starts(out) == list(PLANTED)


def test_a_verdict_that_nobody_can_read_is_told_once_and_ends_no_watch(camera, tmp_path):
    out = tmp_path / "events"

    def closed(event: Event) -> None:
        if event.start_s == min(PLANTED):
            (out / "verdicts.jsonl").write_text('{"event": 3}\n')

    (note,) = watch(camera, out, closed)
    assert "verdicts.jsonl, line 1" in note
    assert "mend or remove that line" in note
    assert starts(out) == list(PLANTED)


def test_what_a_false_alarm_measured_is_no_part_of_what_is_learned(taught):
    ticks = [each for each in Journal(taught[0] / "journal").read() if isinstance(each, Tick)]
    again = [each for each in ticks if 42 <= each.start_s < 45]
    assert [each.stands_out < 2 for each in again] == [True] * 3
    assert not any(each.is_usual for each in again)
