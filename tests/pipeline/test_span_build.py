"""A long film that several tasks scan: the part's file is, to the byte, what one pass leaves."""

import tempfile
from pathlib import Path

import pytest
from distributed import Client

from reelproof.pipeline.cluster import ahead
from reelproof.pipeline.cluster.schedule import run_todos
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.files import stat_file
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.health import find_faults, mended
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.parts.run_step import Receipt, ScannedAhead, StepBroken, run_ahead, run_step
from reelproof.pipeline.parts.step import PartStep, Step
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.steps.footage import FOOTAGE
from reelproof.schemas.source import SourceIdentity
from reelproof.stages.footage.scan import FootageConfig
from tests.films import Shot, erase, make_film
from tests.server_builds import one_worker

pytestmark = pytest.mark.real
STEP: Step[PartStep] = Step(FOOTAGE, (FootageConfig(), ChildLimits()))
SECONDS = 400.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shots = [Shot(look, SECONDS / 80) for look in range(80)]
    folder = tmp_path_factory.mktemp("films")
    return make_film(folder / "long.mp4", shots, fps=5, size=(96, 64), options={"g": "50"})


@pytest.fixture(scope="module")
def one_pass(film: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = str(tmp_path_factory.mktemp("one"))
    receipt = run_step(STEP, inputs_of(film), store)
    assert receipt.film_s == pytest.approx(SECONDS, abs=1)
    return made(store, film)


def inputs_of(film: Path) -> PartInputs:
    source = SourceIdentity(video_id="5" * 64, file=stat_file(str(film), "unknown"))
    return PartInputs(part=Part(number=0, video_ids=(source.video_id,)), sources=(source,))


def made(store: str, film: Path) -> bytes:
    return Store(store).read_bytes(STEP.file(inputs_of(film)))


def scan_shares(film: Path, store: str, shares: int, done: range) -> float:
    """Seconds of film that these of the shares scanned."""
    inputs = inputs_of(film)
    planned = run_ahead(STEP, inputs, store, 0, None)
    return sum(run_ahead(STEP, inputs, store, 0, (each, shares), planned).film_s for each in done)


@pytest.mark.parametrize("shares", [1, 3])
def test_part_is_the_same_by_any_number_of_shares(film, one_pass, shares, tmp_path):
    store = str(tmp_path)
    assert scan_shares(film, store, shares, range(shares)) == pytest.approx(SECONDS, abs=1)
    receipt = run_step(STEP, inputs_of(film), store)
    assert (receipt.film_s, receipt.videos_decoded, receipt.rows) == (0, 1, 4)
    assert made(store, film) == one_pass
    assert Store(store).names("spans") == []


def test_shares_that_were_done_before_a_kill_are_not_done_again(film, one_pass, tmp_path):
    store = str(tmp_path)
    before_s = scan_shares(film, store, 4, range(2))
    assert 0 < before_s < SECONDS
    assert scan_shares(film, store, 2, range(2)) == pytest.approx(SECONDS - before_s, abs=1)
    assert run_step(STEP, inputs_of(film), store).film_s == 0
    assert made(store, film) == one_pass


def test_film_with_a_share_missing_is_scanned_in_one_pass(film, one_pass, tmp_path):
    store = str(tmp_path)
    scan_shares(film, store, 3, range(2))
    assert run_step(STEP, inputs_of(film), store).film_s == pytest.approx(SECONDS, abs=1)
    assert made(store, film) == one_pass


def test_damaged_film_is_scanned_in_one_pass_once_a_share_finds_it(film, tmp_path):
    broken = erase(film, tmp_path / "broken.mp4", 0.3, 0.32)
    shared, alone = str(tmp_path / "shared"), str(tmp_path / "alone")
    scanned_s = scan_shares(broken, shared, 4, range(4))
    assert scanned_s < SECONDS / 2  # those that come later need not begin
    run_step(STEP, inputs_of(broken), shared)
    run_step(STEP, inputs_of(broken), alone)
    assert made(shared, broken) == made(alone, broken)


def test_survey_that_a_disk_changed_is_told_taken_away_and_made_again(film, one_pass, tmp_path):
    store = Store(str(tmp_path))
    store.claim()
    scan_shares(film, store.url, 2, range(2))
    (folder,) = store.names("spans")
    name = f"spans/{folder}/survey.json"
    content = store.read_bytes(name)
    store.write_bytes(name, content.replace(b'"packets": ', b'"packets": 1', 1))
    assert [fault.name for fault in find_faults(store) if fault.name.startswith("spans/")] == [name]
    assert scan_shares(film, store.url, 2, range(2)) == 0  # left to the step, which meets it again
    told: list[str] = []
    mended(store, lambda: build_part(film, store.url), told.append)
    assert [line.partition(" ")[0] for line in told] == [name]
    assert made(store.url, film) == one_pass


def build_part(film: Path, store: str) -> None:
    """As a build does it, whose failed steps raise what they found damaged."""
    try:
        run_step(STEP, inputs_of(film), store)
    except StepBroken as error:
        raise error.damaged or error from error


def test_film_that_has_changed_is_told_by_the_step_alone(film, tmp_path):
    inputs = inputs_of(film)
    source = inputs.sources[0]
    other = source.model_copy(update={"file": source.file.model_copy(update={"version": "before"})})
    inputs = inputs.model_copy(update={"sources": (other,)})
    assert run_ahead(STEP, inputs, str(tmp_path), 0, None).film_s == 0
    assert run_step(STEP, inputs, str(tmp_path)).quarantined == 1


def test_film_is_not_blamed_for_a_disk_that_takes_nothing(film, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    with pytest.raises(StepBroken, match="No such file"):
        run_step(STEP, inputs_of(film), str(tmp_path / "store"))
    assert not Store(str(tmp_path / "store")).exists(STEP.file(inputs_of(film)))


def test_tasks_of_a_cluster_share_one_film(film, one_pass, tmp_path, monkeypatch):
    monkeypatch.setattr(ahead, "SHARE_BYTES", 1)
    with one_worker() as address, Client(address) as client:
        outcomes = list(run_todos(client, [Todo(inputs_of(film), (STEP,))], str(tmp_path), 3))
    shares = [each for each in outcomes if isinstance(each, ScannedAhead)]
    (receipt,) = [each for each in outcomes if isinstance(each, Receipt)]
    assert len(shares) == 5  # a plan, and two shares of each that decodes
    assert sum(each.film_s for each in shares) == pytest.approx(SECONDS, abs=1)
    assert receipt.film_s == 0
    assert made(str(tmp_path), film) == one_pass
