"""What a vLLM server that we start can be set to, and the command line that follows."""

import sys
from typing import Literal

from pydantic import Field

from stages.teacher import AskingConfig


class VllmTeacherConfig(AskingConfig):
    """A vLLM server that reelproof starts: one for each worker that declares GPUs."""

    kind: Literal["vllm"] = "vllm"
    model: str = Field(min_length=1)
    """A folder, or a name on the Hub."""
    revision: str | None = Field(default=None, min_length=1)
    """On the Hub; for a folder, by default, a hash of its files."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    """GPUs that one server spans."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Tokens of prompt and answer together; by default what the model allows."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    limit_images: int = Field(default=64, ge=0)
    """Images in one request at most."""
    extra_args: tuple[str, ...] = ()
    """For vLLM's own command line, as they are, such as `--enforce-eager`."""
    executable: str = sys.executable
    """The Python of the environment that holds vLLM; it can be another than reelproof's."""
    start_timeout_s: float = Field(default=1800, gt=0)
    """Loading the weights and compiling may take so long."""
