"""What training costs on one GPU, without a network: a randomly initialised Qwen3-VL of 2 B parameters.

`make gpu` leaves build/gpu.json and ends within 8 minutes; `--tiny` runs the same on a CPU in less than one.
Without an install: `PYTHONPATH=.src:. python -m tests.benchmarks.gpu`.
Needs torch, transformers, accelerate and what `reelproof.training` imports; what else it would use and does
not find, or has no time left for, it names under `left_out`.
"""

import argparse
import gc
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from accelerate import Accelerator
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

from reelproof.training.batches import Batch, stack
from reelproof.training.grpo import group_advantages, policy_loss
from reelproof.training.logprobs import Bundle, apart_logprobs, bundle_logprobs
from reelproof.training.networks import checkpoint_layers
from reelproof.training.settings.rl import GrpoConfig
from reelproof.training.settings.runs import OptimizerConfig
from reelproof.training.trainer import Trainer

PEAK_TFLOPS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "A10": 125, "4090": 165}
"""Dense bf16, as the cards' data sheets have it."""
MINUTES = 8


class Size(NamedTuple):
    """A model, and what it is shown."""

    text: dict[str, Any]
    vision: dict[str, Any]
    grid: tuple[int, int]
    """Patches of a frame, (rows, columns); four make a token."""
    frames: tuple[int, int]
    """SFT and the first GRPO update; the second."""
    completion: int
    rollouts: int
    steps: int


TWO_B = Size(
    # Qwen/Qwen3-VL-2B-Instruct
    {
        "vocab_size": 151_936,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262_144,
    },
    {
        "depth": 24,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_heads": 16,
        "out_hidden_size": 2048,
        "patch_size": 16,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17],
    },
    (16, 28),
    (16, 64),
    256,
    8,
    5,
)
TINY = Size(
    {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 4096,
    },
    {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 64,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    },
    (4, 4),
    (2, 8),
    8,
    4,
    1,
)
PAD, START, END, IMAGE, VIDEO = range(5)
FIRST_WORD = 8


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="A model of 0.2 M parameters, on what is here.")
    parser.add_argument("--out", type=Path, default=Path("build/gpu.json"))
    told = parser.parse_args(arguments)
    if not told.tiny and not torch.cuda.is_available():
        parser.error("no GPU is here; --tiny runs on a CPU")
    found = measure(TINY if told.tiny else TWO_B)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return found


def measure(size: Size) -> dict[str, Any]:
    """All figures; each part starts only while there is time."""
    until = time.monotonic() + 60 * MINUTES
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    found: dict[str, Any] = {"device": card, "torch": torch.__version__, "left_out": {}}
    found["transformers"] = transformers.__version__
    parts: dict[str, Callable[[], dict[str, Any]]] = {"sft": lambda: _sft(size, card)}
    for frames in size.frames:
        for shared in (True, False):
            name = f"grpo, {frames} frames, {'shared prompt' if shared else 'a prompt each'}"
            parts[name] = lambda frames=frames, shared=shared: _grpo(size, frames, shared)
    parts["sft, TRL"] = lambda: _trl_sft(size, card)
    for name, part in parts.items():
        if name.endswith("TRL") and importlib.util.find_spec("trl") is None:
            found["left_out"][name] = "trl is not installed"
        elif time.monotonic() > until - 60 * MINUTES / 8:
            found["left_out"][name] = "no time was left"
        else:
            found[name] = _told(part)
    return found


