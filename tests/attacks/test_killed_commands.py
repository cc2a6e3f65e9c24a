"""`refilter`, `publish`, `card` and `export`, killed at any moment and run again, leave what they should.

`REELPROOF_KILLS=20 pytest tests/attacks/test_killed_commands.py` tries as many moments of each.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from reelproof.pipeline.build import refilter
from reelproof.pipeline.curate import rewrite_card
from reelproof.pipeline.dataset.reading import open_dataset
from reelproof.pipeline.dataset.sums import wrong_files
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.export.export import export
from reelproof.pipeline.publish.publish import FolderTarget, publish
from reelproof.pipeline.workplace import open_workplace
from tests.killed import states_at_changes

KILLS = int(os.environ.get("REELPROOF_KILLS", "2"))


def decide_anew(build: str, _: str) -> None:
    """As the command does: the build itself is what changes."""
    refilter(build, ["policy=permissive"])


def publish_it(build: str, target: str) -> None:
    """As the command does, from a build to a folder."""
    publish(Store(build), FolderTarget(target))


def write_card(build: str, _: str) -> None:
    """As the command does: the build itself is what changes."""
    shutil.rmtree(Path(build) / "dataset" / "plots", ignore_errors=True)
    rewrite_card(open_workplace(build))


def export_it(build: str, target: str) -> None:
    """As the command does."""
    export(Path(build), Path(target), "trl")


def held(folder: Path) -> dict[str, bytes]:
    """Every file that a user sees."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in named.items() if not name.startswith(".")}


IN_THE_BUILD = (decide_anew, write_card)


@pytest.mark.parametrize("work", [decide_anew, publish_it, write_card, export_it])
def test_what_was_killed_and_run_again_leaves_what_it_would_have(work, built_here, tmp_path):
    build = Path(shutil.copytree(built_here[0], tmp_path / "build"))
    (tmp_path / "place" / "target").mkdir(parents=True)
    changed, inside = (build, "dataset") if work in IN_THE_BUILD else (tmp_path / "place", "target")
    into = tmp_path / "states"
    states = states_at_changes(changed, into, work, str(build), str(tmp_path / "place" / "target"))
    wanted = held(changed / inside)
    assert min(len(wanted), len(states)) > 3
    assert work is not decide_anew or wanted != held(built_here[0] / inside)
    for state in random.Random(work.__name__).sample(states, min(KILLS, len(states))):
        if not (work is export_it and held(state / inside)):  # it is there whole or not at all
            work(str(state if work in IN_THE_BUILD else build), str(state / inside))
        assert held(state / inside) == wanted, state.name
        if work is not export_it:
            files = Store(str(state / inside))
            shards = {each.path: each.sha256 for each in open_dataset(files).contents.shards}
            assert list(wrong_files(files, ".", shards)) == []
