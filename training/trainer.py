"""Batches -> optimizer steps: loss, optimizer, schedule and checkpoints, on any number of devices."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from torch.distributed.checkpoint.stateful import Stateful
from torch.optim.lr_scheduler import LambdaLR

from reelproof.training.batches import Batch
from reelproof.training.logprobs import completion_logprobs
from reelproof.training.networks import attends, bare, layer_kinds
from reelproof.training.preflight import SetupError
from reelproof.training.runs import RunFolder
from reelproof.training.settings.runs import OptimizerConfig
from reelproof.training.weights_only import weights_only

P = TypeVar("P")
KEPT = "kept.json"
"""In a checkpoint, beside what accelerate saves."""


class Trainer:
    """Model, optimizer and schedule, as accelerate has prepared them."""

    def __init__(
        self,
        accelerator: Accelerator,
        network: Any,
        cfg: OptimizerConfig,
        steps: int,
        *,
        packed: bool = False,
    ) -> None:
        """`packed` has rows go through the network end to end. Raises SetupError where they cannot."""
        if packed and not attends(network):
            raise SetupError(
                f"packed: {type(bare(network)).__name__} has layers other than attention, through which a "
                "row would see the one before it; leave it out"
            )
        self.accelerator, self.chances = accelerator, partial(completion_logprobs, packed=packed)
        self.max_grad_norm = cfg.max_grad_norm
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=cfg.learning_rate, weight_decay=cfg.weight_decay)
        if accelerator.is_fsdp2:  # by itself it looks for layers that the model might have, and fails
            accelerator.state.fsdp_plugin.transformer_cls_names_to_wrap = layer_kinds(network)
        if accelerator.distributed_type == DistributedType.DEEPSPEED:
            # It clips by itself, and counts no rows.
            asked = {"train_micro_batch_size_per_gpu": 1, "gradient_clipping": cfg.max_grad_norm}
            accelerator.state.deepspeed_plugin.deepspeed_config.update(asked)
        self.network, self.optimizer = accelerator.prepare(network, optimizer)
        # Not prepared: accelerate would step it once a process.
        self.schedule = LambdaLR(optimizer, lambda step: learning_rate_share(step, steps, cfg))
        self.kept: list[Stateful] = [self.schedule]
        """What a checkpoint holds beside weights, optimizer and random states: as JSON, not pickled."""

    def step(self, batches: list[Batch]) -> dict[str, float]:
        """One optimizer step on the mean loss over all that counts of all batches and devices."""
        device = self.accelerator.device
        counted = torch.tensor(sum(map(self.units, batches)), device=device)
        everywhere = int(self.accelerator.reduce(counted, "sum"))
        total = self.accumulate(batches, lambda batch: self.loss(batch.to(device)) / everywhere)
        applied = self.apply()
        tokens = sum(int(batch.inputs["attention_mask"].sum()) for batch in batches)
        return {
            **self.told(everywhere),
            "loss": float(self.accelerator.reduce(total, "sum")),
            **applied,
            "tokens": tokens * self.accelerator.num_processes,
        }

    def accumulate(self, parts: Sequence[P], loss: Callable[[P], Tensor]) -> Tensor:
        """The sum of the parts' losses, and the gradients of that sum over all devices."""
        total = torch.zeros((), device=self.accelerator.device)
        for place, part in enumerate(parts):
            is_last = place == len(parts) - 1  # then devices put their gradients together
            self.accelerator.gradient_state._set_sync_gradients(is_last)  # where it is true, DeepSpeed steps
            with nullcontext() if is_last else self.accelerator.no_sync(self.network):
                found = loss(part)
                # Devices' gradients are averaged, the loss is a sum over devices.
                self.accelerator.backward(found * self.accelerator.num_processes)
                total += found.detach()
        return total

    def units(self, batch: Batch) -> int:
        """How many losses a batch sums up: one a counted token."""
        return int(batch.counted.sum())

    def loss(self, batch: Batch) -> Tensor:
        """Their sum."""
        return -self.chances(self.network, batch).sum()

    def told(self, everywhere: int) -> Mapping[str, float]:  # noqa: ARG002  # for those that have more to tell
        """Further figures of the step, whose batches had so many units on all devices."""
        return {}

    def apply(self) -> dict[str, float]:
        """Clip the gradients that lie ready, step, and clear them: the rate, and their norm before that."""
        if self.accelerator.is_fsdp2:
            for weight in self.network.parameters():
                # Checkpoints of shares want an optimizer's state of each, also of weights that feed no loss.
                if weight.requires_grad and weight.grad is None:
                    weight.grad = torch.zeros_like(weight)
        norm: Any = self.accelerator.clip_grad_norm_(self.network.parameters(), self.max_grad_norm)
        rate = float(self.schedule.get_last_lr()[0])
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return {"learning_rate": rate, "grad_norm": float(norm or 0.0)}

    def checkpoint(self, run: RunFolder, step: int) -> None:
        """Save weights, optimizer, schedule and random states."""
        with run.checkpoint(step) as folder:
            self.accelerator.save_state(str(folder))
            if self.accelerator.is_main_process:
                (folder / KEPT).write_text(json.dumps([each.state_dict() for each in self.kept]))
            self.accelerator.wait_for_everyone()

    def resume(self, run: RunFolder) -> int:
        """Steps already done: those of the last checkpoint, now loaded; 0 without one."""
        found = run.latest_checkpoint()
        step = int(found.name.removeprefix("step-")) if found else 0
        if found:
            if not (found / KEPT).is_file():
                raise SetupError(f"{found} is an earlier version's checkpoint; begin anew in another --out")
            with weights_only(found):
                self.accelerator.load_state(str(found))
            for each, state in zip(self.kept, json.loads((found / KEPT).read_text()), strict=True):
                each.load_state_dict(state)
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
