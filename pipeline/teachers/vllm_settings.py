"""What a vLLM server that we start can be set to, and the command line and environment that follow."""

import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reelproof.pipeline.disk.malloc import without_ours
from reelproof.pipeline.teachers.orphans import MARK
from reelproof.stages.teachers.protocol import AskingConfig, ShowingConfig, TeacherUnavailable

_KEY_OPTION = re.compile(r"--api[-_]k(e(y)?)?\b", re.IGNORECASE)
"""vLLM takes an option's name with either mark, and shortened while nothing else begins so."""
_KEY_NOT_SHOWN = "--api-key (not shown)"


USED_MEMORY = 0.9
"""Of a GPU, by all servers that share it, where nobody says otherwise."""
LEAST_MEMORY = 0.05
"""That a server can do anything with."""


class VllmTeacherConfig(ShowingConfig):
    """A vLLM server that reelproof starts: one for each worker that declares GPUs."""

    kind: Literal["vllm"] = "vllm"
    concurrency: int = Field(default=512, ge=1, le=4096)
    """Requests in flight, each for up to 16 answers to a question: twice the number of answers that vLLM by
    default works on at once, so that its queue does not run dry."""
    model: str = Field(min_length=1)
    """The model is a folder, or a name on the Hub."""
    revision: str | None = Field(default=None, min_length=1)
    """The revision on the Hub; for a folder, by default, a hash of its files."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The weights are held in this type; `auto` takes the one that they were saved in."""
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    """One server spans so many GPUs."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Tokens of prompt and answer together; by default what the model allows."""
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    """The server may take this share of a GPU's memory; by default 0.9, divided among those that share it."""
    limit_images: int = Field(default=64, ge=0)
    """One request holds at most so many images."""
    extra_args: tuple[str, ...] = ()
    """For vLLM's own command line, as they are, such as `--enforce-eager`."""
    executable: str = sys.executable
    """The Python of the environment that holds vLLM; it can be another than reelproof's."""
    start_timeout_s: float = Field(default=1800, gt=0)
    """Loading the weights and compiling may take so long."""

    @model_validator(mode="before")
    @classmethod
    def _hides_a_key(cls, settings: Any) -> Any:
        """It is refused below, and no error may quote it."""
        if isinstance(settings, dict) and _KEY_OPTION.search(str(settings.get("extra_args"))):
            return settings | {"extra_args": (_KEY_NOT_SHOWN,)}
        return settings

    @field_validator("extra_args")
    @classmethod
    def _want_no_key(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if _KEY_NOT_SHOWN in words:
            raise ValueError(
                "a server of our own is asked without a key; leave --api-key out: it listens on this machine "
                "alone"
            )
        return words


NOTHING_FROM_THE_WORKING_FOLDER = {"PYTHONSAFEPATH": "1"}
"""For a Python's environment: a `queue.py` that lies where we were started is not imported."""


def vllm_command(cfg: VllmTeacherConfig, served_name: str, port: int) -> tuple[str, ...]:
    """The server's command line, on loopback.

    `vllm serve` looks for a distribution called vllm, which the CPU build is not; its module does not.
    """
    folder = Path(cfg.model).expanduser()
    settings = {
        "--model": str(folder.resolve()) if folder.is_dir() else cfg.model,
        "--served-model-name": served_name,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": cfg.dtype,
        "--tensor-parallel-size": str(cfg.tensor_parallel),
        "--gpu-memory-utilization": str(cfg.gpu_memory_utilization or USED_MEMORY),
        "--limit-mm-per-prompt": json.dumps({"image": cfg.limit_images, "video": int(cfg.frames_as_video)}),
    }
    if cfg.frames_folder is not None:
        settings["--allowed-local-media-path"] = str(Path(cfg.frames_folder).expanduser().absolute())
    if cfg.revision is not None and not folder.is_dir():
        settings["--revision"] = cfg.revision
    if cfg.max_model_len is not None:
        settings["--max-model-len"] = str(cfg.max_model_len)
    words = [word for setting in settings.items() for word in setting]
    words.append("--disable-uvicorn-access-log")  # a line per request is no log to keep
    if cfg.frames_as_video:
        words.append(
            "--trust-request-mm-kwargs"
        )  # none but us asks it, and when frames were is told by request
    return (cfg.executable, "-m", "vllm.entrypoints.openai.api_server", *words, *cfg.extra_args)


def server_key(cfg: VllmTeacherConfig) -> str:
    """12 hex digits of what the server is; how it is asked does not matter."""
    content = cfg.model_dump_json(exclude=set(AskingConfig.model_fields))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def sets_model_itself(cfg: VllmTeacherConfig) -> bool:
    """Whether arguments of vLLM's own change what the model's config says of context or vision."""
    names = [word.replace("_", "-") for word in cfg.extra_args]
    return any(name.startswith(("--max-model", "--hf-", "--rope-", "--config")) for name in names)


def vllm_environment(
    devices: Sequence[str], mark: str, more: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Ours, with the devices to use, no usage reports, the mark that its processes are known by, and `more`;
    without how our workers take memory.

    Without the key that another server may want: with it, this one would want it of us.
    """
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", MARK: mark, **more}
    environment = without_ours(os.environ) | NOTHING_FROM_THE_WORKING_FOLDER | ours
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):  # the server's Python is another one
        environment.pop(name, None)
    environment.pop("VLLM_API_KEY", None)
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return environment


def sharing_gpus(cfgs: Sequence[VllmTeacherConfig]) -> list[VllmTeacherConfig]:
    """Servers that one worker keeps on its GPUs, each with a share of their memory: they fit together.

    Raises TeacherUnavailable where they want more than there is.
    """
    wanted = sum(cfg.gpu_memory_utilization or 0 for cfg in cfgs)
    others = sum(cfg.gpu_memory_utilization is None for cfg in cfgs)
    each = (USED_MEMORY - wanted) / others if others else 0.0
    if wanted > 1 or (others and each < LEAST_MEMORY):
        names = ", ".join(f"{cfg.model} {cfg.gpu_memory_utilization or 'the rest'}" for cfg in cfgs)
        raise TeacherUnavailable(
            f"the vLLM servers share their GPUs and want more memory than these have ({names}); lower "
            "gpu_memory_utilization, or leave it out: then what there is is divided"
        )
    share = {"gpu_memory_utilization": math.floor(each * 1000) / 1000}
    return [cfg if cfg.gpu_memory_utilization else cfg.model_copy(update=share) for cfg in cfgs]
