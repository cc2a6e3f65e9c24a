import subprocess
import sys

from tests.benchmarks.synthetic_build import write_synthetic_build

SCRIPT = """
import sys
import pyarrow as pa
from reelproof.pipeline.cli import cli

cli(["refilter", sys.argv[1], "--set", "card.plots=false"], standalone_mode=False)
pool, loaded = pa.default_memory_pool().backend_name, "pandas" in sys.modules
print(pool, loaded, len(pa.table({"a": [1]}).to_pandas()), file=sys.stderr)
"""


def test_a_refilter_takes_the_allocator_it_should_and_loads_pandas_only_where_it_is_asked_for(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    build = write_synthetic_build(tmp_path, 272).store.url
    assert last_line(build) == "jemalloc False 1"
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    assert last_line(build) == "system False 1"


def last_line(build: str) -> str:
    command = [sys.executable, "-c", SCRIPT, build]
    return subprocess.run(command, capture_output=True, check=True, text=True).stderr.splitlines()[-1]
