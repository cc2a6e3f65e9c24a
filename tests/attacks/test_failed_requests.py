"""Requests that ended in a failure are no completions: once the server is well, they can be asked again."""

from functools import partial

import pytest

from reelproof.pipeline.accounts.accounting import TeacherUse, total_use
from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.ingest import Again
from reelproof.pipeline.progress.run_summary import RunSummary
from reelproof.stages.teachers import pauses
from tests.pipeline.conftest import film
from tests.server_builds import VIDEOS, Worked, one_worker, recipe_of_films
from tests.stub_server import StubServer, refusal

pytestmark = pytest.mark.real
RAN = {
    "command": "build", "seconds": 1.0, "videos": 1, "quarantined": 0, "videos_decoded": 0,
    "teacher_calls": 0, "completions_reused": 0, "kept": {"sft": 0, "rl": 0, "dpo": 0}, "rejected": {},
    "shards_written": 0, "shards_unchanged": 0, "peak_rss_mb": 1.0, "dataset_sha256": "0" * 64,
}  # fmt: skip
CHECKS = 4
"""Requests of the check before a build."""


@pytest.fixture
def recipe_of(tmp_path, monkeypatch):
    monkeypatch.setattr(pauses, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(pauses, "LONGEST_WAIT_S", 0.1)
    films = tmp_path / "films"
    films.mkdir()
    for number in range(VIDEOS):
        film(films, number)
    with one_worker() as scheduler:
        yield partial(recipe_of_films, tmp_path, films, scheduler)


def told(worked):
    """Every trace's words and verdict."""
    verdicts = decide_all(worked.workplace).verdicts.sort("trace_id")
    return verdicts.drop("published").rows()


def reasons_of(worked):
    return decide_all(worked.workplace).verdicts["reasons"].to_list()


def test_a_run_of_which_most_requests_failed_says_so_and_does_not_end_well():
    told = RunSummary.model_validate(RAN | {"use": {"calls": 10, "failed": 6}})
    assert told.mostly_failed
    assert "6 of 10 in this run" in told.told()
    uses = [TeacherUse(calls=1, failed=1, last_failure="HTTP 413: too large"), TeacherUse(calls=1)]
    told = RunSummary.model_validate(RAN | {"use": total_use(uses)})
    assert "1 of 2 in this run (the last: HTTP 413: too large), and" in told.told()
    later = RunSummary.model_validate(RAN | {"rejected": {"request_failed": 7, "lucky": 2}, "traces": 12})
    assert later.mostly_failed
    assert "7 of 12 thoughts never came; `reelproof build … --retry-failed`" in later.told()
    few = RunSummary.model_validate(RAN | {"use": {"calls": 10, "failed": 5}, "traces": 10})
    assert not few.mostly_failed
    assert "request" not in RunSummary.model_validate(RAN).told()


def test_failures_are_asked_again_on_request_and_nothing_else_is(recipe_of, tmp_path):
    ill = True

    def fault(number, body):
        return refusal(400, "cannot open image") if ill and number >= CHECKS and number % 3 == 0 else None

    with StubServer(fault=fault, reasons=True) as stub:
        recipe = recipe_of({"kind": "server", "model": "stub", "urls": [stub.url]}, questions_a_film=10)
        first = Worked(recipe, tmp_path / "out")
        failed = {each.request_id for each in first.logged if each.error is not None}
        ill = False
        later = Worked(recipe, tmp_path / "out")
        mended = Worked(recipe, tmp_path / "out", Again(failed=True))
        healthy = Worked(recipe, tmp_path / "healthy")
        nothing_left = Worked(recipe, tmp_path / "out", Again(failed=True))
    assert 5 <= len(failed) < first.use.calls
    assert first.use.last_failure == "HTTP 400: cannot open image"
    assert later.use.needed == 0  # what is done stays done, until it is asked for
    asked_again = [each.request_id for each in mended.logged[0:]]
    assert {each for each in asked_again if asked_again.count(each) > 1} == failed
    assert (mended.use.calls, mended.use.failed) == (len(failed), 0)
    assert told(mended) == told(healthy) != told(later)
    assert nothing_left.use.needed == 0
    assert sum(first.workplace.failed_requests().values()) >= len(failed)
    assert mended.workplace.failed_requests() == {}
    never_came = [row for row in reasons_of(later) if "request_failed" in row]
    assert never_came
    assert set(map(tuple, never_came)) == {("request_failed",)}
