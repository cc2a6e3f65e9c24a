"""`train sft` and `train dpo` in processes of their own: killed in a step, or two that share the work."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import yaml

from reelproof.training.dpo import DpoConfig
from reelproof.training.sft import SftConfig

ROOT = Path(__file__).parents[1]
_TRAIN = """
import sys
from pathlib import Path
from reelproof.training import {module}

{before}
cfg = {module}.{config}.model_validate_json(sys.argv[4])
{module}.train_{module}(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), cfg)
"""
_MORTAL = """
import os, signal

class Mortal({module}.{trainer}):
    def apply(self):
        if self.schedule.last_epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().apply()

{module}.{trainer} = Mortal
"""


# accelerate takes FSDP for GPUs alone; told so, it shares weights out over processes on a CPU as well.
_SHARDED = """
import accelerate
from reelproof.training import sft
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

class Sharding(accelerate.Accelerator):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin()
        self.state.distributed_type = DistributedType.FSDP
        accelerate.PartialState().distributed_type = DistributedType.FSDP

sft.Accelerator = Sharding
"""


def run_until_killed_in_step_4(
    dataset: Path, model: str, out: Path, cfg: SftConfig
) -> subprocess.CompletedProcess[bytes]:
    """Train until the process is killed before its fourth step is applied."""
    names = _names(cfg)
    script = _TRAIN.format(before=_MORTAL.format(**names), **names)
    return _python(["-c", script, str(dataset), model, str(out), cfg.model_dump_json()], {})


def run_in_processes(
    count: int,
    dataset: Path,
    model: str,
    out: Path,
    cfg: SftConfig,
    script: Path,
    *,
    sharded: bool = False,
    mortal: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Train as `torchrun` does it; `script` is where its program is written."""
    names = _names(cfg)
    before = _SHARDED * sharded + _MORTAL.format(**names) * mortal
    script.write_text(_TRAIN.format(before=before, **names))
    arguments = [str(dataset), model, str(out), cfg.model_dump_json()]
    return launch(count, script, arguments, _fsdp_environment() if sharded else {})


def launch(
    count: int, script: Path, arguments: Sequence[str], more: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[bytes]:
    """Run a program in so many processes on this CPU."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count), str(script)]
    return _python([*command, *arguments], {"PYTHONPATH": str(ROOT), **more})


def _fsdp_environment() -> dict[str, str]:
    """What `accelerate launch` makes of the file that is shipped."""
    settings = yaml.safe_load((ROOT / "training/launch/fsdp.yaml").read_text())["fsdp_config"]
    return {name.upper(): str(value) for name, value in settings.items()} | {"ACCELERATE_USE_FSDP": "true"}


def _names(cfg: SftConfig) -> dict[str, str]:
    if isinstance(cfg, DpoConfig):
        return {"module": "dpo", "trainer": "PairTrainer", "config": "DpoConfig"}
    return {"module": "sft", "trainer": "Trainer", "config": "SftConfig"}


def _python(arguments: list[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", **more},
        capture_output=True,
        check=False,
    )
