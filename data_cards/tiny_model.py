"""A config and some text -> a tiny vision-language model with its own tokenizer, for tests and studies.

A Llava: CLIP sees each frame as one token a patch, a small Llama reads them between the words. Nothing is
downloaded, a CPU trains it; the folder it is saved to loads through the Auto classes like any other model's.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AddedToken as Added
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from reelproof.schemas.settings import Settings

PAD, END, IMAGE = "<|pad|>", "<|end|>", "<image>"
CONTROL_TOKENS = (PAD, END, "<|system|>", "<|user|>", "<|assistant|>", IMAGE)
FORMAT_TOKENS = ("<think>", "</think>", "<answer>", "</answer>")

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

# A cited time is one piece, then words with the space before them, numbers, and single signs.
PIECES = Regex(r"\[[0-9.]+ s\]| ?[A-Za-z]+[0-9]?| ?[0-9]+|\s+|[^\sA-Za-z0-9]")


class TinyModelConfig(Settings):
    """The size of the model, and the frames it takes."""

    image_px: int = Field(default=36, ge=8, le=448)
    """Height and width of a frame; others are refused by training, not resized."""
    patch_px: int = Field(default=12, ge=4, le=64)
    """Side of a patch; a frame costs (image_px / patch_px)² tokens."""
    vision_layers: int = Field(default=1, ge=1, le=24)
    vision_width: int = Field(default=96, ge=16, le=2048)
    layers: int = Field(default=3, ge=1, le=48)
    width: int = Field(default=128, ge=16, le=8192)
    heads: int = Field(default=4, ge=1, le=64)
    vocabulary: int = Field(default=512, ge=300, le=100_000)
    """Tokens at most: 256 bytes, the control tokens, and merges learned from the text."""
    context_tokens: int = Field(default=1024, ge=64, le=131_072)
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> "TinyModelConfig":
        if self.image_px % self.patch_px:
            raise ValueError(f"image_px={self.image_px} must be a multiple of patch_px={self.patch_px}")
        if self.width % (2 * self.heads) or self.vision_width % self.heads:
            raise ValueError(
                f"width={self.width} and vision_width={self.vision_width} must divide by the heads"
            )
        return self


class TinyModel(NamedTuple):
    """What a training run loads: weights, and the processor that feeds them."""

    model: LlavaForConditionalGeneration
    processor: LlavaProcessor


def build_tiny_model(texts: Iterable[str], cfg: TinyModelConfig) -> TinyModel:
    """A fresh model whose tokenizer was trained on `texts`; any other text is spelled in bytes."""
    processor = tiny_processor(train_tokenizer(texts, cfg), cfg)
    tokenizer = processor.tokenizer
    tokens = {
        "pad_token_id": tokenizer.convert_tokens_to_ids(PAD),
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        "bos_token_id": None,
    }
    vision = CLIPVisionConfig(
        hidden_size=cfg.vision_width,
        intermediate_size=2 * cfg.vision_width,
        num_hidden_layers=cfg.vision_layers,
        num_attention_heads=cfg.heads,
        image_size=cfg.image_px,
        patch_size=cfg.patch_px,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=cfg.width,
        intermediate_size=2 * cfg.width,
        num_hidden_layers=cfg.layers,
        num_attention_heads=cfg.heads,
        num_key_value_heads=cfg.heads,
        max_position_embeddings=cfg.context_tokens,
        tie_word_embeddings=True,
        **tokens,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=(cfg.image_px // cfg.patch_px) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.seed)
        model = LlavaForConditionalGeneration(config)
        _widen(model)
    model.generation_config.update(**tokens)  # type: ignore[no-untyped-call]  # transformers is half typed
    return TinyModel(model, processor)


@torch.no_grad()
def _widen(model: LlavaForConditionalGeneration) -> None:
    """Start from weights in proportion to this width: with the usual 0.02 attention stays uniform.

    The same goes for CLIP's positions: beside its patches they would be too faint to tell cells apart.
    """
    for name, weight in model.named_parameters():
        if "position_embedding" in name:
            weight.normal_(0, 0.2)
        elif weight.ndim == 2 and ("language_model.layers" in name or "projector" in name):
            weight.normal_(0, weight.shape[1] ** -0.5)


def train_tokenizer(texts: Iterable[str], cfg: TinyModelConfig) -> PreTrainedTokenizerFast:
    """Byte-level BPE over pieces that keep a cited time whole; decodes back to the very text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=cfg.vocabulary - len(FORMAT_TOKENS),
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(CONTROL_TOKENS[2:]),
        model_max_length=cfg.context_tokens,
        clean_up_tokenization_spaces=False,
    )
    fast.add_tokens([Added(each, special=False, normalized=False) for each in FORMAT_TOKENS])
    return fast


def tiny_processor(tokenizer: PreTrainedTokenizerFast, cfg: TinyModelConfig) -> LlavaProcessor:
    """Frames as they are, scaled to −1 … 1; `<image>` grows to one token a patch."""
    side = {"height": cfg.image_px, "width": cfg.image_px}
    images = CLIPImageProcessorPil(
        size=side,
        crop_size=side,
        do_resize=False,
        do_center_crop=False,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=cfg.patch_px,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )


def save_tiny_model(tiny: TinyModel, folder: Path) -> Path:
    """Write weights, tokenizer and processor to `folder`; `AutoModelForImageTextToText` loads it."""
    tiny.model.save_pretrained(folder)
    tiny.processor.save_pretrained(folder)
    return folder
