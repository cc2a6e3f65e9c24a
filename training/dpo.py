"""Preference pairs -> a model that prefers what is right and grounded: direct preference optimisation (DPO).

A batch holds the chosen completions of some rows and then the rejected ones.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from reelproof.training.batches import Batch, ending, join, read_row
from reelproof.training.loop import TrainSummary, Watch
from reelproof.training.networks import Start
from reelproof.training.preflight import SetupError
from reelproof.training.runs import Tell
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.settings.runs import DpoConfig
from reelproof.training.sft import RowTraining
from reelproof.training.shards import Example
from reelproof.training.trainer import Trainer


def train_dpo(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: DpoConfig,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainSummary:
    """Teach `model` to prefer the chosen traces of DIR's `dpo` rows; a killed run goes on where it was.

    The reference is the model as it was: a frozen copy, or, with LoRA, the weights without the additions.
    Errors as for `train_sft`, and SetupError for rows that are no pairs.
    """
    if cfg.shards.subset != "dpo" or cfg.prompt.style == "direct":
        raise SetupError(
            f"train dpo learns from pairs of thoughts; got shards.subset={cfg.shards.subset} and "
            f"prompt.style={cfg.prompt.style}, expected dpo and a style that asks for thoughts"
        )
    return PairTraining(build_dir, model, cfg).train(out, watch, tell)


def pair_batch(processor: Any, examples: Sequence[Example], cfg: PromptConfig) -> Batch:
    """P pairs -> 2 P sequences: those with the chosen completions, then those with the rejected ones."""
    rows = [read_row(processor, pair, cfg) for pair in examples]
    sides = [*examples, *(pair._replace(completion=pair.rejected) for pair in examples)]
    return join(processor, [*rows, *rows], [ending(processor, each, cfg) for each in sides])


class PairTraining(RowTraining):
    """Learns from pairs."""

    command = "train dpo"
    cfg: DpoConfig
    make_batch = staticmethod(pair_batch)

    def make_trainer(self, accelerator: Accelerator, network: Any) -> Trainer:
        """It knows what the model was."""
        return PairTrainer(accelerator, network, self.cfg, self.path)


def preference_loss(rewards: Tensor) -> Tensor:
    """−log σ(r_chosen − r_rejected) of each pair, where r is β log(π / π_ref). (2 P,) -> (P,)

    Source: arXiv 2305.18290, eq. 7; TRL calls it `sigmoid`.
    """
    chosen, rejected = rewards.chunk(2)
    return -torch.nn.functional.logsigmoid(chosen - rejected)


class PairTrainer(Trainer):
    """… and the reference that the policy is held against."""

    def __init__(self, accelerator: Accelerator, network: Any, cfg: DpoConfig, start: str) -> None:
        """`start` is the folder of the weights that the network began with."""
        super().__init__(accelerator, network, cfg.optimizer, cfg.steps, packed=cfg.packed)
        self.beta = cfg.beta
        self.start = Start(accelerator, self.network, start)
        self._sums = torch.zeros(3, device=accelerator.device)

    def units(self, batch: Batch) -> int:
        """One a pair."""
        return len(batch.counted) // 2

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the pairs' losses."""
        said = self.chances(self.network, batch).sum(dim=1)
        rewards = self.beta * (said - self.reference(batch))
        chosen, rejected = rewards.detach().chunk(2)
        self._sums += torch.stack([(chosen > rejected).sum(), chosen.sum(), rejected.sum()])
        return preference_loss(rewards).sum()

    def reference(self, batch: Batch) -> Tensor:
        """Log-probability of each completion under the model as it was. (2 P,)"""
        with self.start.network() as network:
            return self.chances(network, batch).sum(dim=1)

    def told(self, everywhere: int) -> Mapping[str, float]:
        """Share of pairs whose chosen completion has the higher reward, and mean rewards."""
        sums: Any = self.accelerator.reduce(self._sums, "sum")
        right, chosen, rejected = (sums / everywhere).tolist()
        self._sums = torch.zeros_like(self._sums)
        margin = chosen - rejected
        return {"preferred": right, "chosen_reward": chosen, "rejected_reward": rejected, "margin": margin}
