"""The CPU build of vLLM that `make vllm` makes, and how a server of it is run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelproof.pipeline.teachers.vllm_server import VllmServer, use_vllm_server
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig

PYTHON = Path(__file__).parents[1] / ".venv-vllm" / "bin" / "python"
CPU_ARGS = (
    "--enforce-eager",
    "--no-enable-chunked-prefill",  # on a CPU, vLLM 0.32 dies of a seeded prompt that it reads in pieces
    "--max-num-batched-tokens",
    "4096",
    "--distributed-executor-backend",  # one process less: that of its own would spin on a core while it waits
    "vllm.v1.executor.uniproc_executor.UniProcExecutor",
)
CPU_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


@contextmanager
def running(cfg: VllmTeacherConfig, name: str) -> Iterator[VllmServer]:
    """A server that answers, until the block ends."""
    os.environ |= CPU_ENVIRONMENT
    with use_vllm_server(cfg, name) as server:
        yield server
