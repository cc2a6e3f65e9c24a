"""What a dry run tells of a build that is half done, and what comes after one."""

import io
import re

import pytest

from reelproof.pipeline.commands.dry_run import dry_run
from reelproof.pipeline.commands.last_lines import tell_next
from reelproof.pipeline.commands.terminal import PlainConsole
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.ingest import Again, ingest
from reelproof.pipeline.inputs.sources import list_sources
from tests.server_builds import recipe_of_films


def test_a_step_is_done_again_for_the_reason_that_is_told(tmp_path):
    films = tmp_path / "films"  # which nobody opens
    films.mkdir()
    for name in "abc":
        (films / f"{name}.mp4").write_text(name)
    recipe = recipe_of_films(tmp_path, films, "tcp://127.0.0.1:9", {"kind": "signals"})
    store, console = Store(str(tmp_path / "out")), PlainConsole(file=io.StringIO(), width=200)
    store.claim()
    ingest(store, recipe, list_sources(recipe.sources), Again(), console.print).workplace.save()
    store.write_bytes(f"{build_dag(recipe).named('questions').folder}/part-00000-0badcafe.parquet", b"")
    store.write_bytes("parts/questions-0badcafe/part-00000-0badcafe.parquet", b"")
    store.write_bytes("parts/questions-0badcafe/part-00001-0badcafe.parquet", b"")
    dry_run(recipe, store.url, Again(), console)
    told = {line.split()[0]: re.sub(" +", " ", line) for line in console.file.getvalue().splitlines()}
    assert told["clips"].strip() == "clips 3 of 3 not done yet (3)"
    assert told["questions"].strip() == (
        "questions 3 of 3 questions, subtitles or retries changed (1), "
        "settings or what is above changed (1), not done yet (1)"
    )


@pytest.mark.parametrize(("preset", "other"), [("balanced", "strict"), ("strict", "balanced")])
def test_another_preset_is_offered_than_the_one_in_force(preset, other):
    assert f"  reelproof refilter 'my films' --set policy.preset={other}" in tell_next("my films", preset)
