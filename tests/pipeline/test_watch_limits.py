"""What a watch does where disk, model, clock or sender do not keep up."""

import os
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from reelproof.pipeline.decoder import ticking
from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.decoder.ticking import SteadyClock
from reelproof.pipeline.watching import films
from reelproof.pipeline.watching import journal as journals
from reelproof.pipeline.watching.arrivals import FilmTick, Known, Note
from reelproof.pipeline.watching.asking import Asking
from reelproof.pipeline.watching.feed import feed
from reelproof.pipeline.watching.journal import Journal, LineFile
from reelproof.pipeline.watching.judge import Window
from reelproof.pipeline.watching.keeping import make_room
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import QuestionConfig, WatchConfig
from reelproof.pipeline.watching.sources import open_source
from reelproof.pipeline.watching.tally import Tally
from reelproof.schemas.event import EventVerdict
from reelproof.schemas.footage import Quarantine
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.cutting import Recording
from reelproof.stages.footage.decode import TimedFrame
from tests.films import make_film
from tests.pipeline.test_child import FAULTY
from tests.stages.test_watching import tick
from tests.streaming import as_stream, paced, streamed

FILM = WatchedFilm(number=0, video_id="v", name="f", path=None, offset_s=0.0, began_at=0.0)


def test_the_oldest_clips_go_first_and_the_log_never(tmp_path):
    for age, name in enumerate(
        ("frames/a.jpg", "clips/old.mp4", "clips/new.mp4", "frames/b.jpg", "events.jsonl")
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 + age, 1000 + age))
    assert make_room(tmp_path, 400) == 0
    assert make_room(tmp_path, 399) == 1
    assert not (tmp_path / "clips/old.mp4").exists()
    assert make_room(tmp_path, 100) == 2
    assert [each.name for each in sorted(tmp_path.rglob("*.*"))] == ["events.jsonl", "b.jpg"]
    make_room(tmp_path, 0)
    assert (tmp_path / "events.jsonl").exists()


class Slow:
    """Answers nothing until it is told to."""

    model = "slow@1"

    def __init__(self) -> None:
        self.go = threading.Event()

    def complete(self, requests, frames) -> Iterator[object]:
        self.go.wait(30)
        raise RuntimeError("that is all")


def test_questions_that_wait_too_long_are_dropped_the_oldest_first_and_counted():
    teacher, question = Slow(), QuestionConfig(text="Why?")
    with Asking(teacher, WatchConfig()) as asking:
        for number in range(6):
            asking.put(Window(number, "v", 0.0, 1.0, (), (), {}), [question])
        dropped = asking.drop_oldest(2)
        assert [each.tick for each in dropped] == [1, 2, 3]  # 0 is being asked
        assert all(each.votes == () and each.belief == 0 for each in dropped)
        assert asking.waiting == 3
        teacher.go.set()
        with pytest.raises(RuntimeError, match="that is all"):
            asking.take(30)


class Flood(NamedTuple):
    """A live source that does not wait."""

    name: str = "flood"
    is_live: bool = True

    def arrivals(self, cfg, known, stop) -> Iterator[FilmTick]:
        for number in range(50):
            yield FilmTick(FILM, tick(number, 0.0), 0.0)


def test_ticks_of_a_live_stream_that_nobody_takes_are_dropped_and_counted(tmp_path):
    tally = Tally(tmp_path, "flood", "m")
    cfg = WatchConfig.model_validate({"stream": {"waiting": 10}})
    arriving = feed(Flood(), cfg, Known(), threading.Event(), tally)
    first = next(each for each in arriving if each is not None)
    time.sleep(0.3)
    taken = [first, *(each for each in arriving if each is not None)]
    told = tally.told()
    assert len(taken) + told["dropped_ticks"] == 50
    assert told["dropped_frames"] == told["dropped_ticks"] >= 30
    assert taken[-1].tick.number == 49


