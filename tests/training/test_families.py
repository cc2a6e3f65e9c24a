"""Models that people train, tiny, through all that trains or asks them."""

import json
import math

import pytest
import torch
from accelerate import Accelerator
from transformers import AutoModelForImageTextToText

from reelproof.training.batches import PromptConfig, sft_batch
from reelproof.training.evaluate import EvaluateConfig, evaluate_model
from reelproof.training.logprobs import completion_logprobs
from reelproof.training.preflight import SetupError, load_processor, save_processor, set_images
from reelproof.training.rewards import RewardConfig
from reelproof.training.rl import RlConfig, train_rl
from reelproof.training.sampling import SamplingConfig
from reelproof.training.sft import SftConfig, train_sft
from reelproof.training.shards import example_of
from reelproof.training.trainer import OptimizerConfig, Trainer
from reelproof.training.tts import TtsConfig, scale_test_time
from tests.tiny_families import KINDS, tiny_family
from tests.tiny_qwen import FAMILIES as QWENS
from tests.tiny_training import EvenJudge, sft_row, write_rl, write_sft

FEW = SamplingConfig(max_tokens=4, batch_rows=4)
LOADERS = ("loop", "server", "sampling")


@pytest.fixture(scope="module", params=[*KINDS, *QWENS])
def ready(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", str)
        found = tiny_family(tmp_path_factory.mktemp("family") / "model", request.param)
    set_images(found.processor, found.image_settings)
    return found


def test_loss_equals_a_ten_line_reference(ready):
    examples = [
        example_of(sft_row(number, frames=1 + number % 2, side_px=ready.frame_px).model_dump())
        for number in range(3)
    ]
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
    assert trainer.step([batch]).loss == pytest.approx(total / tokens, rel=1e-4)


def test_packed_rows_learn_what_they_learn_apart(ready):
    examples = [
        example_of(sft_row(number, frames=1 + number % 2, side_px=ready.frame_px).model_dump())
        for number in range(3)
    ]
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


def test_every_command_runs(ready, tmp_path, monkeypatch):
    for name in LOADERS:
        monkeypatch.setattr(f"reelproof.training.{name}.load_processor", lambda *_: ready.processor)
    sft = write_sft(tmp_path / "sft", 4, side_px=ready.frame_px)
    rl = write_rl(tmp_path / "rl", 2, side_px=ready.frame_px)
    one = {"steps": 1, "gradient_checkpointing": True}
    trained = train_sft(sft, ready.model, tmp_path / "s", SftConfig(batch_rows=2, **one))
    cfg = RlConfig(questions=2, rollouts=2, sampling=FEW, rewards=RewardConfig(evidence=1.0), **one)
    assert math.isfinite(trained.loss)
    train_rl(rl, str(trained.model), tmp_path / "r", cfg, EvenJudge())
    told = json.loads((tmp_path / "r/metrics.jsonl").read_text())
    assert (told["groups_without_variance"], told["groups"]) == (0, 2)
    assert told["grad_norm"] > 0
    asked = {"shards": {"subset": "rl"}, "sampling": FEW, "max_rows": 1}
    evaluate_model(rl, str(tmp_path / "r"), tmp_path / "e", EvaluateConfig(styles=["direct"], **asked))
    cfg = TtsConfig(strategies=["greedy", "majority"], samples=2, **asked)
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


def test_settings_that_are_published_cut_a_frame_into_tiles():
    """What `prompt.image_settings` is there for: SmolVLM's 17 pictures of one frame."""
    kind = KINDS["smolvlm"]
    frame = torch.zeros(3, 512, 512, dtype=torch.uint8).numpy()
    assert kind.images(frame, input_data_format="channels_first").pixel_values[0].shape[0] == 17
    once = kind.images(frame, input_data_format="channels_first", **kind.image_settings)
    assert once.pixel_values[0].shape[0] == 1
