"""Kept traces -> a model that reasons like them: supervised fine-tuning on the completions, from the shards.

The loop reads top to bottom; one process or many (`accelerate launch` brings DDP, FSDP or DeepSpeed).
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Set
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from pydantic import Field
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from reelproof.schemas.settings import Settings
from reelproof.training.batches import Batch, PromptConfig, sft_batch
from reelproof.training.networks import LoraSettings, load_network, logits_needed, save_network
from reelproof.training.preflight import (
    check_frames,
    check_length,
    load_processor,
    rows_citing_dropped_frames,
)
from reelproof.training.runs import RunFolder, model_path
from reelproof.training.shards import Example, Shards, ShardsConfig, open_shards, stream_examples


class OptimizerConfig(Settings):
    """AdamW and its learning rate."""

    learning_rate: float = Field(default=1e-5, gt=0, le=1)
    """The rate after the warm-up."""
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    """How the rate goes on after the warm-up; `linear` and `cosine` end at 0."""
    warmup_steps: int = Field(default=10, ge=0)
    """The rate rises from 0 for so many steps."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """AdamW's decoupled decay of the weights."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are scaled down to this norm."""


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


Watch = Callable[[int, Any], None]
"""Looks at a network in training: called with the step and the bare network; it may put that in eval mode."""


def train_sft(
    build_dir: Path, model: str, out: Path, cfg: SftConfig, watch: Watch | None = None
) -> TrainSummary:
    """Fine-tune `model` on DIR's `sft` rows into `out`; a killed run goes on from its last checkpoint.

    `watch` is called where a checkpoint is due, and at the end. Raises DatasetError and SetupError,
    before weights are loaded, where data, model and settings do not fit.
    """
    shards = open_shards(build_dir, cfg.shards)
    processor = load_processor(model_path(model))
    frames = check_frames(processor, shards, cfg.allow_resize)
    check_length(processor, model_path(model), shards, cfg.prompt, frames, room=0)
    left_out = rows_citing_dropped_frames(shards, cfg.prompt)
    # Eyes have layers that feed no loss: under DDP the second step would wait for their gradients.
    some_unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(mixed_precision=cfg.precision, kwargs_handlers=[some_unused])
    setup = {
        "command": "train sft",
        "model": model,
        "dataset_sha256": shards.dataset_sha256,
        "policy": shards.policy,
        "frames": frames._asdict(),
        "rows_left_out": len(left_out),
        "config": cfg.model_dump(mode="json"),
        "processes": accelerator.num_processes,
    }
    with RunFolder(out, setup, accelerator.is_main_process) as run:
        set_seed(cfg.seed)
        network = load_network(model_path(model), cfg.lora, cfg.gradient_checkpointing)
        trainer = Trainer(accelerator, network, cfg.optimizer, cfg.steps)
        first = trainer.resume(run)
        rows_a_step = cfg.batch_rows * cfg.accumulate * accelerator.num_processes
        rows = learned_rows(shards, cfg.shards, first * rows_a_step, left_out)
        began, tokens, loss = time.perf_counter(), 0, math.nan
        for step in range(first + 1, cfg.steps + 1):
            batches = [
                sft_batch(processor, mine, cfg.prompt)
                for mine in _share(rows, rows_a_step, cfg.batch_rows, accelerator)
            ]
            update = trainer.step(batches)
            tokens, loss = tokens + update.tokens, update.loss
            if step % cfg.log_every_steps == 0 or step == cfg.steps:
                spent = time.perf_counter() - began
                run.log(step, {**update._asdict(), "tokens_per_s": tokens / spent, "seconds": spent})
            if step % cfg.checkpoint_every_steps == 0 and step < cfg.steps:
                trainer.checkpoint(run, step)
            if watch is not None and (step % cfg.checkpoint_every_steps == 0 or step == cfg.steps):
                watch(step, accelerator.unwrap_model(trainer.network))
                trainer.network.train()
        spent = time.perf_counter() - began
        save_network(accelerator, trainer.network, processor, run)
        summary = TrainSummary(run.model, cfg.steps, loss, spent, tokens / max(spent, 1e-9))
        run.write_outcome({"state": "done", **summary._asdict()})
    return summary


