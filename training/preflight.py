"""A model's folder and a dataset -> why they cannot be trained together, before weights are loaded."""

import heapq
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from huggingface_hub import constants
from huggingface_hub.errors import StrictDataclassError
from PIL import Image
from safetensors import SafetensorError
from transformers import AutoConfig, AutoProcessor

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.thought import NEAR_FRAME_S, cited_near_frames
from reelproof.schemas.errors import UsageError
from reelproof.schemas.hub import go_offline_without_hub
from reelproof.schemas.install import installing
from reelproof.training.batches import pictured, prompt_text, text_of
from reelproof.training.frames import label_times, limit_frames, size_px
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.shards import Example, Shards, example_of

LONGEST_CHECKED = 16
"""Rows with the most text whose tokens are counted."""

_ON_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
IMAGE_SETTINGS = "image_settings.json"
"""Beside a trained model: the settings of its image processor that the run had in place of its own."""


class SetupError(UsageError):
    """Model, data and settings do not fit together; the message says why and what to do."""


class FrameContract(NamedTuple):
    """The pictures that a dataset holds, and how a processor shows them to its model."""

    sizes_px: tuple[tuple[int, int], ...]
    """(width, height) of the frames, as found in the first row group of each shard."""
    seen_px: tuple[tuple[int, int], ...]
    """(width, height) that the model gets for each of them."""
    tokens: tuple[int, ...]
    """Image tokens for each of them."""


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Within, a folder of which something is missing, cut off or of another kind is told as a SetupError."""
    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SetupError(
            f"{model} is no model that can be loaded ({told}); name the folder "
            "of a run or of a model, with config.json, weights and processor in it, or a name on the Hub"
        ) from error


def load_processor(model: str, image_settings: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """The model's processor and a check that it sees. Raises SetupError for a model without vision.

    `image_settings` go before its image processor's own, and are kept with a model that is trained.
    """
    if not _ON_HUB.fullmatch(model) and not Path(model).exists():
        raise SetupError(f"{model}: there is no such folder; name a run's, a model's, or a name on the Hub")
    go_offline_without_hub(model, constants)
    with loading(model):
        config = AutoConfig.from_pretrained(model)
    if getattr(config, "vision_config", None) is None:
        raise SetupError(
            f"{model} ({config.model_type}) has no vision: its config names no vision_config. "
            "Choose a vision-language model"
        )
    try:
        with loading(model):
            processor = AutoProcessor.from_pretrained(model)  # type: ignore[no-untyped-call]  # half typed
    except ImportError as error:
        if "torchvision" not in str(error).lower():
            raise
        raise SetupError(
            f"the processor of {model} needs torchvision: pip install torchvision, or all that training "
            f"takes: {installing('train')}"
        ) from error
    if not hasattr(processor, "image_processor"):
        raise SetupError(f"{model} has no image processor beside its weights; add its own")
    if getattr(processor, "chat_template", None) is None:
        raise SetupError(f"{model} has no chat template; choose an instruction-tuned model")
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    kept = Path(model) / IMAGE_SETTINGS
    before = json.loads(kept.read_text()) if kept.is_file() else {}
    return set_images(processor, {**before, **image_settings})


def set_images(processor: Any, settings: Mapping[str, Any]) -> Any:
    """The processor, with these settings before its image processor's own; SetupError for unknown ones."""
    images = processor.image_processor
    known = {*images.to_dict(), *getattr(getattr(images, "valid_kwargs", None), "__annotations__", {})}
    unknown = sorted(settings.keys() - known)
    if unknown:
        raise SetupError(
            f"prompt.image_settings: {', '.join(unknown)} is no setting of {type(images).__name__}; "
            f"those are {', '.join(sorted(known))}"
        )
    if settings:
        try:
            images(Image.new("RGB", (64, 64)), **settings)
        except (StrictDataclassError, TypeError, ValueError, KeyError) as error:
            said = " ".join(str(error).split())
            raise SetupError(f"prompt.image_settings={dict(settings)} cannot be used: {said}") from None
        processor.images_kwargs = {**getattr(processor, "images_kwargs", {}), **settings}
    return processor


def save_processor(processor: Any, folder: Path) -> None:
    """Write it for the Auto classes and for servers, with what `set_images` set as its own settings."""
    images, settings = processor.image_processor, vars(processor).get("images_kwargs") or {}
    processor.image_processor = type(images).from_dict(images.to_dict() | settings)
    processor.save_pretrained(folder)
    processor.image_processor = images
    if settings:
        (folder / IMAGE_SETTINGS).write_text(json.dumps(settings) + "\n")


def frame_sizes(shards: Shards) -> set[tuple[int, int]]:
    """(width, height) of the frames in the first row group of each shard."""
    found = set()
    for shard in shards.files:
        with shards.published.open(shard) as file:
            for images in file.read_row_group(0, columns=["images"])["images"].to_pylist():
                found |= {size_px(image["bytes"]) for image in images}
    return found


def frame_contract(processor: Any, found: Collection[tuple[int, int]], allow_resize: bool) -> FrameContract:
    """How frames of these sizes are shown: as they are, where the processor's limits alone are against it.

    Raises SetupError where the processor would show other pixels than those that the teacher saw.
    """
    sizes = tuple(sorted(found))
    _widen_limits(processor, sizes)
    images = processor.image_processor
    # Processors that keep the aspect round each side to whole patches.
    rounding = images.patch_size * images.merge_size - 1 if hasattr(images, "merge_size") else 0
    seen, tokens = [], []
    for size in sizes:
        shown, count = _as_shown(processor, size)
        seen.append(shown)
        tokens.append(count)
        if max(abs(shown[0] - size[0]), abs(shown[1] - size[1])) > rounding and not allow_resize:
            raise SetupError(
                f"the frames are {size[0]}x{size[1]} px but the processor shows the model "
                f"{shown[0]}x{shown[1]} px: it would not see the pixels that the teacher saw. Change the "
                "processor's size (prompt.image_settings of `train`), build with frames of its size "
                "(footage.long_side_px), or set allow_resize"
            )
    return FrameContract(sizes, tuple(seen), tuple(tokens))


