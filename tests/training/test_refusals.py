"""What cannot be trained, asked or measured is refused with the reason, before weights are loaded."""

import json
import shutil
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pytest
from transformers import AutoProcessor, LlamaConfig

from reelproof.schemas.published import DatasetError
from reelproof.schemas.sample import RlSample, SftSample
from reelproof.training.evaluate import evaluate_model
from reelproof.training.preflight import (
    SetupError,
    check_length,
    frame_contract,
    frame_sizes,
    load_processor,
    rows_citing_dropped_frames,
    rows_without_images,
)
from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import EvaluateConfig, SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import RlConfig, RolloutConfig, TemporalConfig
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.settings.runs import SftConfig
from reelproof.training.settings.tts import TtsConfig
from reelproof.training.sft import learned_rows, train_sft
from reelproof.training.shards import open_shards
from reelproof.training.tts import scale_test_time
from tests.tiny_qwen import write_tiny_qwen
from tests.tiny_training import TINY, row_fields, sft_row, write_dataset, write_model, write_rl, write_sft

SHORT = SamplingConfig(max_tokens=6)
RL = RlConfig(steps=1, sampling=SHORT)
ASKED = ShardsConfig(subset="rl")
COMMANDS = {
    "sft": lambda data, model, out: train_sft(data, model, out, SftConfig(steps=1)),
    "rl": lambda data, model, out: train_rl(data, model, out, RL),
    "tts": lambda data, model, out: scale_test_time(
        data, model, out, TtsConfig(shards=ASKED, sampling=SHORT, strategies=("greedy",))
    ),
    "evaluate": lambda data, model, out: evaluate_model(
        data, model, out, EvaluateConfig(shards=ASKED, sampling=SHORT)
    ),
}


@pytest.fixture(scope="module")
def unloadable(tmp_path_factory):
    """A model's folder without its weights: whatever tries to load them fails otherwise than by refusal."""
    folder = Path(write_model(tmp_path_factory.mktemp("model")))
    (folder / "model.safetensors").unlink()
    return str(folder)


def dataset(command, folder, **changes):
    return write_sft(folder, 4, **changes) if command == "sft" else write_rl(folder, 4, **changes)


def refused(command, data, model, out, error, message):
    with pytest.raises(error, match=message):
        COMMANDS[command](data, model, out)
    assert not out.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_shard_of_another_hash_is_refused(command, unloadable, tmp_path):
    data = dataset(command, tmp_path / "data")
    shard = next(data.glob("data/*/*.parquet"))
    shard.write_bytes(shard.read_bytes() + b"\0")
    refused(command, data, unloadable, tmp_path / "run", DatasetError, "the manifest says .* or damaged")


@pytest.mark.parametrize("command", COMMANDS)
def test_empty_split_is_refused(command, unloadable, tmp_path):
    data = dataset(command, tmp_path / "data")
    manifest = json.loads((data / "manifest.json").read_text())
    manifest["files"] = []
    (data / "manifest.json").write_text(json.dumps(manifest))
    refused(command, data, unloadable, tmp_path / "run", DatasetError, "has no rows in subset .* split train")


@pytest.mark.parametrize("command", COMMANDS)
def test_model_without_vision_is_refused(command, unloadable, tmp_path):
    blind = tmp_path / "blind"
    LlamaConfig().save_pretrained(blind)
    AutoProcessor.from_pretrained(unloadable).tokenizer.save_pretrained(blind)
    data = dataset(command, tmp_path / "data")
    refused(command, data, str(blind), tmp_path / "run", SetupError, "has no vision")