def completion_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Sum of −log p over the counted tokens. `logits` are those of the last K places of (B, T): (B, K, V).

    Logits at one place foretell the next token; divide by the number of counted tokens for the mean.
    """
    width = logits.shape[1]
    wanted = batch.inputs["input_ids"][:, -width:][:, 1:]
    counted = batch.counted[:, -width:][:, 1:]
    flat = logits[:, :-1][counted].float()
    return torch.nn.functional.cross_entropy(flat, wanted[counted], reduction="sum")


class Update(NamedTuple):
    """What one optimizer step did."""

    loss: float
    """Mean over the counted tokens of all devices."""
    learning_rate: float
    grad_norm: float
    tokens: int


class Applied(NamedTuple):
    """The rate and the gradient's norm, before clipping, of one step."""

    learning_rate: float
    grad_norm: float


class Trainer:
    """Model, optimizer and schedule, as accelerate has prepared them."""

    def __init__(self, accelerator: Accelerator, network: Any, cfg: OptimizerConfig, steps: int) -> None:
        self.accelerator = accelerator
        self.max_grad_norm = cfg.max_grad_norm
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=cfg.learning_rate, weight_decay=cfg.weight_decay)
        self.network, self.optimizer = accelerator.prepare(network, optimizer)
        # Not prepared: accelerate would step it once a process.
        self.schedule = LambdaLR(optimizer, lambda step: learning_rate_share(step, steps, cfg))
        accelerator.register_for_checkpointing(self.schedule)

    def step(self, batches: list[Batch]) -> Update:
        """One optimizer step on the mean loss over all tokens of all batches and devices."""
        device = self.accelerator.device
        counted = torch.tensor(sum(int(batch.counted.sum()) for batch in batches), device=device)
        everywhere = int(self.accelerator.reduce(counted, "sum"))
        total = torch.zeros((), device=device)
        for place, batch in enumerate(batches):
            last = place == len(batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.network):
                batch = _to(batch, device)
                out = self.network(**batch.inputs, **logits_needed(self.network, batch), use_cache=False)
                loss = completion_loss(out.logits, batch) / everywhere
                # Devices' gradients are averaged, the loss is a sum over devices.
                self.accelerator.backward(loss * self.accelerator.num_processes)
                total += loss.detach()
        applied = self.apply()
        tokens = sum(int(batch.inputs["attention_mask"].sum()) for batch in batches)
        loss_everywhere = float(self.accelerator.reduce(total, "sum"))
        return Update(
            loss_everywhere, applied.learning_rate, applied.grad_norm, tokens * self.accelerator.num_processes
        )

    def apply(self) -> "Applied":
        """Clip the gradients that lie ready, step, and clear them."""
        norm: Any = self.accelerator.clip_grad_norm_(self.network.parameters(), self.max_grad_norm)
        rate = self.schedule.get_last_lr()[0]
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return Applied(float(rate), float(norm or 0.0))

    def checkpoint(self, run: RunFolder, step: int) -> None:
        """Save weights, optimizer, schedule and random states."""
        partial = run.begin_checkpoint(step)
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        run.finish_checkpoint(partial)

    def resume(self, run: RunFolder) -> int:
        """Steps already done: those of the last checkpoint, now loaded; 0 without one."""
        found = run.latest_checkpoint()
        step = int(found.name.removeprefix("step-")) if found else 0
        if found:
            self.accelerator.load_state(str(found))
        run.forget_after(step)
        return step


def learning_rate_share(step: int, steps: int, cfg: OptimizerConfig) -> float:
    """The learning rate's factor in [0, 1] at a step from 0."""
    if step < cfg.warmup_steps:
        return (step + 1) / cfg.warmup_steps
    done = (step - cfg.warmup_steps) / max(1, steps - cfg.warmup_steps)
    if cfg.schedule == "linear":
        return 1 - done
    return (1 + math.cos(math.pi * done)) / 2 if cfg.schedule == "cosine" else 1.0


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


def _to(batch: Batch, device: torch.device) -> Batch:
    moved = {name: value.to(device) for name, value in batch.inputs.items()}
    return Batch(moved, batch.counted.to(device))
