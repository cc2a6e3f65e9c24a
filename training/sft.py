"""Kept traces -> a model that reasons like them: supervised fine-tuning on the completions, from the shards.

The loop reads top to bottom; one process or many (`accelerate launch` brings DDP, FSDP or DeepSpeed).
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any, Literal, NamedTuple

from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from pydantic import Field

from reelproof.schemas.settings import Settings
from reelproof.training.batches import Batch, PromptConfig, sft_batch
from reelproof.training.networks import LoraSettings, load_network, save_network
from reelproof.training.preflight import (
    check_frames,
    check_length,
    load_processor,
    rows_citing_dropped_frames,
)
from reelproof.training.runs import RunFolder, Tell, model_path
from reelproof.training.shards import Example, Shards, ShardsConfig, open_shards, stream_examples
from reelproof.training.trainer import OptimizerConfig, Trainer

# Eyes have layers that feed no loss: under DDP the second step would wait for their gradients.
SOME_UNUSED = DistributedDataParallelKwargs(find_unused_parameters=True)


class SftConfig(Settings):
    """One run of supervised fine-tuning."""

    shards: ShardsConfig = ShardsConfig()
    prompt: PromptConfig = PromptConfig()
    steps: int = Field(default=1000, ge=1)
    """The optimizer makes so many steps."""
    batch_rows: int = Field(default=4, ge=1, le=4096)
    """So many rows go through one forward pass on each device."""
    accumulate: int = Field(default=1, ge=1, le=4096)
    """One optimizer step takes so many forward passes."""
    optimizer: OptimizerConfig = OptimizerConfig()
    lora: LoraSettings | None = None
    """These low-rank additions are trained; null trains all weights."""
    gradient_checkpointing: bool = False
    """Activations are computed again on the way back: less memory, more time."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """The mixed precision; `no` computes in float32."""
    log_every_steps: int = Field(default=10, ge=1)
    """Loss and speed are logged this often."""
    checkpoint_every_steps: int = Field(default=100, ge=1)
    """A run that is killed goes on from the last of its checkpoints, which are this many steps apart."""
    allow_resize: bool = False
    """The run goes on although the processor shows other pixels than the teacher saw."""
    seed: int = 0
    """Dropout and new weights follow from it; the rows' order has its own in `shards`."""


class TrainSummary(NamedTuple):
    """What a run left."""

    model: Path
    steps: int
    loss: float
    """Of the last step."""
    seconds: float
    tokens_per_s: float
    """All tokens that went through the model, padding not counted."""

    @classmethod
    def of(cls, run: RunFolder) -> "TrainSummary | None":
        """What a run that is finished left; None for one that is not."""
        left = run.outcome
        figures = [left.get(name) for name in ("steps", "loss", "seconds", "tokens_per_s")]
        return cls(run.model, *figures) if left else None  # type: ignore[arg-type]  # as it was written


Watch = Callable[[int, Any], None]
"""Looks at a network in training: called with the step and the bare network; it may put that in eval mode."""


class Objective(NamedTuple):
    """What is learned from rows."""

    command: str
    """As the run's folder has it."""
    batch: Callable[[Any, Sequence[Example], PromptConfig], Batch]
    """(processor, rows, prompt) -> what goes through one forward pass."""
    trainer: Callable[[Accelerator, Any], Trainer]
    """(accelerator, network) -> who steps on such batches."""


def train_sft(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: SftConfig,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainSummary:
    """Fine-tune `model` on DIR's `sft` rows into `out`; a killed run goes on from its last checkpoint.

    `watch` is called where a checkpoint is due, and at the end; `tell` gets a line every few seconds. A run
    that is finished is left as it is. Raises DatasetError and SetupError,
    before weights are loaded, where data, model and settings do not fit.
    """
    objective = Objective(
        "train sft",
        sft_batch,
        lambda accelerator, network: Trainer(accelerator, network, cfg.optimizer, cfg.steps),
    )
    return train_on_rows(build_dir, model, out, cfg, objective, watch, tell)


def train_on_rows(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: SftConfig,
    objective: Objective,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainSummary:
    """What `train_sft` does, for any objective."""
    shards = open_shards(build_dir, cfg.shards)
    processor = load_processor(model_path(model), cfg.prompt.image_settings)
    frames = check_frames(processor, shards, cfg.allow_resize)
    check_length(processor, model_path(model), shards, cfg.prompt, frames, room=0)
    left_out = rows_citing_dropped_frames(shards, cfg.prompt)
    accelerator = Accelerator(mixed_precision=cfg.precision, kwargs_handlers=[SOME_UNUSED])
    rows_a_step = cfg.batch_rows * cfg.accumulate * accelerator.num_processes
    setup = {
        "command": objective.command,
        "model": model,
        "dataset_sha256": shards.dataset_sha256,
        "policy": shards.policy,
        "frames": frames._asdict(),
        "rows_left_out": len(left_out),
        "rows_a_step": rows_a_step,  # a run may go on with other numbers that come to the same
        "config": cfg.model_dump(mode="json", exclude={"batch_rows", "accumulate"}),
    }
    with RunFolder(out, setup, accelerator.is_main_process, tell) as run:
        if finished := TrainSummary.of(run):
            return finished
        set_seed(cfg.seed)
        network = load_network(model_path(model), cfg.lora, cfg.gradient_checkpointing)
        trainer = objective.trainer(accelerator, network)
        first = trainer.resume(run)
        rows = learned_rows(shards, cfg.shards, first * rows_a_step, left_out)
        began, tokens, loss = time.perf_counter(), 0, math.nan
        for step in range(first + 1, cfg.steps + 1):
            batches = [
                objective.batch(processor, mine, cfg.prompt)
                for mine in _share(rows, rows_a_step, cfg.batch_rows, accelerator)
            ]
            update = trainer.step(batches)
            tokens, loss = tokens + update.tokens, update.loss
            if step % cfg.log_every_steps == 0 or step == cfg.steps:
                spent = time.perf_counter() - began
                run.log(step, {**update.figures(), "tokens_per_s": tokens / spent, "seconds": spent})
            if step % cfg.checkpoint_every_steps == 0 and step < cfg.steps:
                trainer.checkpoint(run, step)
            if watch is not None and (step % cfg.checkpoint_every_steps == 0 or step == cfg.steps):
                watch(step, accelerator.unwrap_model(trainer.network))
                trainer.network.train()
        spent = time.perf_counter() - began
        save_network(accelerator, trainer.network, processor, run, model_path(model))
        summary = TrainSummary(run.model, cfg.steps, loss, spent, tokens / max(spent, 1e-9))
        run.write_outcome({"state": "done", "processes": accelerator.num_processes, **summary._asdict()})
    return summary


def learned_rows(shards: Shards, cfg: ShardsConfig, start: int, left_out: Set[str]) -> Iterator[Example]:
    """The rows to learn from, from the one at `start` on."""
    if not left_out:
        return stream_examples(shards, cfg, start)
    kept = (row for row in stream_examples(shards, cfg) if row.sample_id not in left_out)
    return itertools.islice(kept, start, None)


def _share(
    rows: Iterator[Example], count: int, batch_rows: int, accelerator: Accelerator
) -> Iterator[list[Example]]:
    """This process's batches of the next `count` rows."""
    taken = list(itertools.islice(rows, count))
    mine = taken[accelerator.process_index :: accelerator.num_processes]
    for first in range(0, len(mine), batch_rows):
        yield mine[first : first + batch_rows]
