import subprocess
import sys
import threading

import psutil
import pytest

from reelproof.pipeline.decoder import waiting
from reelproof.pipeline.decoder.child import Scanner, scan_in_child
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.watching.arrivals import FilmTick, Known
from reelproof.pipeline.watching.recorder import Recorder
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.pipeline.watching.sources import open_source
from reelproof.schemas.footage import Footage
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig
from tests.films import Shot, make_film
from tests.streaming import as_stream, streamed

pytestmark = pytest.mark.real
CFG = FootageConfig()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(make_film(tmp_path_factory.mktemp("films") / "film.mp4"))


@pytest.fixture
def children():
    """Those of this process that a test started and that run."""
    waiting.end_waiting()
    before = set(psutil.Process().children())
    yield lambda: [each for each in psutil.Process().children() if each not in before]
    waiting.end_waiting()


def scan(path: str, limits: ChildLimits = ChildLimits()) -> None:  # noqa: B008 - a constant
    (footage,) = scan_in_child([LocalVideo(path, "0" * 64, "film.mp4", 1000)], CFG, limits)
    assert isinstance(footage, Footage)


def test_a_child_waits_for_the_next_scan(path, children):
    scan(path)
    first = children()
    scan(path)
    assert children() == first
    assert len(first) == 1


def test_a_connection_that_ended_leaves_its_child_to_the_next(tmp_path, children):
    film = make_film(tmp_path / "film.mp4", [Shot(1, 8.0)], fps=10)
    cfg = WatchConfig.model_validate({"stream": {"patience_s": 2.5, "longest_wait_s": 1, "silent_s": 2}})
    with streamed(as_stream(film, tmp_path / "camera.ts"), times=2) as address:
        arrivals = open_source(address, Recorder(tmp_path / "out", 10)).arrivals(
            cfg, Known(), threading.Event()
        )
        seen = {each.film.number: children() for each in arrivals if isinstance(each, FilmTick)}
    assert len(seen[0]) == 1
    assert seen[1] == seen[0]


def test_scans_at_one_time_have_a_child_each(path, children):
    with Scanner(ChildLimits()) as one, Scanner(ChildLimits()) as other:
        for scanner in (one, other):
            list(scanner.footage(LocalVideo(path, "0" * 64, "film.mp4", 1000), CFG))
        assert len(children()) == 2


def test_a_child_that_was_held_to_other_limits_is_none_of_ours(path, children):
    """What a film may take must not hang on what was scanned before."""
    scan(path, ChildLimits(max_rss_mb=4000))
    scan(path)
    assert len(children()) == 2


def test_a_name_means_the_file_of_the_folder_that_we_are_in_now(path, children, tmp_path, monkeypatch):
    scan(path)
    make_film(tmp_path / "beside.mp4")
    monkeypatch.chdir(tmp_path)
    scan("beside.mp4")
    assert len(children()) == 2


def test_a_child_that_did_much_waits_for_nobody(path, children, monkeypatch):
    monkeypatch.setattr(waiting, "MOST_JOBS", 2)
    scan(path)
    assert len(children()) == 1
    scan(path)
    assert children() == []


def test_a_child_that_nobody_wants_ends(path, children, monkeypatch):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.01)
    scan(path)
    _, alive = psutil.wait_procs(children(), timeout=10)
    assert not alive
    scan(path)


def test_a_child_in_the_middle_of_a_film_ends_with_who_gave_up(children, tmp_path):
    long = str(make_film(tmp_path / "long.mp4", [Shot(1, 60.0)], fps=10))
    cfg = FootageConfig(candidate_every_s=0.1, min_window_s=0.1)

    def give_up(scanned_s: float, of_s: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Scanner(ChildLimits()) as scanner:
        list(scanner.footage(LocalVideo(long, "0" * 64, "long.mp4", 1000), cfg, give_up))
    assert children() == []


def test_a_child_that_died_as_it_waited_is_replaced(path, children):
    scan(path)
    (first,) = children()
    first.kill()
    first.wait(10)
    scan(path)
    assert [each.pid for each in children()] != [first.pid]


def test_a_child_outlives_the_thread_that_wanted_it_first(path, children):
    thread = threading.Thread(target=scan, args=(path,))
    thread.start()
    thread.join()
    first = children()
    scan(path)
    assert children() == first


FORK = """
import os, sys
import psutil
from tests.pipeline.test_waiting import scan
scan(sys.argv[1])
if (pid := os.fork()) == 0:
    scan(sys.argv[1])
    os._exit(len(psutil.Process().children()))
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
scan(sys.argv[1])
assert len(psutil.Process().children()) == 1
"""


def test_a_fork_has_children_of_its_own(path):
    subprocess.run([sys.executable, "-c", FORK, path], check=True, timeout=120)
