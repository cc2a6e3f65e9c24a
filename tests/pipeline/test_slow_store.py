"""How many rounds of requests to an object store a command takes, on a build of many parts."""

from pathlib import Path

import pytest
from rich.console import Console

from reelproof.pipeline.build import build, refilter
from reelproof.pipeline.ingest import Again
from reelproof.pipeline.workplace import open_workplace
from tests.pipeline.conftest import film, reelproof_here
from tests.slow_store import counted_rounds


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, ready) -> Path:
    """A build of eight films, each a part of its own."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "films").mkdir()
    for number in range(8):
        film(folder / "films", number)
    ran = reelproof_here(
        "build", folder / "films", "--out", folder / "build", *ready, "--set", "parts.videos=1"
    )
    assert ran.code == 0, ran.err
    return folder / "build"


def test_refilter_asks_an_object_store_side_by_side(finished):
    with counted_rounds() as rounds:
        summary, _ = refilter(f"slow://{finished}", ["policy.min_thought_words=1000"])
    assert summary.shards_written > 0
    assert rounds.now <= 60, rounds.longest()


def test_build_with_nothing_to_do_asks_an_object_store_side_by_side(finished):
    recipe = open_workplace(f"slow://{finished}").recipe
    with counted_rounds() as rounds:
        summary = build(recipe, f"slow://{finished}", Again(), console=Console(quiet=True))
    assert (summary.shards_written, summary.videos_decoded) == (0, 0)
    assert rounds.now <= 40, rounds.longest()
