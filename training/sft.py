"""Kept traces -> a model that reasons like them: supervised fine-tuning on the completions."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from pydantic import Field

from reelproof.training.batches import Batch, sft_batch
from reelproof.training.loop import TrainConfig, Training, TrainSummary, Watch
from reelproof.training.preflight import rows_citing_dropped_frames
from reelproof.training.runs import Tell
from reelproof.training.sampling import SamplingConfig
from reelproof.training.shards import Example, Shards, ShardsConfig, stream_examples
from reelproof.training.trainer import Trainer


class SftConfig(TrainConfig):
    """One run of supervised fine-tuning."""

    epochs: float = Field(default=3.0, gt=0)
    """All rows are gone through so often, where `steps` names no number."""
    steps: int = Field(default=0, ge=0)
    """The optimizer makes so many steps; 0 makes as many as `epochs` comes to."""
    batch_rows: int = Field(default=4, ge=1, le=4096)
    """So many rows go through one forward pass on each device."""
    accumulate: int = Field(default=1, ge=1, le=4096)
    """One optimizer step takes so many forward passes."""
    log_every_steps: int = Field(default=10, ge=1)
    """Loss and speed are logged this often."""
    test_tokens: int = Field(default=512, ge=1, le=32_768)
    """An answer to a question of the test split may have so many tokens."""


def train_sft(
    build_dir: Path,
    model: str,
    out: Path,
    cfg: SftConfig,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainSummary:
    """Fine-tune `model` on DIR's `sft` rows into `out`: errors, `watch` and `tell` as `Training` has them."""
    return RowTraining(build_dir, model, cfg).train(out, watch, tell)


class RowTraining(Training):
    """Learns from rows, some at a time, in the order that `shards` decides."""

    command = "train sft"
    cfg: SftConfig
    may_change = frozenset(("batch_rows", "accumulate", "test_tokens"))  # while `rows_a_step` is the same

    def __init__(self, build_dir: Path, model: str, cfg: SftConfig) -> None:
        answers = SamplingConfig(temperature=0.0, max_tokens=cfg.test_tokens, batch_rows=cfg.batch_rows)
        super().__init__(build_dir, model, cfg, answers)
        self.left_out = rows_citing_dropped_frames(self.shards, cfg.prompt)

    def settled(self, processes: int) -> SftConfig:
        """With as many steps as the epochs come to."""
        if self.cfg.steps:
            return self.cfg
        rows = self.cfg.epochs * (self.shards.rows - len(self.left_out))
        steps = max(math.ceil(rows / self._rows_a_step(processes)), 1)
        return self.cfg.model_copy(update={"steps": steps})

    def setup(self, processes: int) -> Mapping[str, Any]:
        """How many rows are left out, and how many make a step."""
        return {"rows_left_out": len(self.left_out), "rows_a_step": self._rows_a_step(processes)}

    def _rows_a_step(self, processes: int) -> int:
        return self.cfg.batch_rows * self.cfg.accumulate * processes

    def make_trainer(self, accelerator: Accelerator, network: Any) -> Trainer:
        """The loss is that of the completions."""
        return Trainer(accelerator, network, self.cfg.optimizer, self.cfg.steps)

    def batch(self, rows: Sequence[Example]) -> Batch:
        """What goes through one forward pass."""
        return sft_batch(self.processor, rows, self.cfg.prompt)

    def steps(self, done: int) -> Iterator[tuple[Mapping[str, float], int]]:
        """Each takes the next rows; a process has its share of them."""
        processes, size = self.trainer.accelerator, self.cfg.batch_rows
        count = self._rows_a_step(processes.num_processes)
        rows = learned_rows(self.shards, self.cfg.shards, done * count, self.left_out)
        while True:
            taken = list(itertools.islice(rows, count))
            mine = taken[processes.process_index :: processes.num_processes]
            parts = (mine[first : first + size] for first in range(0, len(mine), size))
            update = self.trainer.step([self.batch(part) for part in parts])
            yield update.figures(), update.tokens


def learned_rows(shards: Shards, cfg: ShardsConfig, start: int, left_out: Set[str]) -> Iterator[Example]:
    """The rows to learn from, from the one at `start` on."""
    if not left_out:
        return stream_examples(shards, cfg, start)
    kept = (row for row in stream_examples(shards, cfg) if row.sample_id not in left_out)
    return itertools.islice(kept, start, None)
