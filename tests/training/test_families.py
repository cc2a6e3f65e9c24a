"""Models that people train, tiny, through all that trains or asks them."""

import io
import json
import math

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from transformers import AutoModelForImageTextToText

from reelproof.training.batches import chat_prompt, prompt_text, read_row, sft_batch, stack
from reelproof.training.evaluate import evaluate_model
from reelproof.training.logprobs import completion_logprobs
from reelproof.training.preflight import (
    FrameContract,
    SetupError,
    check_length,
    frame_contract,
    load_processor,
    save_processor,
    set_images,
)
from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import EvaluateConfig, SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import RlConfig
from reelproof.training.settings.rows import PromptConfig
from reelproof.training.settings.runs import OptimizerConfig, SftConfig
from reelproof.training.settings.tts import TtsConfig
from reelproof.training.sft import train_sft
from reelproof.training.shards import example_of
from reelproof.training.trainer import Trainer
from reelproof.training.tts import scale_test_time
from tests.tiny_families import KINDS, tiny_family
from tests.tiny_qwen import FAMILIES as QWENS
from tests.tiny_qwen import tiny_qwen_processor, write_tiny_qwen
from tests.tiny_training import EvenJudge, sft_row, write_rl, write_sft

FEW = SamplingConfig(max_tokens=4, batch_rows=4)
PAIRS = PromptConfig(frame_pairs=True)
NO_FRAMES = FrameContract((), (), ())
KINDS_OF_PAD = ("image", "video")
LOADERS = ("loop", "server", "sampling")


@pytest.fixture(scope="module", params=[*KINDS, *QWENS])
def ready(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", str)
        found = tiny_family(tmp_path_factory.mktemp("family") / "model", request.param)
    set_images(found.processor, found.image_settings)
    return found


@pytest.fixture
def examples(ready):
    """Three rows, of one frame or two."""
    return [
        example_of(sft_row(number, frames=1 + number % 2, side_px=ready.frame_px).model_dump())
        for number in range(3)
    ]


def test_loss_equals_a_ten_line_reference(ready, examples):
    network = AutoModelForImageTextToText.from_pretrained(ready.model, dtype=torch.float32)
    batch = sft_batch(ready.processor, examples, PromptConfig())
    total, tokens = 0.0, 0
    for row, example in enumerate(examples):  # each by itself: no padding
        alone = sft_batch(ready.processor, [example], PromptConfig())
        chances = network(**alone.inputs).logits.log_softmax(dim=-1)
        places = alone.counted[0].nonzero().flatten().tolist()
        total -= sum(float(chances[0, at - 1, alone.inputs["input_ids"][0, at]]) for at in places)
        tokens += len(places)
        assert len(places) == int(batch.counted[row].sum())
    trainer = Trainer(Accelerator(cpu=True), network, OptimizerConfig(), 1)
    assert trainer.step([batch])["loss"] == pytest.approx(total / tokens, rel=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_are_stacked_as_the_processor_would(ready, examples, side):
    rows = [read_row(ready.processor, each, PromptConfig()) for each in examples]
    theirs = ready.processor(
        text=[prompt_text(ready.processor, each, PromptConfig()) for each in examples],
        images=[[Image.open(io.BytesIO(jpeg)).convert("RGB") for jpeg in each.images] for each in examples],
        return_tensors="pt",
        padding=True,
        padding_side=side,
    )
    ours = stack(rows, ready.processor.tokenizer.pad_token_id, side)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], each) for name, each in theirs.items())


