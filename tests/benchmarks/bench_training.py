"""SFT from the shards beside TRL's SFTTrainer fed from memory, and the memory of a long stream."""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from datasets import Dataset
from datasets import Image as ImageFeature
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl.trainer.sft_config import SFTConfig as TrlConfig
from trl.trainer.sft_trainer import SFTTrainer

from reelproof.data_cards.tiny_model import TinyModelConfig, build_tiny_model, save_tiny_model
from reelproof.schemas.sample import SftSample
from reelproof.training.batches import Batch
from reelproof.training.logprobs import completion_logprobs
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import OptimizerConfig, SftConfig
from reelproof.training.sft import RowTraining, train_sft
from reelproof.training.shards import open_shards, stream_epoch
from tests.benchmarks.rows import Row, Rows
from tests.published import write_manifest
from tests.tiny_training import sft_row, write_dataset

STEPS, BATCH, ROUNDS = 40, 16, 3


def bench_sft(_folder: Path) -> Rows:
    """Tokens a second, rounds of both in turn so that a busy machine slows both."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [sft_row(number, frames=4, side_px=36) for number in range(STEPS * BATCH // 2)]
        dataset = write_dataset(folder / "data", "sft", rows, SftSample, group_rows=100)
        texts = [row.thought for row in rows[:50]]
        save_tiny_model(build_tiny_model(texts, TinyModelConfig()), folder / "model")
        for number in range(ROUNDS):
            ours.append(_ours(dataset, folder, number))
            theirs.append(_trl(dataset, folder))
    share = statistics.median(ours) / statistics.median(theirs)
    return {
        "sft, tokens a second from shards": Row(
            value=round(statistics.median(ours)),
            unit="tokens/s",
            goal=">= 0.95 of TRL",
            holds=share >= 0.95,
            against=f"TRL SFTTrainer from memory: {share:.2f} of its {statistics.median(theirs):.0f}",
        )
    }


def bench_ahead(_folder: Path) -> Rows:
    """CPU that the process that steps spends on a batch: where a worker makes it ahead, and by itself.

    An accelerator would wait for as much.
    """
    model = TinyModelConfig(image_px=224, patch_px=56, layers=1, context_tokens=4096)
    rows = [sft_row(number, frames=64, side_px=224) for number in range(16)]
    spent: dict[int, list[float]] = {0: [], 1: []}
    with _trainable(rows, model) as (dataset, start):
        for workers in (0, 1) * ROUNDS:
            training = RowTraining(dataset, start, SftConfig(steps=16, batch_rows=1, workers=workers))
            began = time.process_time()
            tokens = sum(int(batch.counted.sum()) for batch in training.batches(0))
            spent[workers].append((time.process_time() - began) / 16)
            assert tokens > 0
    alone, ahead = (1000 * statistics.median(spent[workers]) for workers in (0, 1))
    return {
        "sft, main process's CPU for a row of 64 frames that a worker makes ahead": Row(
            value=round(ahead),
            unit="ms",
            goal="a quarter of what it spends by itself",
            holds=4 * ahead < alone,
            against=f"{alone:.0f} ms",
        )
    }


def bench_packed(_folder: Path) -> Rows:
    """Steps over seven rows of one frame and one of sixteen, packed and padded; rounds of both in turn."""
    model = TinyModelConfig(image_px=36, width=256, layers=4, context_tokens=1024)
    rows = [sft_row(number, frames=1 + 15 * (number % 8 == 0), side_px=36) for number in range(64)]
    kinds: dict[bool, list[float]] = {True: [], False: []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with _trainable(rows, model) as (dataset, start):
        for number in range(2 * ROUNDS):
            cfg = SftConfig(steps=8, batch_rows=8, checkpoint_every_steps=10_000, packed=number % 2 == 1)
            kinds[cfg.packed].append(train_sft(dataset, start, dataset.parent / f"run-{number}", cfg).seconds)
    torch.set_num_threads(threads)
    packed, padded = (statistics.median(kinds[kind]) for kind in (True, False))
    return {
        "sft, steps of 7 rows of 1 frame and one of 16, packed": Row(
            value=round(padded / packed, 2),
            unit="times as fast as padded",
            goal="> 1",
            holds=packed < padded,
            against=f"{packed:.1f} s against {padded:.1f} s, 8 steps",
        )
    }


@contextmanager
def _trainable(rows: list[SftSample], model: TinyModelConfig) -> Iterator[tuple[Path, str]]:
    """A dataset and a model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_tiny_model(build_tiny_model([row.thought for row in rows], model), folder / "model")
        yield write_dataset(folder / "data", "sft", rows, SftSample), str(folder / "model")


def bench_stream(_folder: Path, gigabytes: float = 1.0) -> Rows:
    """Growth of resident memory from the first tenth of a pass over the rows to its end, in a new process."""
    with tempfile.TemporaryDirectory() as name:
        dataset = _large_dataset(Path(name), gigabytes)
        command = [sys.executable, __file__, "stream", str(dataset)]
        environment = {**os.environ, "PYTHONPATH": "."}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    seen = json.loads(done.stdout.splitlines()[-1])
    growth = seen["end_mb"] - seen["early_mb"]
    return {
        f"streaming {seen['data_mb'] / 1000:.2f} GB of shards, growth of memory": Row(
            value=round(growth, 1),
            unit="MB",
            goal="< 64",
            holds=growth < 64,
            against=f"{seen['early_mb']:.0f} MB after a tenth, {seen['data_mb'] / seen['seconds']:.0f} MB/s",
        )
    }


