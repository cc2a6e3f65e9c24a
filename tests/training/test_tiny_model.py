import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from reelproof.data_cards.tiny_model import (
    TinyModelConfig,
    build_tiny_model,
    save_tiny_model,
    train_tokenizer,
)

TEXTS = ["[0.0 s] a3 [1.0 s] b3 so right", "Which way does the red square go?"] * 20
TOKENIZER = train_tokenizer(TEXTS, TinyModelConfig())


def test_saved_model_loads_through_the_auto_classes_and_reads_several_images(tmp_path):
    tiny = build_tiny_model(TEXTS, TinyModelConfig(seed=3))
    save_tiny_model(tiny, tmp_path)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    parts = [{"type": "text", "text": "[0.0 s]"}, {"type": "image", "text": None}] * 3
    prompt = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    frames = [Image.new("RGB", (36, 36), colour) for colour in ("red", "green", "blue")]

    batch = processor(text=[prompt], images=frames, return_tensors="pt")
    other = processor(text=[prompt], images=frames[::-1], return_tensors="pt")

    assert (batch["input_ids"] == model.config.image_token_index).sum() == 27
    logits = model(**batch).logits
    assert torch.equal(logits, tiny.model(**batch).logits)
    assert not torch.allclose(logits[0, -1], model(**other).logits[0, -1])


def test_seed_decides_the_weights_and_leaves_the_global_state_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, two, other = (build_tiny_model(TEXTS, TinyModelConfig(seed=seed)).model for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.lm_head.weight, two.lm_head.weight)
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_tokenizer_gives_any_text_back(text):
    said = f"<think>{text}</think>"
    assert TOKENIZER.decode(TOKENIZER(said)["input_ids"], skip_special_tokens=False) == said


def test_cited_time_is_one_token_and_format_tags_survive_decoding():
    ids = TOKENIZER("<think>[1.0 s] b3</think><answer>")["input_ids"]
    assert len(ids) == 5
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == "<think>[1.0 s] b3</think><answer>"


def test_frame_that_patches_do_not_fill_is_refused():
    with pytest.raises(ValueError, match="multiple of patch_px"):
        TinyModelConfig(image_px=40, patch_px=12)