def test_packed_rows_learn_what_they_learn_apart(ready, examples):
    network = AutoModelForImageTextToText.from_pretrained(ready.model, dtype=torch.float32)
    batch = sft_batch(ready.processor, examples, PromptConfig())
    seen, learned = [], []
    for packed in (False, True):
        network.zero_grad()
        chances = completion_logprobs(network, batch, packed=packed)
        chances.sum().backward()
        seen.append(chances.detach())
        learned.append(
            {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
        )
    assert torch.allclose(*seen, atol=1e-5)
    assert all(torch.allclose(each, learned[0][name], atol=1e-4) for name, each in learned[1].items())
    assert learned[0].keys() == learned[1].keys()


def two_moments(ready):
    return getattr(ready.processor.image_processor, "temporal_patch_size", 1) == 2


def test_two_frames_in_one_picture_are_a_video_of_two(ready):
    """As the network itself takes a video; each frame as it is shown by itself; a last one alone."""
    examples = [
        example_of(sft_row(number, frames=frames, side_px=ready.frame_px).model_dump())
        for number, frames in ((0, 3), (1, 2))
    ]
    if not two_moments(ready):
        with pytest.raises(SetupError, match=r"frame_pairs: \w+ has no pictures of two frames"):
            check_length(ready.processor, ready.model, examples, PAIRS, NO_FRAMES, 0)
        return
    alone, paired = (sft_batch(ready.processor, examples, cfg).inputs for cfg in (PromptConfig(), PAIRS))
    patches = [each["pixel_values"].unflatten(1, (3, 2, -1)) for each in (alone, paired)]
    frames, pictures = (
        each.split(each.shape[0] // count) for each, count in zip(patches, (5, 3), strict=True)
    )
    for picture, pair in zip(pictures, ((0, 1), (2, 2), (3, 4)), strict=True):
        assert all(torch.equal(picture[:, :, at], frames[place][:, :, 0]) for at, place in enumerate(pair))
    image, video = (
        ready.processor.tokenizer.convert_tokens_to_ids(f"<|{name}_pad|>") for name in KINDS_OF_PAD
    )
    assert [(each["input_ids"] == image).sum(1).tolist() for each in (alone, paired)] == [[12, 8], [8, 4]]
    ids = paired["input_ids"]
    native = {
        "input_ids": ids.masked_fill(ids == image, video),
        "attention_mask": paired["attention_mask"],
        "mm_token_type_ids": 2 * paired["mm_token_type_ids"],
        "pixel_values_videos": paired["pixel_values"],
        "video_grid_thw": paired["image_grid_thw"],
    }
    network = AutoModelForImageTextToText.from_pretrained(ready.model, dtype=torch.float32)
    logits = [network(**each).logits for each in (paired, native)]
    assert torch.allclose(*logits, atol=1e-5)


def test_labels_and_what_is_said_stay_with_frames_that_go_in_pairs():
    parts = chat_prompt(example_of(sft_row(0, frames=3).model_dump()), PAIRS)[0]["content"]
    said = [part.get("text", "image") for part in parts]
    assert said[1:-1] == ["[0.0 s]", "[1.0 s]", "image", "[2.0 s]", "image"]


@pytest.mark.parametrize("pairs", [False, True])
def test_every_command_runs(ready, tmp_path, monkeypatch, pairs):
    if pairs and not two_moments(ready):
        return
    for name in LOADERS:
        monkeypatch.setattr(f"reelproof.training.{name}.load_processor", lambda *_: ready.processor)
    sft = write_sft(tmp_path / "sft", 4, side_px=ready.frame_px, frames=2 + pairs)
    rl = write_rl(tmp_path / "rl", 2, side_px=ready.frame_px, frames=2 + pairs)
    prompt = PromptConfig(frame_pairs=pairs)
    one = {"steps": 1, "gradient_checkpointing": True, "prompt": prompt}
    trained = train_sft(sft, ready.model, tmp_path / "s", SftConfig(batch_rows=2, **one))
    cfg = RlConfig(questions=2, rollouts=2, sampling=FEW, rewards=RewardConfig(evidence=1.0), **one)
    assert math.isfinite(trained.loss)
    train_rl(rl, str(trained.model), tmp_path / "r", cfg, EvenJudge())
    told = json.loads((tmp_path / "r/metrics.jsonl").read_text())
    assert (told["groups_without_variance"], told["groups"]) == (0, 2)
    assert told["grad_norm"] > 0
    asked = {"shards": {"subset": "rl"}, "sampling": FEW, "max_rows": 1}
    evaluate_model(
        rl, str(tmp_path / "r"), tmp_path / "e", EvaluateConfig(styles=["direct"], frame_pairs=pairs, **asked)
    )
    other = EvaluateConfig(styles=["direct"], frame_pairs=not pairs, **asked)
    with pytest.raises(
        SetupError, match=f"was trained with prompt.frame_pairs={pairs} .* set frame_pairs={pairs}"
    ):
        evaluate_model(rl, str(tmp_path / "r"), tmp_path / "o", other)
    cfg = TtsConfig(strategies=["greedy", "majority"], samples=2, prompt=prompt, **asked)
    scale_test_time(rl, str(tmp_path / "r"), tmp_path / "t", cfg)
    assert (tmp_path / "e/evaluate.json").is_file()
    assert (tmp_path / "t/tts.json").is_file()


def test_image_settings_go_along_with_the_model_and_unknown_ones_are_refused(model, tmp_path):
    settings = {"size": {"height": 8, "width": 8}, "do_resize": True}
    processor = load_processor(model, settings)
    network = AutoModelForImageTextToText.from_pretrained(model)
    network.save_pretrained(tmp_path)
    save_processor(processor, tmp_path)
    assert load_processor(str(tmp_path)).images_kwargs == settings
    assert load_processor(str(tmp_path), {"do_resize": False}).images_kwargs["do_resize"] is False
    with pytest.raises(SetupError, match=r"image_settings: max_pixles is no setting of CLIPImageProcessor"):
        load_processor(model, {"max_pixles": 3})
    with pytest.raises(SetupError, match=r"image_settings=\{'do_resize': 'maybe'\} cannot be used"):
        load_processor(model, {"do_resize": "maybe"})
    with pytest.raises(SetupError, match=r"cannot be used: .*size"):
        load_processor(model, {"do_resize": True, "size": "abc"})


@pytest.mark.parametrize(
    ("family", "limits"),
    [
        ("qwen2_5_vl", (3136, 12_845_056)),  # as published, before an image processor's size had names
        ("qwen3_vl", (65_536, 16_777_216)),  # as published
        ("qwen3_vl", (65_536, 65_536)),
    ],
)
def test_frames_are_shown_as_they_are_whatever_limits_a_qwen_is_published_with(family, limits, tmp_path):
    processor = tiny_qwen_processor(write_tiny_qwen(tmp_path / "model", family=family), family)
    published = dict(zip(("shortest_edge", "longest_edge"), limits, strict=True))
    processor.image_processor = type(processor.image_processor).from_dict(
        processor.image_processor.to_dict() | {"size": published}
    )
    sizes = [(160, 112), (193, 144), (512, 218), (40, 400)]
    contract = frame_contract(processor, sizes, allow_resize=False)
    unit = 2 * processor.image_processor.patch_size
    for size, seen, tokens in zip(*contract, strict=True):
        assert all(abs(one - other) <= unit / 2 for one, other in zip(size, seen, strict=True))
        assert tokens == seen[0] * seen[1] / unit**2
    save_processor(processor, tmp_path / "saved")
    saved = tiny_qwen_processor(tmp_path / "saved", family)  # as a server loads it: without our settings
    for size, seen in zip(contract.sizes_px, contract.seen_px, strict=True):
        _, rows, columns = saved.image_processor(Image.new("RGB", size))["image_grid_thw"][0]
        assert (columns * unit / 2, rows * unit / 2) == seen


def test_limits_that_a_run_sets_are_held_to_and_refuse_frames_that_they_scale(tmp_path):
    processor = tiny_qwen_processor(write_tiny_qwen(tmp_path / "model", family="qwen3_vl"), "qwen3_vl")
    set_images(processor, {"size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}})
    with pytest.raises(SetupError, match=r"160x112 px but the processor shows the model 320x224 px"):
        frame_contract(processor, [(160, 112)], allow_resize=False)
    assert frame_contract(processor, [(160, 112)], allow_resize=True).seen_px == ((320, 224),)


def test_settings_that_are_published_cut_a_frame_into_tiles():
    """What `prompt.image_settings` is there for: SmolVLM's 17 pictures of one frame."""
    kind = KINDS["smolvlm"]
    frame = torch.zeros(3, 512, 512, dtype=torch.uint8).numpy()
    assert kind.images(frame, input_data_format="channels_first").pixel_values[0].shape[0] == 17
    once = kind.images(frame, input_data_format="channels_first", **kind.image_settings)
    assert once.pixel_values[0].shape[0] == 1
