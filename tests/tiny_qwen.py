"""A Qwen-VL of about 1.4 million random weights in a folder: what a real vLLM server can serve on a CPU.

`python tests/tiny_qwen.py FOLDER` writes config, weights, tokenizer, image processor and chat template. Its
answers are noise, but the noise of a real decoder: sampled, seeded, batched, stopped, counted as any other.
It is a Qwen2.5-VL; the tests of training have those before and after it as well.
"""

import copy
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n"
    "{% if turn.content is string %}{{ turn.content }}"
    "{% else %}{% for part in turn.content %}"
    "{% if part.type == 'image' or part.type == 'image_url' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Family(NamedTuple):
    """What one generation of Qwen-VL calls its parts, and how its eyes are built."""

    config: Any
    network: Any
    processor: Any
    video_processor: str
    patch_px: int
    vision: dict[str, Any]
    text: dict[str, Any]


FAMILIES = {
    "qwen2_vl": Family(
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLProcessor,
        "Qwen2VLVideoProcessor",
        14,
        {"embed_dim": 128, "hidden_size": 128, "mlp_ratio": 2},
        {"rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [4, 6, 6]}},
    ),
    "qwen2_5_vl": Family(
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        "Qwen2VLVideoProcessor",
        14,
        {
            "hidden_size": 128,
            "intermediate_size": 256,
            "out_hidden_size": 128,
            "window_size": 112,
            "fullatt_block_indexes": [1],
        },
        {"rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [4, 6, 6]}},
    ),
    "qwen3_vl": Family(
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        "Qwen3VLVideoProcessor",
        16,
        {
            "hidden_size": 128,
            "intermediate_size": 256,
            "out_hidden_size": 128,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        },
        {
            "head_dim": 32,
            "rope_scaling": {"rope_type": "default", "mrope_section": [6, 5, 5], "mrope_interleaved": True},
        },
    ),
}
"""By `model_type`."""


def write_tiny_qwen(
    folder: Path, *, family: str = "qwen2_5_vl", max_model_len: int = 4096, seed: int = 0
) -> Path:
    """The same folder every time for one seed. Returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = FAMILIES[family]
    tokenizer = _byte_tokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=max_model_len,
    ).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind.network(_config(kind, tokenizer, max_model_len))
    model.generation_config.eos_token_id = tokenizer.token_to_id("<|im_end|>")
    model.generation_config.pad_token_id = tokenizer.token_to_id("<|endoftext|>")
    model.save_pretrained(folder)
    images = _image_processor(kind.patch_px) | {"processor_class": kind.processor.__name__}
    _write_json(
        folder / "preprocessor_config.json", images | {"image_processor_type": "Qwen2VLImageProcessor"}
    )
    _write_json(
        folder / "video_preprocessor_config.json", images | {"video_processor_type": kind.video_processor}
    )
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text())
    _write_json(
        folder / "tokenizer_config.json",
        tokenizer_config
        | {"tokenizer_class": "Qwen2TokenizerFast", "processor_class": kind.processor.__name__},
    )
    return folder


def tiny_qwen_processor(folder: Path, family: str) -> Any:
    """The folder's processor without the part for videos, which alone needs torchvision."""
    whole: Any = FAMILIES[family].processor

    class Pictures(whole):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return ["image_processor", "tokenizer"]

    Pictures.__name__ = whole.__name__
    tokenizer = AutoTokenizer.from_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(folder)
    return Pictures(images, tokenizer, chat_template=tokenizer.chat_template)


def frame_px(family: str) -> int:
    """Side of a square frame that its processor shows as it is, in four tokens."""
    return 4 * FAMILIES[family].patch_px


def _image_processor(patch_px: int) -> dict[str, Any]:
    least, most = (4 * patch_px) ** 2, (8 * patch_px) ** 2
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "merge_size": 2,
        "patch_size": patch_px,
        "temporal_patch_size": 2,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": least, "longest_edge": most},
        "min_pixels": least,
        "max_pixels": most,
    }


def _byte_tokenizer() -> Tokenizer:
    """One token a byte, the special tokens, and the merges of one answer; every id of it has a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=list(SPECIAL)
    )
    tokenizer.train_from_iterator(["<think>[12.4 s] the frame shows</think><answer>B</answer>"], trainer)
    return tokenizer


def _config(family: Family, tokenizer: Tokenizer, max_model_len: int) -> Any:
    token = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    return family.config(
        text_config={
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": tokenizer.get_vocab_size(),
            "max_position_embeddings": max_model_len,
            "rope_theta": 10_000.0,
            "bos_token_id": token["<|endoftext|>"],
            "eos_token_id": token["<|im_end|>"],
            "pad_token_id": token["<|endoftext|>"],
            **copy.deepcopy(family.text),  # transformers writes into it
        },
        vision_config={
            "depth": 2,
            "num_heads": 4,
            "patch_size": family.patch_px,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            **family.vision,
        },
        vision_start_token_id=token["<|vision_start|>"],
        vision_end_token_id=token["<|vision_end|>"],
        image_token_id=token["<|image_pad|>"],
        video_token_id=token["<|video_pad|>"],
        dtype="float32",
    )


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    write_tiny_qwen(Path(sys.argv[1]))