def test_a_sender_whose_clock_jumps_ahead_is_brought_back_and_a_long_pause_is_believed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(ticking, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def told(times: list[tuple[float, float]], declared_s: float = 0.0, fps: float = 0.0) -> list[float]:
        clock, found = SteadyClock(declared_s, fps), []
        for now[0], time_s in times:
            found.append(clock.tell(TimedFrame(time_s, None, False)).time_s)
        return found

    jump = [(0.0, 0.0), (0.1, 0.1), (0.2, 3600.0), (0.3, 3600.1)]
    assert told(jump) == [0.0, 0.1, pytest.approx(0.14), pytest.approx(0.24)]
    assert told(jump, declared_s=4000) == [0.0, 0.1, 3600.0, 3600.1]
    assert told([(0.0, 0.0), (60.0, 60.0)]) == [0.0, 60.0]
    assert told([(0.0, 0.0), (0.1, 20.0), (0.2, 40.0)], fps=0.05) == [0.0, 20.0, 40.0]


def test_a_journal_keeps_what_the_memory_needs_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "_TICKS_A_SEGMENT", 10)
    journal = Journal(tmp_path)
    for number in range(95):
        journal.note(tick(number, 0.0))
        journal.may_forget(before_s=number - 20)
    journal.close()
    numbers = [each.number for each in Journal(tmp_path).read()]
    assert numbers == list(range(numbers[0], 95))
    assert 55 <= numbers[0] <= 75


def test_a_line_that_nobody_finished_is_cut_off_before_the_next(tmp_path):
    file = LineFile(tmp_path / "verdicts.jsonl")
    said = EventVerdict(event_id="a", verdict="right", said_at=1.0)
    file.append(said)
    file.close()
    with file.path.open("ab") as stream:
        stream.write(b'{"event_id": "half')
    assert list(file.read(EventVerdict)) == [said]
    file.append(said)
    assert list(file.read(EventVerdict)) == [said, said]


def test_a_folder_gives_its_films_as_they_come_and_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(films, "_SETTLED_S", 0.2)
    monkeypatch.setattr(films, "_LOOK_EVERY_S", 0.05)
    place, source_film = tmp_path / "films", make_film(tmp_path / "film.mp4", [(1, 2.0)], fps=10)
    place.mkdir()
    (place / "a.mp4").write_bytes(source_film.read_bytes())

    def grow() -> None:
        time.sleep(0.3)
        data = source_film.read_bytes()
        with (place / "b.mp4").open("wb", buffering=0) as file:
            for start in range(0, len(data), len(data) // 5 + 1):
                file.write(data[start : start + len(data) // 5 + 1])
                time.sleep(0.05)

    writer = threading.Thread(target=grow)
    writer.start()
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 1.5}})
    source = open_source(str(place), Recorder(tmp_path / "out", 10))
    found = list(source.arrivals(cfg, Known(), threading.Event()))
    writer.join()
    ticks = [each.tick for each in found if isinstance(each, FilmTick)]
    assert [each.name for each in found if isinstance(each, WatchedFilm)] == ["a.mp4", "b.mp4"]
    assert [each.number for each in ticks] == [0, 1, 2, 3]
    assert [each.frame_count for each in ticks[:2]] == [each.frame_count for each in ticks[2:]]
    assert not any(isinstance(each, Note) for each in found)


def test_a_folder_without_films_is_told_to_be_waited_for(tmp_path):
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 0.1}})
    source = open_source(str(tmp_path), Recorder(tmp_path / "out", 10))
    (note,) = source.arrivals(cfg, Known(), threading.Event())
    assert (note.kind, "no film is there yet" in note.text) == ("waiting", True)


