"""What a run of reinforcement learning says of its rollouts -> a vLLM server that draws them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from reelproof.pipeline.settings_text import parse_settings
from reelproof.pipeline.teachers.gpu_claims import visible_gpus
from reelproof.pipeline.teachers.vllm_check import check_vllm
from reelproof.pipeline.teachers.vllm_server import VllmServer, ready
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.schemas.errors import UsageError
from reelproof.stages.teachers.protocol import TeacherNeeds
from reelproof.training.runs import model_path
from reelproof.training.settings.rl import RlConfig

SERVED = "policy"
"""What the server calls the model that the run starts from."""
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Those that vLLM keeps room for."""
_TAKES_WEIGHTS = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_SERVER_DEV_MODE": "1"}


@contextmanager
def rollout_server(cfg: RlConfig, model: str) -> Iterator[str]:
    """The address of a server of the model, for as long as the block lasts.

    It runs on a GPU that no process of the run has, or sleeps on the first of those while the policy learns.
    Raises UsageError where there is none, and TeacherUnavailable where it cannot be started.
    """
    settings = rollout_settings(cfg, model)
    check_vllm(settings, TeacherNeeds(images=0, max_tokens=cfg.sampling.max_tokens))
    training = visible_gpus()[: int(os.environ.get("LOCAL_WORLD_SIZE", "1"))]
    free = len(visible_gpus()) - len(training)
    if visible_gpus() and not cfg.backend.sleeps and free < settings.tensor_parallel:
        raise UsageError(
            f"backend.kind=vllm: the server needs {settings.tensor_parallel} GPUs beside the {len(training)} "
            f"that train, and {free} are free; train on fewer, or set backend.sleeps=true to share"
        )
    server = VllmServer(settings, SERVED, _TAKES_WEIGHTS, () if cfg.backend.sleeps else training)
    click.echo(f"starting vLLM for rollouts; what it says goes to {server.log_path}", err=True)
    with ready(server):
        yield server.url


def rollout_settings(cfg: RlConfig, model: str) -> VllmTeacherConfig:
    """How that server is started. Raises UsageError for settings that it does not have."""
    path = model_path(model)
    given = parse_settings(VllmTeacherConfig, {"model": path, **cfg.backend.vllm}, (), "backend.vllm")
    words = ["--logprobs-mode", "processed_logprobs"]  # those of the draws, as the trainer counts them
    if cfg.backend.sleeps:
        words.append("--enable-sleep-mode")
    if cfg.lora is not None:
        rank = next((each for each in _LORA_RANKS if each >= cfg.lora.rank), cfg.lora.rank)
        words += ["--enable-lora", "--max-lora-rank", str(rank), "--enable-tower-connector-lora"]
    return given.model_copy(update={"extra_args": (*words, *given.extra_args)})