@pytest.mark.parametrize("model", ["nowhere", "empty", "file"])
def test_model_that_is_none_is_refused_by_its_name(model, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no model")
    data = dataset("rl", tmp_path / "data")
    message = f"{tmp_path / model} is no model that can be loaded .*; name the folder of a run or of a model"
    if model == "nowhere":
        message = f"{tmp_path / model}: there is no such folder"
    refused("rl", data, str(tmp_path / model), tmp_path / "run", SetupError, message)


@pytest.mark.parametrize(
    ("file", "bytes_left"),
    [
        ("model.safetensors", None),
        ("model.safetensors", 100),
        ("model.safetensors", 1000),
        ("tokenizer.json", None),
        ("tokenizer.json", 1000),
        ("processor_config.json", None),
        ("processor_config.json", 100),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_model_that_is_not_whole_is_refused_by_its_name(command, file, bytes_left, tmp_path):
    model = Path(write_model(tmp_path / "model"))
    content = (model / file).read_bytes()
    (model / file).unlink()
    if bytes_left is not None:
        (model / file).write_bytes(content[:bytes_left])
    data = dataset(command, tmp_path / "data")
    with pytest.raises(SetupError, match=f"{model} is no model that can be loaded"):
        COMMANDS[command](data, str(model), tmp_path / "run")


@pytest.mark.parametrize("command", COMMANDS)
def test_prompt_longer_than_the_context_is_refused(command, unloadable, tmp_path):
    data = dataset(command, tmp_path / "data", frames=40)
    message = f"the context of .* holds {TINY.context_tokens}"
    refused(command, data, unloadable, tmp_path / "run", SetupError, message)


def test_the_context_must_hold_the_longest_prompt_and_its_answer(unloadable, tmp_path):
    data = dataset("rl", tmp_path / "data")
    shards, processor = open_shards(data, ASKED), load_processor(unloadable)
    frames = frame_contract(processor, frame_sizes(shards), allow_resize=False)
    rows = rows_without_images(shards)
    longest = check_length(processor, unloadable, rows, RL.prompt, frames, room=0)
    for over, message in ((0, r"model\.safetensors"), (1, "the answer may take")):
        sampling = SamplingConfig(max_tokens=TINY.context_tokens - longest + over)
        with pytest.raises(SetupError, match=message):
            train_rl(data, unloadable, tmp_path / f"run{over}", RL.model_copy(update={"sampling": sampling}))


@pytest.mark.parametrize("command", ["sft", "rl"])
def test_frames_of_another_size_than_the_processors_are_refused(command, unloadable, tmp_path):
    resizing = tmp_path / "resizing"
    shutil.copytree(unloadable, resizing)
    processor = AutoProcessor.from_pretrained(resizing)
    processor.image_processor.do_resize = True
    processor.save_pretrained(resizing)
    data = dataset(command, tmp_path / "data", side_px=24)
    message = "frames are 24x24 px but the processor shows the model 16x16 px"
    refused(command, data, str(resizing), tmp_path / "run", SetupError, message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": RewardConfig(evidence=1.0)}, "need a verifier"),
        ({"rewards": RewardConfig(accuracy=0.0)}, "nothing would be learned"),
        ({"temporal": TemporalConfig()}, "temporal .* one frame"),
    ],
)
def test_rewards_that_the_tasks_cannot_give_are_refused(changes, message, unloadable, tmp_path):
    rows = [RlSample(**row_fields(number, frames=1)) for number in range(4)]
    data = write_dataset(tmp_path / "data", "rl", rows, RlSample)
    with pytest.raises(SetupError, match=message):
        train_rl(data, unloadable, tmp_path / "run", RL.model_copy(update=changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["server", "vllm"])
def test_pairs_for_a_server_are_refused_before_one_is_asked_or_started(kind, unloadable, tmp_path):
    changes = {"prompt": PromptConfig(frame_pairs=True), "backend": RolloutConfig(kind=kind)}
    message = "frame_pairs: a server takes frames one by one; leave it out, or use no server"
    with pytest.raises(SetupError, match=message):
        train_rl(dataset("rl", tmp_path), unloadable, tmp_path / "run", RL.model_copy(update=changes))
    assert not (tmp_path / "run").exists()


def test_fewer_frames_make_a_long_row_fit(unloadable, tmp_path):
    """Up to the missing weights, that is."""
    data = write_sft(tmp_path / "data", 4, frames=40)
    with pytest.raises(SetupError, match=r"model\.safetensors"):
        train_sft(data, unloadable, tmp_path / "run", SftConfig(prompt=PromptConfig(max_frames=2)))


def test_rows_whose_thoughts_cite_dropped_frames_are_not_learned_from(unloadable, tmp_path):
    """Thoughts cite the last frame: of two it is the one that stays, of four it is not."""
    rows = [sft_row(number, frames=2 + 2 * (number % 3 == 0)) for number in range(9)]
    data = write_dataset(tmp_path / "data", "sft", rows, SftSample)
    shards, prompt = open_shards(data, ShardsConfig()), PromptConfig(max_frames=1)
    left_out = rows_citing_dropped_frames(shards, prompt)
    assert left_out == {"s0000", "s0003", "s0006"}
    assert not rows_citing_dropped_frames(shards, PromptConfig(max_frames=2))
    assert not rows_citing_dropped_frames(shards, PromptConfig(max_frames=1, style="direct"))
    whole = [each.sample_id for each in islice(learned_rows(shards, ShardsConfig(), 0, left_out), 12)]
    assert sorted(whole[:6]) == sorted({row.sample_id for row in rows} - left_out)
    resumed = [each.sample_id for each in islice(learned_rows(shards, ShardsConfig(), 4, left_out), 8)]
    assert resumed == whole[4:]
    data = write_sft(tmp_path / "all", 4, frames=4)
    with pytest.raises(
        SetupError, match=r"thoughts of all 4 rows cite frames that prompt\.max_frames=1 drops"
    ):
        train_sft(data, unloadable, tmp_path / "run", SftConfig(prompt=prompt))


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is here")
def test_a_processor_that_needs_torchvision_says_so(tmp_path):
    with pytest.raises(SetupError, match="pip install torchvision"):
        load_processor(str(write_tiny_qwen(tmp_path / "qwen")))
