"""Vision models other than Qwen's, tiny and random, with the processor settings that each is published with.

The part for videos of a processor needs torchvision and is left out, as in `tests/tiny_qwen.py`.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    GotOcr2ImageProcessorPil,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessorPil,
    LlavaOnevisionProcessor,
    PreTrainedTokenizerFast,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessorPil,
    SmolVLMProcessor,
)

from reelproof.data_cards.tiny_model import CHAT_TEMPLATE, TinyModelConfig, train_tokenizer
from tests.tiny_qwen import FAMILIES as QWENS
from tests.tiny_qwen import frame_px, tiny_qwen_processor, write_tiny_qwen

CONTEXT = 4096
VISION = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


class Kind(NamedTuple):
    """How one is built."""

    config: Any
    network: Any
    processor: Any
    images: Any
    """Its image processor, as published."""
    frame_px: int
    image_token: str
    named_tokens: dict[str, str]
    """What the tokenizer calls its special tokens."""
    text: str
    vision: dict[str, Any]
    whole: dict[str, Any]
    of_processor: dict[str, Any]
    image_settings: dict[str, Any]
    """What a run on frames of films sets."""


KINDS = {
    # HuggingFaceTB/SmolVLM2-500M-Video-Instruct
    "smolvlm": Kind(
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMProcessor,
        SmolVLMImageProcessorPil(
            size={"longest_edge": 2048}, max_image_size={"longest_edge": 512}, do_image_splitting=True, **HALF
        ),
        512,
        "<image>",
        {"fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"},
        "llama",
        {**VISION, "image_size": 512, "patch_size": 16},
        {"scale_factor": 4},
        {"image_seq_len": 64, "video_processor": None},
        {"do_image_splitting": False, "size": {"longest_edge": 512}},
    ),
    # OpenGVLab/InternVL3_5-2B-HF
    "internvl": Kind(
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        GotOcr2ImageProcessorPil(
            size={"height": 448, "width": 448},
            image_mean=[0.485, 0.456, 0.406],
            image_std=[0.229, 0.224, 0.225],
            crop_to_patches=False,
            min_patches=1,
            max_patches=12,
        ),
        448,
        "<IMG_CONTEXT>",
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        "qwen3",
        {**VISION, "image_size": [448, 448], "patch_size": [14, 14]},
        {"image_seq_length": 256, "downsample_ratio": 0.5},
        {"image_seq_length": 256},
        {"crop_to_patches": False},
    ),
    # llava-hf/llava-onevision-qwen2-0.5b-ov-hf
    "llava_onevision": Kind(
        LlavaOnevisionConfig,
        LlavaOnevisionForConditionalGeneration,
        LlavaOnevisionProcessor,
        LlavaOnevisionImageProcessorPil(size={"height": 384, "width": 384}, do_pad=True, **HALF),
        384,
        "<image>",
        {"video_token": "<video>"},
        "qwen2",
        {**VISION, "model_type": "siglip_vision_model", "image_size": 384, "patch_size": 14},
        {"vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_9"},
        {"num_image_tokens": 729, "vision_feature_select_strategy": "full"},
        {},
    ),
}


class Ready(NamedTuple):
    """A model's folder, its processor, and what fits it."""

    model: str
    processor: Any
    frame_px: int
    image_settings: dict[str, Any]


def tiny_family(folder: Path, name: str) -> Ready:
    """One of KINDS, or of Qwen's."""
    if name in QWENS:
        model = write_tiny_qwen(folder, family=name)
        return Ready(str(model), tiny_qwen_processor(model, name), frame_px(name), {})
    kind = KINDS[name]
    tokenizer = _tokenizer(kind)
    _write(folder, kind, tokenizer)
    return Ready(str(folder), _processor(kind, tokenizer), kind.frame_px, kind.image_settings)


def _tokenizer(kind: Kind) -> PreTrainedTokenizerFast:
    tokenizer = train_tokenizer(["the frame shows a red square"], TinyModelConfig(context_tokens=CONTEXT))
    special = {*kind.named_tokens.values(), kind.image_token}
    tokenizer.add_special_tokens({"additional_special_tokens": sorted(special)}, False)
    for name, token in kind.named_tokens.items():
        setattr(tokenizer, name, token)
        setattr(tokenizer, f"{name}_id", tokenizer.convert_tokens_to_ids(token))
    return tokenizer


def _write(folder: Path, kind: Kind, tokenizer: PreTrainedTokenizerFast) -> None:
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text = {
        "model_type": kind.text,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CONTEXT,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "bos_token_id": None,
        **ends,
    }
    token = "image_token_index" if kind.config is LlavaOnevisionConfig else "image_token_id"
    of_image = {token: tokenizer.convert_tokens_to_ids(kind.image_token)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = kind.network(
            kind.config(text_config=text, vision_config=kind.vision, **of_image, **kind.whole)
        )
    network.generation_config.eos_token_id = tokenizer.eos_token_id
    network.generation_config.pad_token_id = tokenizer.pad_token_id
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _processor(kind: Kind, tokenizer: PreTrainedTokenizerFast) -> Any:
    whole: Any = kind.processor

    class Pictures(whole):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return ["image_processor", "tokenizer"]

        def apply_chat_template(self, *arguments: Any, **settings: Any) -> str:
            return self.tokenizer.apply_chat_template(*arguments, **settings)

    Pictures.__name__ = whole.__name__
    template = CHAT_TEMPLATE.replace("<image>", kind.image_token)
    tokenizer.chat_template = template
    return Pictures(
        image_processor=kind.images, tokenizer=tokenizer, chat_template=template, **kind.of_processor
    )
