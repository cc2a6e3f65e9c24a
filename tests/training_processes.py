"""`train sft`, `dpo` and `rl` in processes of their own: killed in a step, or some that share the work."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import accelerate
import yaml
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin, InitProcessGroupKwargs
from torch.distributed import TCPStore

from reelproof.training import dpo, loop, sft
from reelproof.training.settings.runs import DpoConfig, SftConfig
from tests.forked import Ended, run_forked

ROOT = Path(__file__).parents[1]


def train(dataset: Path, model: str, out: Path, cfg: SftConfig) -> None:
    """As `train sft` does it, or `train dpo` where these are its settings."""
    if isinstance(cfg, DpoConfig):
        dpo.train_dpo(dataset, model, out, cfg)
    else:
        sft.train_sft(dataset, model, out, cfg)


def train_and_be_killed(dataset: Path, model: str, out: Path, cfg: SftConfig) -> None:
    """The same in a process that dies before its fourth step is applied."""
    module, name = (dpo, "PairTrainer") if isinstance(cfg, DpoConfig) else (sft, "Trainer")

    class Mortal(getattr(module, name)):
        def apply(self) -> Any:
            if self.schedule.last_epoch == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().apply()

    setattr(module, name, Mortal)
    train(dataset, model, out, cfg)


class Sharding(accelerate.Accelerator):
    """accelerate takes FSDP for GPUs alone; told so, it shares weights out over CPU processes as well."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        self.state.distributed_type = DistributedType.FSDP
        accelerate.PartialState().distributed_type = DistributedType.FSDP


def shard(work: Callable[..., None], *arguments: Any) -> None:
    """Do the work with weights that are shared out."""
    loop.Accelerator = Sharding  # type: ignore[misc]
    work(*arguments)


class Deep(accelerate.Accelerator):
    """accelerate has DeepSpeed's processes on GPUs talk; told how, those on a CPU do as well."""

    def __init__(self, **settings: Any) -> None:
        gloo = InitProcessGroupKwargs(backend="gloo")
        super().__init__(**{**settings, "kwargs_handlers": [*settings["kwargs_handlers"], gloo]})


def deepen(work: Callable[..., None], *arguments: Any) -> None:
    """Do the work with DeepSpeed."""
    loop.Accelerator = Deep  # type: ignore[misc]
    work(*arguments)


def run_in_processes(
    count: int,
    log: Path,
    work: Callable[..., None],
    *arguments: Any,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Ended:
    """Do the work in so many processes on this CPU, which are told of each other as `torchrun` tells them."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    told = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "ACCELERATE_USE_CPU": "true",
        **more,
    }
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank), **told} for rank in range(count)]
    return run_forked(log, work, *arguments, environments=ranks)


def fsdp_environment() -> dict[str, str]:
    """What `accelerate launch` makes of the file that is shipped."""
    settings = yaml.safe_load((ROOT / "training/launch/fsdp.yaml").read_text())["fsdp_config"]
    return {name.upper(): str(value) for name, value in settings.items()} | {"ACCELERATE_USE_FSDP": "true"}


def deepspeed_environment() -> dict[str, str]:
    """The same of DeepSpeed's."""
    settings = yaml.safe_load((ROOT / "training/launch/zero3.yaml").read_text())["deepspeed_config"]
    named = {f"ACCELERATE_DEEPSPEED_{name.upper()}": str(value).lower() for name, value in settings.items()}
    named["ACCELERATE_DEEPSPEED_ZERO3_INIT"] = named.pop("ACCELERATE_DEEPSPEED_ZERO3_INIT_FLAG")
    return named | {
        "ACCELERATE_USE_DEEPSPEED": "true",
        "ACCELERATE_USE_CPU": "false",
        "DS_ACCELERATOR": "cpu",
    }