def _widen_limits(processor: Any, sizes: Collection[tuple[int, int]]) -> None:
    """Let a processor that takes pictures of all sizes (Qwen-VL's) take these, unless a run sets its limits.

    Published ones scale up what has fewer pixels than a limit (Qwen3-VL: 65,536), and down what has more.
    """
    images, own = processor.image_processor, getattr(processor, "images_kwargs", {})
    if not sizes or not hasattr(images, "merge_size") or own.keys() & {"size", "min_pixels", "max_pixels"}:
        return
    unit = images.patch_size * images.merge_size
    least = min(max(width // unit, 1) * max(height // unit, 1) for width, height in sizes) * unit**2
    most = max(-(-width // unit) * -(-height // unit) for width, height in sizes) * unit**2
    limits = {
        "shortest_edge": min(least, images.size["shortest_edge"]),
        "longest_edge": max(most, images.size["longest_edge"]),
    }
    if limits != {name: images.size[name] for name in limits}:
        set_images(processor, {"size": limits})


def check_length(
    processor: Any,
    model: str,
    rows: Iterable[Example],
    prompt: PromptConfig,
    frames: FrameContract,
    room: int,
) -> int:
    """The longest row in tokens, whose pictures are not looked at.

    Raises SetupError where it and `room` tokens of answer exceed the context, and for frames in pairs where
    the model has no pictures of two.
    """
    if prompt.frame_pairs and getattr(processor.image_processor, "temporal_patch_size", 1) != 2:
        raise SetupError(
            f"frame_pairs: {type(processor).__name__} has no pictures of two frames, as Qwen-VL has them; "
            "leave it out"
        )
    text_config = AutoConfig.from_pretrained(model).get_text_config()
    context = min(
        getattr(text_config, "max_position_embeddings", 1 << 30), processor.tokenizer.model_max_length
    )
    longest, sample = 0, ""
    most_text = heapq.nlargest(
        LONGEST_CHECKED,
        rows,
        key=lambda row: sum(map(len, map(text_of, (row.prompt, row.completion, row.rejected)))),
    )
    for example in most_text:
        short = limit_frames(example, prompt.max_frames)
        text = prompt_text(processor, short, prompt)
        said = max(text_of(example.completion), text_of(example.rejected), key=len)
        ids = processor.tokenizer(text + said, add_special_tokens=False)["input_ids"]
        length = len(ids) + len(pictured(short, prompt)) * (max(frames.tokens, default=1) - 1)
        if length > longest:
            longest, sample = length, example.sample_id
    if longest + room > context:
        more = f" and the answer may take {room} more" if room else ""
        shorter = "let answers be shorter (sampling.max_tokens; of `sft` test_tokens), " if room else ""
        raise SetupError(
            f"row {sample} takes {longest} tokens{more}, but the context of {model} holds {context}. Show "
            f"fewer frames (prompt.max_frames; of `evaluate` max_frames or frames.count), {shorter}or take a "
            "model with a longer context"
        )
    return longest


def _as_shown(processor: Any, size: tuple[int, int]) -> tuple[tuple[int, int], int]:
    """((width, height) in pixels, tokens) of one frame of that size."""
    picture = Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8))
    out = processor(text=[str(processor.image_token)], images=[picture], return_tensors="pt")
    tokens = int((out["input_ids"] == image_token_id(processor)).sum())
    if "image_grid_thw" in out:  # pixels come as a flat list of patches
        _, rows, columns = out["image_grid_thw"][0].tolist()
        patch = int(processor.image_processor.patch_size)
        return (columns * patch, rows * patch), tokens
    height, width = out["pixel_values"].shape[-2:]
    return (int(width), int(height)), tokens


def image_token_id(processor: Any) -> int:
    """What stands for a picture, or a part of one, among a prompt's tokens."""
    return int(processor.tokenizer.convert_tokens_to_ids(processor.image_token))


def rows_citing_dropped_frames(shards: Shards, prompt: PromptConfig) -> set[str]:
    """Ids of the rows whose thought cites a time of which `prompt.max_frames` drops the frame.

    To learn from them is to learn to make frames up. Raises SetupError where that is all rows.
    """
    if prompt.max_frames is None or prompt.style == "direct":
        return set()
    rows = rows_without_images(shards)
    found = {each.sample_id for each in rows if _cites_dropped(each, prompt.max_frames)}
    if len(found) == shards.rows:
        raise SetupError(
            f"the thoughts of all {shards.rows} rows cite frames that prompt.max_frames={prompt.max_frames} "
            "drops. Raise it, or build clips with fewer frames"
        )
    return found


def _cites_dropped(example: Example, most: int) -> bool:
    said = text_of(example.completion)
    shown, left = (label_times(each) for each in (example, limit_frames(example, most)))
    return any(
        cited_near_frames([span], shown, NEAR_FRAME_S) and not cited_near_frames([span], left, NEAR_FRAME_S)
        for span in cited_spans(said)
    )


def rows_without_images(shards: Shards) -> Iterator[Example]:
    """Every row with empty images: only text columns are read."""
    for shard in shards.files:
        for row in shards.published.rows(shard, without=("images",), at_once=256):
            yield example_of({**row, "images": [{"bytes": b""}] * len(row["frame_sha256"])})
