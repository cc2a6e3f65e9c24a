"""A Qwen2.5-VL of about 1.4 million random weights in a folder: what a real vLLM server can serve on a CPU.

`python tests/tiny_qwen.py FOLDER` writes config, weights, tokenizer, image processor and chat template. Its
answers are noise, but the noise of a real decoder: sampled, seeded, batched, stopped, counted as any other.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

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
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IMAGE_PROCESSOR = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "merge_size": 2,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": 56 * 56, "longest_edge": 112 * 112},
    "min_pixels": 56 * 56,
    "max_pixels": 112 * 112,
}


def write_tiny_qwen(folder: Path, *, max_model_len: int = 4096, seed: int = 0) -> Path:
    """The same folder every time for one seed. Returns it."""
    folder.mkdir(parents=True, exist_ok=True)
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
        model = Qwen2_5_VLForConditionalGeneration(_config(tokenizer, max_model_len))
    model.generation_config.eos_token_id = tokenizer.token_to_id("<|im_end|>")
    model.generation_config.pad_token_id = tokenizer.token_to_id("<|endoftext|>")
    model.save_pretrained(folder)
    _write_json(
        folder / "preprocessor_config.json",
        IMAGE_PROCESSOR
        | {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"},
    )
    _write_json(
        folder / "video_preprocessor_config.json",
        IMAGE_PROCESSOR
        | {"video_processor_type": "Qwen2VLVideoProcessor", "processor_class": "Qwen2_5_VLProcessor"},
    )
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text())
    _write_json(
        folder / "tokenizer_config.json",
        tokenizer_config
        | {"tokenizer_class": "Qwen2TokenizerFast", "processor_class": "Qwen2_5_VLProcessor"},
    )
    return folder


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


def _config(tokenizer: Tokenizer, max_model_len: int) -> Qwen2_5_VLConfig:
    token = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    return Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": tokenizer.get_vocab_size(),
            "max_position_embeddings": max_model_len,
            "rope_theta": 10_000.0,
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [4, 6, 6]},
            "bos_token_id": token["<|endoftext|>"],
            "eos_token_id": token["<|im_end|>"],
            "pad_token_id": token["<|endoftext|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "out_hidden_size": 128,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [1],
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
