"""Kept traces -> a model that reasons like them: supervised fine-tuning on the completions."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from torch.utils.data import DataLoader, Dataset

from reelproof.training.batches import Batch, sft_batch, text_of
from reelproof.training.loop import Training, TrainSummary, Watch
from reelproof.training.preflight import rows_citing_dropped_frames
from reelproof.training.runs import Tell
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rows import ShardsConfig
from reelproof.training.settings.runs import SftConfig
from reelproof.training.shards import Example, Shards, stream_examples
from reelproof.training.trainer import Trainer


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
    # While `rows_a_step` is the same.
    may_change = frozenset(("batch_rows", "accumulate", "test_tokens", "workers", "packed"))
    make_batch = staticmethod(sft_batch)

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
        return Trainer(accelerator, network, self.cfg.optimizer, self.cfg.steps, packed=self.cfg.packed)

    def steps(self, done: int) -> Iterator[tuple[Mapping[str, float], int]]:
        """Each takes the next rows; a process has its share of them."""
        batches = self.batches(done)
        while batch := list(islice(batches, self.cfg.accumulate)):
            figures = self.trainer.step(batch)
            yield figures, int(figures["tokens"])

    def batches(self, done: int) -> Iterator[Batch]:
        """What goes through one forward pass of this process after another, made ahead by the workers."""
        has_gpu = torch.cuda.is_available()
        workers = self.cfg.workers if self.cfg.workers is not None else 4 * has_gpu
        loader: DataLoader[Any] = DataLoader(
            _AsGiven(),
            batch_sampler=self._parts(done),  # type: ignore[arg-type]  # rows in place of their numbers
            collate_fn=partial(self.make_batch, self.processor, cfg=self.cfg.prompt),
            num_workers=workers,
            # Forked ones end with a run that is killed; a fork server's would live on.
            multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
            pin_memory=has_gpu,
            generator=torch.Generator(),  # or it would draw from that of dropout
        )
        return iter(loader)

    def _parts(self, done: int) -> Iterator[Sequence[Example]]:
        """The rows of each of those, read here; those of a step that are about as long go together."""
        processes, size = PartialState(), self.cfg.batch_rows
        count = self._rows_a_step(processes.num_processes)
        rows = learned_rows(self.shards, self.cfg.shards, done * count, self.left_out)
        for _ in range(done, self.cfg.steps):
            taken = sorted(islice(rows, count), key=about_length)
            mine = taken[processes.process_index :: processes.num_processes]
            yield from (mine[first : first + size] for first in range(0, len(mine), size))


class _AsGiven(Dataset[Example]):
    """Rows are where a loader expects their numbers: it sends them to the workers, in order."""

    def __getitem__(self, row: Any) -> Example:
        found: Example = row
        return found


def about_length(row: Example) -> tuple[int, int]:
    """What a row's length goes by: its frames, then its words."""
    return len(row.images), len(text_of(row.prompt)) + len(text_of(row.completion))


def learned_rows(shards: Shards, cfg: ShardsConfig, start: int, left_out: Set[str]) -> Iterator[Example]:
    """The rows to learn from, from the one at `start` on."""
    if not left_out:
        return stream_examples(shards, cfg, start)
    kept = (row for row in stream_examples(shards, cfg) if row.sample_id not in left_out)
    return islice(kept, start, None)
