"""How many requests to an object store a command makes one after the other, on a build of many parts."""

from pathlib import Path

import pytest
from rich.console import Console

from reelproof.pipeline.build import build, refilter
from reelproof.pipeline.workplace import open_workplace
from tests.pipeline.conftest import film, reelproof
from tests.slow_store import counted_requests, one_after_the_other


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of eight films, each a part of its own."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "films").mkdir()
    for number in range(8):
        film(folder / "films", number)
    ran = reelproof("build", folder / "films", "--out", folder / "build", "--set", "parts.videos=1")
    assert ran.code == 0, ran.err
    return folder / "build"


def test_refilter_asks_an_object_store_side_by_side(finished):
    with counted_requests() as requests:
        summary, _ = refilter(f"slow://{finished}", ["policy.min_thought_words=9"])
    row = one_after_the_other(requests)
    assert summary.shards_written > 0
    assert len(row) <= 64, [each.what for each in row]


def test_build_with_nothing_to_do_asks_an_object_store_side_by_side(finished):
    recipe = open_workplace(f"slow://{finished}").recipe
    with counted_requests() as requests:
        summary = build(recipe, f"slow://{finished}", retry_quarantined=False, console=Console(quiet=True))
    row = one_after_the_other(requests)
    assert (summary.shards_written, summary.videos_decoded) == (0, 0)
    assert len(row) <= 40, [each.what for each in row]