def bench_loss_memory(_folder: Path) -> Rows:
    """Peak memory of one SFT step at Qwen's vocabulary, over that of the weights and their gradients."""
    seen = {}
    for kind in ("ours", "logits"):
        done = subprocess.run(
            [sys.executable, __file__, "loss", kind],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": "."},
        )
        seen[kind] = json.loads(done.stdout.splitlines()[-1])
    return {
        "sft, memory of the loss over 4 x 250 tokens at a vocabulary of 150,000": Row(
            value=round(seen["ours"]["mb"]),
            unit="MB",
            goal="half of whole logits'",
            holds=2 * seen["ours"]["mb"] < seen["logits"]["mb"],
            against=f"{seen['logits']['mb']:.0f} MB with logits of the counted places at once; "
            f"{seen['ours']['seconds']:.1f} s against {seen['logits']['seconds']:.1f} s",
        )
    }


def _ours(dataset: Path, folder: Path, number: int) -> float:
    cfg = SftConfig(
        prompt=PromptConfig(),
        steps=STEPS,
        batch_rows=BATCH,
        optimizer=OptimizerConfig(learning_rate=1e-4),
        checkpoint_every_steps=10_000,
    )
    return train_sft(dataset, str(folder / "model"), folder / f"run-{number}", cfg).tokens_per_s


def _trl(dataset: Path, folder: Path) -> float:
    """The same rows in the same order, from an Arrow table in memory."""
    processor = AutoProcessor.from_pretrained(folder / "model")
    examples = list(stream_epoch(open_shards(dataset, ShardsConfig()), ShardsConfig()))
    rows = [
        {
            "prompt": [turn.model_dump() for turn in each.prompt],
            "completion": [turn.model_dump() for turn in each.completion or ()],
            "images": [{"bytes": jpeg, "path": None} for jpeg in each.images],
        }
        for each in examples
    ]
    table = Dataset.from_list(rows).cast_column("images", [ImageFeature()])
    cfg = TrlConfig(
        output_dir=str(folder / "trl"),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=1e-4,
        report_to=[],
        save_strategy="no",
        logging_steps=10,
        use_cpu=not torch.cuda.is_available(),
        bf16=False,
        max_length=None,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        shuffle_dataset=False,
    )
    model = AutoModelForImageTextToText.from_pretrained(folder / "model", dtype=torch.float32)
    trainer = SFTTrainer(model, args=cfg, train_dataset=table, processing_class=processor)
    began = time.perf_counter()
    trainer.train()
    spent = time.perf_counter() - began
    return _tokens(processor, examples) / spent


def _tokens(processor, examples) -> int:
    """Of the rows that both see: STEPS batches over two epochs."""
    from reelproof.training.batches import sft_batch

    once = 0
    for first in range(0, len(examples), BATCH):
        batch = sft_batch(processor, examples[first : first + BATCH], PromptConfig())
        once += int(batch.inputs["attention_mask"].sum())
    return once * STEPS * BATCH // len(examples)


def _large_dataset(folder: Path, gigabytes: float) -> Path:
    """Rows of four noisy frames, which JPEG cannot shrink much, in shards of a quarter of the whole."""
    rng = np.random.default_rng(0)
    template = sft_row(0, frames=4).model_dump(mode="json", exclude={"images"})
    row_bytes, files = 0, []
    per_group, groups = 100, 0
    schema = None
    jpegs = [_noise(rng) for _ in range(64)]
    row_bytes = 4 * sum(map(len, jpegs)) // len(jpegs)
    groups = max(4, int(gigabytes * 1e9 / row_bytes / per_group))
    from reelproof.schemas.tables import arrow_schema

    schema = arrow_schema(SftSample)
    for shard in range(4):
        file = folder / f"data/sft/train-{shard:05d}-of-00004.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(file, schema, use_dictionary=False, compression="none") as writer:
            for _ in range(groups // 4):
                rows = []
                for _ in range(per_group):
                    picked = rng.integers(0, len(jpegs), 4)
                    rows.append(
                        {**template, "images": [{"bytes": jpegs[each], "path": None} for each in picked]}
                    )
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        files.append(file)
    return write_manifest(folder, files)


def _noise(rng: np.random.Generator) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (192, 256, 3), dtype=np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def _stream(dataset: Path) -> None:
    """Pass over all rows once and print the resident memory after a tenth and at the end."""
    import psutil

    shards = open_shards(dataset, ShardsConfig())
    process = psutil.Process()
    early, peak, size = 0.0, 0.0, 0
    began = time.perf_counter()
    for number, example in enumerate(stream_epoch(shards, ShardsConfig())):
        size += sum(map(len, example.images))
        if number % 50 == 0:
            now = process.memory_info().rss / 1e6
            peak = max(peak, now)
            early = peak if number <= shards.rows // 10 else early
    seconds = time.perf_counter() - began
    print(json.dumps({"early_mb": early, "end_mb": peak, "data_mb": size / 1e6, "seconds": seconds}))


def _loss(kind: str) -> None:
    """One backward pass over counted tokens only; prints the peak of resident memory above what was there."""
    import resource

    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(vocab_size=150_000, hidden_size=64, intermediate_size=128, num_hidden_layers=1)
    )
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    ids = torch.randint(0, 150_000, (4, 250))
    batch = Batch({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.ones_like(ids).bool())
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    if kind == "ours":
        loss = -completion_logprobs(network, batch).sum()
    else:
        loss = network(**batch.inputs, labels=ids, num_items_in_batch=1).loss
    loss.backward()
    peak_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"mb": peak_mb, "seconds": time.perf_counter() - began, "loss": loss.item()}))


if __name__ == "__main__":
    _stream(Path(sys.argv[2])) if sys.argv[1] == "stream" else _loss(sys.argv[2])
