import copy

import pytest
import torch
from transformers import AutoProcessor, Gemma3ImageProcessorPil, Gemma3Processor

from reelproof.data_cards.tiny_model import CHAT_TEMPLATE
from reelproof.training.batches import chat_prompt, completion_text, read_row, sft_batch, stack
from reelproof.training.frames import frame_labels, keep_frames, limit_frames
from reelproof.training.sampling import Ask, LocalSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.shards import example_of
from tests.tiny_training import sft_row, write_model

OPENS = CHAT_TEMPLATE.replace("'<|assistant|>' }}{% endif %}", "'<|assistant|><think>\n' }}{% endif %}")
"""Begins the model's turn with a thought, as those of models that always think do."""
FORGETS = OPENS.replace("{{ part['text'] }}", "{{ part['text'].split('</think>')[-1] }}")
"""And drops the thoughts of earlier turns."""


@pytest.fixture(scope="module")
def processor(tmp_path_factory):
    return AutoProcessor.from_pretrained(write_model(tmp_path_factory.mktemp("model")))


def example(number, **changes):
    return example_of(sft_row(number, **changes).model_dump(mode="python"))


@pytest.mark.parametrize("style", ["published", "brief", "direct"])
def test_only_the_completion_and_its_end_are_counted(processor, style):
    examples = [example(number, frames=2 + number % 3) for number in range(5)]
    batch = sft_batch(processor, examples, PromptConfig(style=style))
    image, pad = processor.image_token_id, processor.tokenizer.pad_token_id
    for row, each in enumerate(examples):
        said = processor.tokenizer.decode(batch.inputs["input_ids"][row][batch.counted[row]])
        assert said == completion_text(each, style) + "<|end|>"
    assert not (batch.counted & (batch.inputs["input_ids"] == image)).any()
    assert not (batch.counted & (batch.inputs["input_ids"] == pad)).any()
    assert not (batch.counted & (batch.inputs["attention_mask"] == 0)).any()
    assert (batch.inputs["input_ids"] == image).sum() == 4 * sum(len(each.images) for each in examples)


def test_padding_changes_nothing_for_the_row(processor):
    short, long = example(0, frames=1), example(1, frames=4)
    alone = sft_batch(processor, [short], PromptConfig())
    beside = sft_batch(processor, [short, long], PromptConfig())
    length = alone.inputs["input_ids"].shape[1]
    assert torch.equal(alone.inputs["input_ids"][0], beside.inputs["input_ids"][0, :length])
    assert beside.inputs["attention_mask"][0].sum() == length


def test_processors_that_want_pictures_row_by_row_get_them_so(processor):
    """Gemma's counts the pictures of each row; a flat list it takes for those of one row."""
    tokenizer = copy.deepcopy(processor.tokenizer)
    names = {"boi_token": "<image>", "image_token": "<soft>", "eoi_token": "<end>"}
    tokenizer.add_tokens(["<soft>", "<end>"], special_tokens=True)
    for name, token in names.items():
        setattr(tokenizer, name, token)
        setattr(tokenizer, f"{name}_id", tokenizer.convert_tokens_to_ids(token))
    gemma = Gemma3Processor(
        Gemma3ImageProcessorPil(size={"height": 16, "width": 16}),
        tokenizer,
        chat_template=processor.chat_template,
        image_seq_length=4,
    )
    examples = [example(0, frames=2), example(1, frames=3)]
    rows = [read_row(gemma, each, PromptConfig()) for each in examples]
    batch = stack(rows, tokenizer.pad_token_id, "left")
    assert batch["pixel_values"].shape == (5, 3, 16, 16)
    assert (batch["input_ids"] == tokenizer.image_token_id).sum(dim=1).tolist() == [8, 12]


def test_pixels_are_the_frames_of_the_shard(processor):
    each = example(0)
    batch = sft_batch(processor, [each], PromptConfig())
    assert batch.inputs["pixel_values"].shape == (2, 3, 16, 16)
    red = batch.inputs["pixel_values"][0].mean(dim=(1, 2))
    assert red[0] > 0.9
    assert red[1] < -0.9


def test_dropped_frames_take_their_labels_along():
    each = example(0, frames=5)
    fewer = limit_frames(each, 3)
    assert frame_labels(fewer) == ["[0.0 s]", "[2.0 s]", "[4.0 s]"]
    assert fewer.images == (each.images[0], each.images[2], each.images[4])
    assert frame_labels(keep_frames(each, [3])) == ["[3.0 s]"]
    assert limit_frames(each, 5) is each


def test_direct_style_asks_and_learns_no_thought():
    each = example(2)
    text = str(chat_prompt(each, PromptConfig(style="direct")))
    assert "Answer at once" in text
    assert completion_text(each, "direct") == f"<answer>{each.answer}</answer>"


def of_template(processor, template):
    other = copy.copy(processor)
    other.chat_template = template
    return other


@pytest.mark.parametrize("template", [OPENS, FORGETS, FORGETS.replace("<think>\n", "")])
def test_a_thought_is_opened_once_and_learned_whole(processor, template):
    assert template != CHAT_TEMPLATE
    batch = sft_batch(of_template(processor, template), [example(0)], PromptConfig())
    whole = processor.tokenizer.decode(batch.inputs["input_ids"][0])
    learned = processor.tokenizer.decode(batch.inputs["input_ids"][0][batch.counted[0]])
    said = completion_text(example(0), "published") + "<|end|>"
    assert learned == (said.removeprefix("<think>") if "<think>" in template else said)
    assert [whole.count(tag) for tag in ("<think>", "</think>", "<answer>")] == [1, 1, 1]
    assert whole.index("<think>") < whole.index("</think>")


def test_a_template_that_opens_thoughts_learns_no_answer_without_one(processor):
    with pytest.raises(ValueError, match="opens a thought"):
        sft_batch(of_template(processor, OPENS), [example(0)], PromptConfig(style="direct"))


def test_what_is_sampled_after_an_opened_thought_begins_with_its_tag(tmp_path):
    sampler = LocalSampler.load(write_model(tmp_path), PromptConfig())
    sampler.processor.chat_template = OPENS
    cfg = SamplingConfig(max_tokens=4)
    (said,) = sampler.sample([Ask(example(0))], cfg)
    assert said.text.startswith("<think>")
    assert said.text.count("<think>") == 1
    (further,) = sampler.sample([Ask(example(0), said.text + " Wait,")], cfg)
    assert further.text.startswith(said.text + " Wait,")
    row = read_row(sampler.processor, example(0), PromptConfig(), said.text)
    assert sampler.processor.tokenizer.decode(row["input_ids"][0]).count("<think>") == 1