@pytest.mark.parametrize(("befalls", "told"), [("crash", "SIGSEGV"), ("hang", "told nothing for 2 s")])
def test_a_decoder_that_is_lost_costs_a_connection_and_its_frames_are_counted(tmp_path, befalls, told):
    film = make_film(tmp_path / "film.mp4", [(1, 20.0)], fps=10)
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 2.5, "longest_wait_s": 1, "silent_s": 2}})
    recorder = Recorder(tmp_path / "out", 60)
    with streamed(as_stream(film, tmp_path / "camera.ts"), times=2) as address:
        source = open_source(address, recorder, (*FAULTY, befalls))
        found = list(source.arrivals(cfg, Known(), threading.Event()))
    ticks = [each for each in found if isinstance(each, FilmTick)]
    assert [each.film.number for each in ticks] == [0] * 10 + [1] * 20
    (lost,) = [each for each in found if isinstance(each, Note) and each.kind == "decoder_lost"]
    assert told in lost.text
    came = sum(each.tick.frame_count for each in ticks if each.film.number == 0)
    assert befalls == "hang" or lost.lost_frames == 123 - came
    assert [each.kind for each in found if isinstance(each, Note)][1] == "reconnect"
    assert not list((tmp_path / "out/recording").glob("*.part"))
    with Scanner(ChildLimits()) as scanner:
        cut = scanner.cut(recorder.recordings(6, 9), 6, 9, tmp_path / "clip.mp4", 1.0)
    assert (cut.start_s, cut.end_s) == pytest.approx((6, 9))  # recorded before its decoder was lost


@pytest.mark.parametrize(("first", "frames"), [(0, 60), (1, 20)])
def test_a_slow_camera_is_alive_as_long_as_packets_come(tmp_path, first, frames):
    """A frame a second, ten times as fast; from its beginning, and from after a key frame on."""
    shots, slow = [(1, 60.0)], {"g": "40", "bf": "0", "sc_threshold": "0"}
    film = make_film(tmp_path / "film.mp4", shots, fps=1, options=slow)
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 0, "silent_s": 4}})
    recorder = Recorder(tmp_path / "out", 60)
    with paced(film, speed=10, first=first) as (address, sender):
        source = open_source(address, recorder)
        arrivals = source.arrivals(cfg, Known(), threading.Event())
        seen = [(each, time.time() - sender.began_at) for each in arrivals]
    ticks = [(each.tick.number, at) for each, at in seen if isinstance(each, FilmTick)]
    assert [each.kind for each, _ in seen if isinstance(each, Note)] == ["ended"]
    assert [number for number, _ in ticks] == list(range(60 - frames - first, 60 - first))
    assert ticks[0][1] < 4 or first  # it is not read to its end first
    (whole,) = recorder.recordings(0, 60)[:1]
    with Scanner(ChildLimits()) as scanner:
        cut = scanner.cut([whole], whole.starts_s, whole.starts_s + 5, tmp_path / "clip.mp4", 1.0)
    assert (cut.start_s, cut.end_s) == (whole.starts_s, whole.starts_s + 5)


def test_a_film_that_its_decoder_does_not_survive_ends_no_watch(tmp_path):
    place = tmp_path / "films"
    place.mkdir()
    for name in ("a.mp4", "b.mp4"):
        make_film(place / name, [(1, 12.0)], fps=10)
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 0}})
    source = open_source(str(place), Recorder(tmp_path / "out", 10), (*FAULTY, "crash"))
    found = list(source.arrivals(cfg, Known(), threading.Event()))
    assert [each.film.name for each in found if isinstance(each, FilmTick)] == ["a.mp4"] * 10 + ["b.mp4"] * 10
    notes = [each.text for each in found if isinstance(each, Note)]
    assert [each.partition(":")[0] for each in notes] == ["a.mp4", "b.mp4"]


def test_a_clip_that_cannot_be_cut_costs_no_watch(tmp_path):
    """What it would be cut from kills whatever decodes it."""
    (tmp_path / "crash").write_bytes(b"no film")
    with Scanner(ChildLimits(), FAULTY) as scanner:
        found = scanner.cut([Recording(str(tmp_path / "crash"), 0.0)], 0.0, 1.0, tmp_path / "clip.mp4", 1.0)
    assert isinstance(found, Quarantine)
    assert "SIGSEGV" in found.detail