def _told(part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        figures = part()
    except torch.OutOfMemoryError as error:
        return {"out_of_memory": str(error).splitlines()[0]}
    if torch.cuda.is_available():
        figures["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
    return figures


def _sft(size: Size, card: str) -> dict[str, Any]:
    trainer = _trainer(size)
    batch = _batch(size, size.frames[0], rows=1)
    seconds = _timed(lambda: trainer.step([batch]), size.steps)
    return _speed(size, trainer.network, batch, seconds, card)


def _trl_sft(size: Size, card: str) -> dict[str, Any]:
    """The same batch through TRL's SFTTrainer; dataset and processor have no part in it."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from reelproof.data_cards.tiny_model import TinyModelConfig, train_tokenizer

    batch = _batch(size, size.frames[0], rows=1)
    labels = batch.inputs["input_ids"].masked_fill(~batch.counted, -100)
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        cfg = SFTConfig(
            output_dir=folder, max_steps=size.steps + 1, per_device_train_batch_size=1, bf16=card != "cpu",
            use_cpu=card == "cpu", learning_rate=1e-5, report_to=[], save_strategy="no", max_length=None,
            gradient_checkpointing=True, gradient_checkpointing_kwargs={"use_reentrant": False},
            dataset_kwargs={"skip_prepare_dataset": True}, remove_unused_columns=False, disable_tqdm=True,
        )  # fmt: skip
        network = _network(size)
        trainer = SFTTrainer(
            network,
            args=cfg,
            train_dataset=Dataset.from_list([{"messages": []}] * (size.steps + 1)),
            data_collator=lambda _: {**batch.inputs, "labels": labels},
            processing_class=train_tokenizer(["a"], TinyModelConfig()),
        )
        step = trainer.training_step

        def timed(*arguments: Any, **more: Any) -> Any:
            seconds.append(_now())
            return step(*arguments, **more)

        trainer.training_step = timed  # type: ignore[method-assign]
        trainer.train()
        seconds.append(_now())
    return _speed(size, network, batch, (seconds[-1] - seconds[1]) / size.steps, card)


def _grpo(size: Size, frames: int, shared: bool) -> dict[str, Any]:
    """One question's rollouts: log-probabilities, loss, backward pass, optimizer step."""
    trainer = _trainer(size)
    device = trainer.accelerator.device
    torch.manual_seed(frames)
    prompt = _prompt(size, frames, device)
    said = torch.randint(FIRST_WORD, size.text["vocab_size"], (size.rollouts, size.completion), device=device)
    counted = torch.ones_like(said, dtype=torch.bool)
    gains = group_advantages(torch.rand(1, size.rollouts, device=device)).flatten()
    prompts = prompt if shared else stack([prompt] * size.rollouts, PAD, "left")
    logprobs = bundle_logprobs if shared else apart_logprobs

    norms = []

    def update() -> None:
        new = logprobs(trainer.network, Bundle(prompts, said, counted), [IMAGE], 1.0)
        loss = policy_loss(new, new.detach(), gains, counted, GrpoConfig(), size.completion).loss
        trainer.accelerator.backward(loss)
        norms.append(trainer.apply()["grad_norm"])

    seconds = _timed(update, max(1, size.steps // 2))
    return {
        "prompt_tokens": prompt["input_ids"].shape[1],
        "rollouts": size.rollouts,
        "seconds": round(seconds, 3),
        "grad_norm": norms[0],
        "completion_tokens_per_s": round(said.numel() / seconds, 1),
    }


def _network(size: Size) -> Any:
    config = Qwen3VLConfig(
        text_config={
            **size.text,
            "rope_scaling": {
                "rope_type": "default",
                "mrope_section": _sections(size),
                "mrope_interleaved": True,
            },
            "pad_token_id": PAD,
        },
        vision_config={**size.vision, "spatial_merge_size": 2, "temporal_patch_size": 2},
        vision_start_token_id=START,
        vision_end_token_id=END,
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        network = Qwen3VLForConditionalGeneration(config)
    checkpoint_layers(network)
    return network.train()


def _sections(size: Size) -> list[int]:
    """How a head's half width is dealt out to time, height and width, about as Qwen deals 64: 24, 20, 20."""
    half = size.text["head_dim"] // 2
    side = half * 20 // 64
    return [half - 2 * side, side, side]


def _trainer(size: Size) -> Trainer:
    precision = "bf16" if torch.cuda.is_available() else "no"
    return Trainer(Accelerator(mixed_precision=precision), _network(size), OptimizerConfig(), 1000)


def _prompt(size: Size, frames: int, device: torch.device) -> dict[str, torch.Tensor]:
    """A question over so many frames of noise, as the processor would give it."""
    rows, columns = size.grid
    one = [START, *[IMAGE] * (rows * columns // 4), END]
    words = torch.randint(FIRST_WORD, size.text["vocab_size"], (64,)).tolist()
    ids = torch.tensor([one * frames + words], device=device)
    width = 3 * 2 * size.vision["patch_size"] ** 2
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": (ids == IMAGE).long(),
        "pixel_values": torch.randn(frames * rows * columns, width, device=device),
        "image_grid_thw": torch.tensor([[1, rows, columns]] * frames, device=device),
    }


def _joined(prompt: dict[str, torch.Tensor], said: torch.Tensor) -> Batch:
    """Each completion after a prompt of its own."""
    count, length = said.shape
    inputs = {name: torch.cat([value] * count) for name, value in prompt.items()}
    filler = {"input_ids": said, "attention_mask": torch.ones_like(said)}
    filler["mm_token_type_ids"] = torch.zeros_like(said)
    inputs |= {name: torch.cat([inputs[name], value], dim=1) for name, value in filler.items()}
    counted = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    counted[:, -length:] = True
    return Batch(inputs, counted)


def _batch(size: Size, frames: int, rows: int) -> Batch:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    said = torch.randint(FIRST_WORD, size.text["vocab_size"], (rows, size.completion), device=device)
    return _joined(_prompt(size, frames, device), said)


def _speed(size: Size, network: Any, batch: Batch, seconds: float, card: str) -> dict[str, Any]:
    """MFU counts 6 operations a parameter and token (or patch), and attention; checkpoints count once."""
    tokens = int(batch.inputs["attention_mask"].sum())
    patches = len(batch.inputs["pixel_values"])
    seeing = sum(each.numel() for name, each in network.named_parameters() if "visual" in name)
    reading = sum(each.numel() for each in network.parameters()) - seeing
    text = size.text
    attention = 6 * text["num_hidden_layers"] * text["num_attention_heads"] * text["head_dim"] * tokens**2
    operations = 6 * (reading * tokens + seeing * patches) + attention
    peak = next((value for name, value in PEAK_TFLOPS.items() if name in card), None)
    return {
        "parameters": seeing + reading,
        "tokens": tokens,
        "seconds": round(seconds, 4),
        "tokens_per_s": round(tokens / seconds, 1),
        "mfu": round(operations / seconds / (peak * 1e12), 3) if peak else None,
    }


def _timed(step: Callable[[], Any], count: int) -> float:
    """Seconds a step, the first not counted."""
    step()
    began = _now()
    for _ in range(count):
        step()
    return (_now() - began) / count


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
