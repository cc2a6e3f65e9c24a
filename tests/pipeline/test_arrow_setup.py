import subprocess
import sys

from tests.benchmarks.synthetic_build import write_synthetic_build

REFILTER = """
from reelproof.pipeline.cli import cli

cli(["refilter", sys.argv[1], "--set", "card.plots=false"], standalone_mode=False)
"""
ALONE = """
from reelproof.pipeline.disk.arrow_setup import set_up_arrow

set_up_arrow()
"""
TELL = """
pool, loaded = pa.default_memory_pool().backend_name, "pandas" in sys.modules
print(pool, loaded, len(pa.table({"a": [1]}).to_pandas()), file=sys.stderr)
"""


def test_a_refilter_takes_the_allocator_it_should_and_loads_pandas_only_where_it_is_asked_for(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    build = write_synthetic_build(tmp_path, 272).store.url
    assert last_line(REFILTER, build) == "jemalloc False 1"
    assert last_line(ALONE) == "jemalloc False 1"
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    assert last_line(ALONE) == "system False 1"


def last_line(work: str, *arguments: str) -> str:
    command = [sys.executable, "-c", f"import sys\nimport pyarrow as pa\n{work}{TELL}", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stderr.splitlines()[-1]
