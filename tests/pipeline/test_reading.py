"""What the page on reading shards shows, run as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "pipeline/recipes/read.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

CHECKS = {
    "streaming=True": """
assert row["images"][0].size == (320, 180)
assert len(row["images"]) == len(row["frame_times_s"]) and row["thought"]
""",
    "import polars": """
import pathlib
assert reasons["len"].sum() >= pl.read_parquet("out/demo/dataset/data/rejected/*.parquet").height > 0
""",
    "import duckdb": """
rows = pl.read_parquet("out/demo/dataset/data/sft/*.parquet")
assert sum(traces for _, traces, _, _ in tasks) == rows.height
first = pl.col("images").list.first().struct.field("bytes").bin.size()
assert [size for *_, size in tasks] == rows.group_by("task").agg(first.mean()).sort("task")["bytes"].to_list()
""",
    "DataLoader": """
assert len(frames) == len(thoughts) > 0 and frames[0][0].size == (320, 180)
""",
    "import SFTConfig": """
import json, pathlib
states = [json.loads(each.read_text()) for each in pathlib.Path("out/trl").rglob("trainer_state.json")]
assert states[0]["global_step"] == 1
""",
}
AT_WORK = ("DataLoader", "import SFTConfig")
"""Those that start processes, and then threads, of their own."""


def mark_of(snippet: str) -> str:
    (mark,) = [each for each in CHECKS if each in snippet]
    return mark


@pytest.fixture(scope="module")
def folder(built, tmp_path_factory) -> Path:
    """A folder like this repository's after `make demo`, and a tiny model under the name of a large one."""
    place = tmp_path_factory.mktemp("reading")
    (place / "out").mkdir()
    (place / "out/demo").symlink_to(built)
    return place


def run(folder: Path, script: str) -> None:
    variables = os.environ | {
        "HF_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:datasets", "-c", script],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_reader_is_shown_and_checked():
    assert [mark_of(snippet) for snippet in SNIPPETS] == list(CHECKS)


def test_readers_of_tables_read_the_shards(folder):
    shown = [snippet for snippet in SNIPPETS if mark_of(snippet) not in AT_WORK]
    run(folder, "\n".join(snippet + CHECKS[mark_of(snippet)] for snippet in shown))


def test_workers_of_a_data_loader_read_the_shards_and_trl_trains_on_them(folder):
    tiny = pytest.importorskip("reelproof.data_cards.tiny_model")
    model = tiny.build_tiny_model(["At [1.2 s] I see it."], tiny.TinyModelConfig(context_tokens=4096))
    images = model.processor.image_processor
    images.do_resize, images.size = True, {"height": 36, "width": 36}
    tiny.save_tiny_model(model, folder / "Qwen/Qwen3-VL-2B-Instruct")
    shown = [snippet + CHECKS[mark_of(snippet)] for snippet in SNIPPETS if mark_of(snippet) in AT_WORK]
    run(folder, "\n".join(f"exec({each!r}, {{}})" for each in shown))  # nothing of one is known to the next
