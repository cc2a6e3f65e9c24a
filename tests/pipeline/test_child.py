import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from reelproof.pipeline.decoder import waiting
from reelproof.pipeline.decoder.child import Scanner, scan_in_child
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.errors import BrokenHere
from reelproof.schemas.footage import Footage, Quarantine, QuarantineKind
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from tests.films import Shot, make_film

pytestmark = pytest.mark.real
FAULTY = (sys.executable, str(Path(__file__).with_name("faulty_decoding.py")))
CFG = FootageConfig()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(make_film(tmp_path_factory.mktemp("films") / "film.mp4"))


def sources(path: str, *names: str) -> list[LocalVideo]:
    return [LocalVideo(path, f"{index:064d}", name, 1000) for index, name in enumerate(names)]


def outcome(result: Footage | Quarantine) -> str:
    return result.kind.value if isinstance(result, Quarantine) else result.video.name


@pytest.fixture
def children():
    """The processes of this one that a test started."""
    waiting.end_waiting()
    before = set(psutil.Process().children())
    yield lambda: set(psutil.Process().children()) - before
    waiting.end_waiting()


def test_child_yields_what_a_scan_yields(path):
    films = sources(path, "a", "b")
    assert list(scan_in_child(films, CFG, ChildLimits())) == list(scan_footage(films, CFG))


def test_long_film_comes_through_the_child_a_row_at_a_time(tmp_path):
    long = str(make_film(tmp_path / "long.mp4", [Shot(1, 60.0)], fps=10, size=(160, 90)))
    cfg = FootageConfig(candidate_every_s=0.1, min_window_s=0.1)
    films = sources(long, "a", "b")
    told_s: list[float] = []
    with Scanner(ChildLimits()) as scanner:
        rows = list(scanner.footage(films[0], cfg, lambda scanned_s, of_s: told_s.append(scanned_s / of_s)))
    assert len(rows) == 2
    assert {row.frame_count for row in rows} == {rows[0].frame_count}
    assert told_s == [pytest.approx(rows[0].signals.time_s[-1] / 60), 1.0]
    assert list(scan_in_child(films, cfg, ChildLimits())) == list(scan_footage(films, cfg))


def test_child_that_fails_costs_one_video(path):
    limits = ChildLimits(base_s=60, per_video_second=0, max_rss_mb=450)
    names = ("a", "crash", "print", "b", "raise", "swell", "c")
    got = list(scan_in_child(sources(path, *names), CFG, limits, FAULTY))
    assert [outcome(each) for each in got] == ["a", "crashed", "print", "b", "crashed", "too_large", "c"]
    assert "SIGSEGV" in got[1].detail
    assert "a bug in the scan" in got[4].detail
    assert "allowed 450 MB" in got[5].detail


def test_child_that_hangs_costs_one_video(path):
    hasty = ChildLimits(base_s=5, per_video_second=0)
    got = list(scan_in_child(sources(path, "a", "hang", "b"), CFG, hasty, FAULTY))
    assert [outcome(each) for each in got] == ["a", "timeout", "b"]


def test_child_that_did_much_is_followed_by_another(path, children, monkeypatch):
    monkeypatch.setattr("reelproof.pipeline.decoder.child.MOST_JOBS", 2)
    films = sources(path, *"abc")
    scanning = scan_in_child(films, CFG, ChildLimits())
    got, seen = [], []
    for each in scanning:
        got.append(each)
        seen.append(children())
    assert got == list(scan_footage(films, CFG))
    assert seen[0] == seen[1] != seen[2]
    assert [len(each) for each in seen] == [1, 1, 1]


def test_child_is_reused(path, children):
    """Two hundred children would take minutes."""
    seen = set()
    for _ in scan_in_child(sources(path, *"abcde"), CFG, ChildLimits()):
        seen |= children()
    assert len(seen) == 1


def test_child_that_cannot_start_is_an_error(path):
    with pytest.raises(RuntimeError, match="did not start"):
        list(
            scan_in_child(
                sources(path, "a"), CFG, ChildLimits(), (sys.executable, "-c", "import nothing_here")
            )
        )


def test_film_that_does_not_fit_our_code_costs_one_video(path):
    got = list(scan_in_child(sources(path, "a", "misfit", "b"), CFG, ChildLimits(), FAULTY))
    assert [outcome(each) for each in got] == ["a", "crashed", "b"]
    assert "unexpected keyword argument" in got[1].detail


def test_library_that_does_not_fit_our_code_costs_no_video(path):
    with pytest.raises(BrokenHere, match=r"not even a film of our own.*unexpected keyword argument"):
        list(scan_in_child(sources(path, "a", "b"), CFG, ChildLimits(), (*FAULTY, "misfit")))


def test_missing_file_is_unreadable():
    (got,) = scan_in_child([LocalVideo("/nowhere/film.mp4", "0" * 64, "film.mp4", 0)], CFG, ChildLimits())
    assert got.kind is QuarantineKind.UNREADABLE


PARENT = """
import sys
from reelproof.pipeline.decoder.child import scan_in_child
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig
command = (sys.executable, {faulty!r})
films = [LocalVideo({path!r}, "0" * 64, name, 1000) for name in ("a", "hang")]
for each in scan_in_child(films, FootageConfig(), ChildLimits(base_s=600), command):
    print(flush=True)
"""


def test_child_dies_with_its_killed_parent(path):
    program = PARENT.format(faulty=FAULTY[1], path=path)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    gone, alive = psutil.wait_procs([child], timeout=10)
    assert gone == [child]
    assert not alive
