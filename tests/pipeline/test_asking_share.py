"""Workers of a cluster that all ask the same server."""

import subprocess
import sys

import pytest

from tests.server_builds import Worked, recipe_of_films
from tests.stub_server import StubServer

pytestmark = pytest.mark.real


def test_workers_share_what_a_server_is_asked_at_once(films, ready, tmp_path):
    """Two of them ask; without their shares, twice as many requests would be in flight."""
    with StubServer(latency_s=0.3) as server:
        teacher = {"kind": "server", "model": "stub", "urls": [server.url], "concurrency": 6}
        recipe = recipe_of_films(tmp_path, films, ready[1], teacher, rollouts={"rollouts": 4})
        worked = Worked(recipe, tmp_path / "out")
    assert worked.traces == 6 * 4 * 4
    assert 3 < server.most_in_flight <= 6


def test_a_build_that_asks_no_server_needs_no_client():
    without = "import sys; sys.modules['aiohttp'] = None; import reelproof.pipeline.work_through"
    subprocess.run([sys.executable, "-c", without], check=True)
