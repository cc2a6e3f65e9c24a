"""Requests that ended in a failure are no completions: once the server is well, they can be asked again."""

from functools import partial

import pytest

from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.ingest import Again
from reelproof.stages.teachers import openai_server, openai_teacher
from tests.pipeline.conftest import film
from tests.server_builds import VIDEOS, Worked, one_worker, recipe_of_films
from tests.stub_server import StubServer, refusal

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("servers")]
CHECKS = 4
"""Requests of the check before a build."""


@pytest.fixture
def recipe_of(tmp_path, monkeypatch):
    for module in (openai_server, openai_teacher):
        monkeypatch.setattr(module, "FIRST_WAIT_S", 0.01)
        monkeypatch.setattr(module, "LONGEST_WAIT_S", 0.1)
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
    assert later.use.needed == 0  # what is done stays done, until it is asked for
    asked_again = [each.request_id for each in mended.logged[0:]]
    assert {each for each in asked_again if asked_again.count(each) > 1} == failed
    assert (mended.use.calls, mended.use.failed) == (len(failed), 0)
    assert told(mended) == told(healthy) != told(later)
    assert nothing_left.use.needed == 0
