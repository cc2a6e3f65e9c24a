import ast
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import av
import datasets
import decord
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.export.export import export
from reelproof.pipeline.export.layouts import LAYOUTS
from reelproof.pipeline.export.media import save_clip
from reelproof.pipeline.export.rows import placeholder_text, read_rows
from reelproof.pipeline.inputs.identities import identify
from reelproof.pipeline.inputs.sources import SourcesConfig, given_rows, list_sources
from reelproof.schemas.published import open_folder
from reelproof.schemas.question import Task
from reelproof.schemas.sample import ChatMessage, ChatPart, RlSample
from reelproof.schemas.tables import to_table
from tests.published import jpeg, publish, sample, write_manifest

ROWS = 10


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return publish(tmp_path_factory.mktemp("build") / "dataset", ROWS)


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("exports")
    return {layout: export(dataset, root / layout, layout).target for layout in LAYOUTS}


def json_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def hashed(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_export_is_the_same_bytes_each_time(layout, dataset, exported, tmp_path):
    again = export(dataset.parent, tmp_path / "again", layout)
    assert hashed(again.target) == hashed(exported[layout])
    assert sum(again.rows.values()) + sum(again.skipped.values()) == ROWS * len(LAYOUTS[layout].configs)
    assert all((again.target / name).exists() for name in again.starts)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_starting_scripts_are_sound(layout, exported):
    for path in exported[layout].iterdir():
        if path.suffix == ".py":
            ast.parse(path.read_text())
        elif path.suffix == ".sh":
            subprocess.run(["sh", "-n", path], check=True)
        elif path.suffix in (".yaml", ".json") and path.stat().st_size < 10_000:
            assert yaml.safe_load(path.read_text().replace("!function ", ""))


def test_words_that_mean_pictures_elsewhere_are_defused():
    parts = [("text", "a <image> and <video>"), ("image", None), ("text", "<b> <audio>")]
    message = ChatMessage(role="user", content=tuple(ChatPart(type=kind, text=text) for kind, text in parts))
    assert placeholder_text(message) == "a (image) and (video)<image><b> (audio)"


@pytest.mark.parametrize(
    ("layout", "configs"), [("llama-factory", ["sft", "dpo"]), ("ms-swift", ["sft", "rl", "dpo"])]
)
def test_json_lines_hold_a_placeholder_for_every_picture(layout, configs, exported):
    for config in configs:
        lines = json_lines(exported[layout] / f"{config}_train.jsonl")
        assert len(lines) == ROWS - 1
        for line in lines:
            assert (
                sum(turn["content"].count("<image>") for turn in line["messages"]) == len(line["images"]) == 3
            )
            assert "<video>" not in line["messages"][0]["content"]
            for path in line["images"]:
                assert Image.open(exported[layout] / path).size == (36, 36)


def test_llama_factory_finds_each_column_and_tag_that_its_info_names(exported):
    root = exported["llama-factory"]
    info = json.loads((root / "dataset_info.json").read_text())["reelproof_sft"]
    start = yaml.safe_load((root / "reelproof_sft.yaml").read_text())
    assert start["dataset"] in json.loads((root / "dataset_info.json").read_text())
    columns, tags = info["columns"], info["tags"]
    for line in json_lines(root / info["file_name"]):
        assert set(line) == set(columns.values())
        turns = line[columns["messages"]]
        assert [turn[tags["role_tag"]] for turn in turns] == [tags["user_tag"], tags["assistant_tag"]]
        assert turns[1][tags["content_tag"]].startswith("<think>")
        assert all((root / start["media_dir"] / path).is_file() for path in line[columns["images"]])


def test_llama_factory_finds_both_last_turns_of_a_pair(exported):
    root = exported["llama-factory"]
    info = json.loads((root / "dataset_info.json").read_text())["reelproof_dpo"]
    start = yaml.safe_load((root / "reelproof_dpo.yaml").read_text())
    assert (start["dataset"], start["stage"], info["ranking"]) == ("reelproof_dpo", "dpo", True)
    columns, tags = info["columns"], info["tags"]
    for line in json_lines(root / info["file_name"]):
        assert set(line) == set(columns.values())
        assert [turn[tags["role_tag"]] for turn in line[columns["messages"]]] == [tags["user_tag"]]
        both = [line[columns[side]] for side in ("chosen", "rejected")]
        assert [turn[tags["role_tag"]] for turn in both] == [tags["assistant_tag"]] * 2
        assert both[0] != both[1]
        assert both[1][tags["content_tag"]].endswith("<answer>none of (video)</answer>")


def test_swift_gets_what_was_rejected_beside_the_whole_chosen_conversation(exported):
    for line in json_lines(exported["ms-swift"] / "dpo_train.jsonl"):
        assert set(line) == {"messages", "images", "rejected_response"}
        assert [turn["role"] for turn in line["messages"]] == ["user", "assistant"]
        assert line["rejected_response"].startswith("<think>")
        assert line["rejected_response"] != line["messages"][1]["content"]


def test_trl_collates_exported_pairs(exported):
    """TRL's own collator: prompts and frames twice, the chosen completions and then the rejected ones."""
    trl = pytest.importorskip("trl.trainer.dpo_trainer")
    tiny = pytest.importorskip("reelproof.data_cards.tiny_model")
    rows = datasets.load_dataset(
        "parquet", data_files=str(exported["trl"] / "dpo/train.parquet"), split="train"
    )
    assert set(rows.column_names) == {"prompt", "images", "chosen", "rejected"}
    words = [part["text"] or "" for row in rows for side in row.values() for turn in side
             if isinstance(turn, dict) for part in turn["content"]]  # fmt: skip
    processor = tiny.build_tiny_model(words, tiny.TinyModelConfig()).processor
    batch = trl.DataCollatorForVisionPreference(processor)([rows[0], rows[1]])
    said = [
        processor.tokenizer.decode(ids[mask.bool()])
        for ids, mask in zip(batch["input_ids"], batch["completion_mask"], strict=True)
    ]
    both = [rows[place][side][0]["content"][0]["text"] for side in ("chosen", "rejected") for place in (0, 1)]
    assert len(said) == 4
    assert all(text in each for text, each in zip(both, said, strict=True))
    assert batch["pixel_values"].shape[0] == 4 * 3


def test_swift_rewards_get_the_gold_and_no_assistant_turn(exported):
    for line in json_lines(exported["ms-swift"] / "rl_train.jsonl"):
        assert [turn["role"] for turn in line["messages"]] == ["user"]
        assert line["solution"] == f"<answer>{line['answer']}</answer>"
        assert {"task", "options", "tolerance"} <= set(line)


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reward_of_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("answer", "score"), [("B", 1.0), ("b.", 1.0), ("A", 0.0)])
def test_reward_files_score_as_the_filter_did(answer, score, exported, tmp_path, monkeypatch):
    (tmp_path / "swift").mkdir()
    (tmp_path / "swift" / "rewards.py").write_text("class ORM: ...\n\norms = {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = f"<think>t</think><answer>{answer}</answer>"
    gold = {"answer": ["B"], "task": ["multiple_choice"], "options": [["x", "y"]], "tolerance": [None]}
    known = {name: values[0] for name, values in gold.items()}
    reward = loaded(exported["trl"] / "reward.py").answer_reward
    parts = [{"type": "text", "text": text}]
    trl, apart = (reward([[{"content": said}]], prompts=[], **gold) for said in (text, parts))
    swift = loaded(exported["ms-swift"] / "reward.py").orms["reelproof_answer"]()([text], solution=[], **gold)
    verl = loaded(exported["verl"] / "reward.py").compute_score("reelproof", text, "B", known)
    assert trl == apart == swift == [verl] == [score]


def test_verl_rows_load_as_its_dataset_reads_them(exported):
    # What verl does: load_dataset("parquet"), split the content at <image>, open the bytes of each image.
    path = exported["verl"] / "train.parquet"
    rows = datasets.load_dataset(
        "parquet", data_files=str(path), cache_dir=str(exported["verl"].parent / "cache")
    )
    for index, row in enumerate(rows["train"]):
        assert row["prompt"][0]["content"].count("<image>") == len(row["images"]) == 3
        assert Image.open(io.BytesIO(row["images"][0]["bytes"])).size == (36, 36)
        assert set(row) == {"data_source", "prompt", "images", "ability", "reward_model", "extra_info"}
        assert row["reward_model"]["ground_truth"] == row["extra_info"]["answer"]
        assert row["extra_info"]["index"] == index


@pytest.mark.parametrize(
    ("config", "columns"), [("sft", {"completion"}), ("rl", {"answer", "task", "options"})]
)
def test_trl_takes_the_rows_as_chats_with_pictures(config, columns, exported):
    data_utils = pytest.importorskip("trl.data_utils")
    path = exported["trl"] / config / "train.parquet"
    rows = datasets.load_dataset(
        "parquet", data_files=str(path), cache_dir=str(exported["trl"].parent / "cache")
    )
    row = rows["train"][0]
    assert columns <= set(row)
    assert data_utils.is_conversational(row)
    turns = data_utils.prepare_multimodal_messages(row["prompt"], images=row["images"])
    shown = [part["image"] for part in turns[0]["content"] if part["type"] == "image"]
    assert [picture.size for picture in shown] == [(36, 36)] * 3


def test_trl_trains_on_the_collated_rows(exported):
    trainer = pytest.importorskip("trl.trainer.sft_trainer")
    tiny = importlib.import_module("reelproof.data_cards.tiny_model")
    path = exported["trl"] / "sft" / "train.parquet"
    rows = datasets.load_dataset(
        "parquet", data_files=str(path), cache_dir=str(exported["trl"].parent / "cache")
    )
    texts = [part["text"] for row in rows["train"] for part in row["prompt"][0]["content"] if part["text"]]
    model = tiny.build_tiny_model(texts, tiny.TinyModelConfig())
    collate = trainer.DataCollatorForVisionLanguageModeling(model.processor)
    batch = collate([rows["train"][0], rows["train"][1]])
    assert len(batch["input_ids"]) == 2
    assert len(batch["pixel_values"]) == 6
    assert (batch["labels"] != -100).any()
    assert model.model(**batch).loss.isfinite()


@pytest.mark.parametrize("config", ["sft", "rl"])
def test_video_r1_rows_hold_what_its_scripts_ask_of_them(config, exported, tmp_path):
    # What src/open_r1/grpo.py and sft_video.py do: Dataset.from_json, "./Video-R1-data" + path[1:], options
    # only of multiple choice, process + "\n" + solution, and a reward for each of five types.
    (tmp_path / "Video-R1-data").symlink_to(exported["video-r1"])
    path = str(tmp_path / "Video-R1-data" / f"{config}_train.json")
    rows = datasets.Dataset.from_json(path, cache_dir=str(tmp_path / "cache"))
    assert set(rows["problem_type"]) == {"multiple choice", "numerical", "free-form"}
    assert set(rows["data_type"]) == {"video"}
    for row in rows:
        lettered = [option.partition(". ")[0] for option in row["options"]]
        assert lettered == (["A", "B"] if row["problem_type"] == "multiple choice" else [])
        assert re.fullmatch(r"<answer>.+</answer>", row["solution"])
        assert row["path"].startswith("./")
        assert (tmp_path / f"./Video-R1-data{row['path'][1:]}").is_file()
        if config == "sft":
            said = row["process"] + "\n" + row["solution"]
            assert re.fullmatch(r"<think>.+</think>\n<answer>.+</answer>", said, re.DOTALL)


def test_video_r1_clip_is_made_of_the_very_jpegs_at_their_times(exported):
    row = json.loads((exported["video-r1"] / "rl_train.json").read_text())[0]
    path = str(exported["video-r1"] / row["path"])
    shown = [jpeg(place) for place in (0, 0, 1, 2)]
    with av.open(path) as container:
        assert [bytes(packet) for packet in container.demux(video=0) if packet.size] == shown
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == [0.0, 0.5, 1.5, 2.5]
    reader = decord.VideoReader(path)
    assert [reader.get_frame_timestamp(place)[0] for place in range(4)] == pytest.approx([0.0, 0.5, 1.5, 2.5])
    for pixels, content in zip(reader.get_batch(range(4)).asnumpy(), shown, strict=True):
        truth = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), int)
        assert np.abs(pixels.astype(int) - truth).max() <= 4


def test_clip_of_frames_without_times_has_one_a_second(dataset, tmp_path):
    held = open_folder(dataset)
    row = next(iter(read_rows(held, held.contents.shards_of("rl")[0])))
    placed = row._replace(frame_times_s=(None,) * len(row.jpegs))
    turned = row._replace(frame_times_s=row.frame_times_s[::-1])
    for each in (placed, turned):
        with av.open(str(tmp_path / save_clip(tmp_path, each))) as container:
            assert [frame.time for frame in container.decode(video=0)] == [0.0, 1.0, 2.0]


def test_video_r1_export_is_a_source_with_its_thoughts_again(exported):
    sources = list_sources(SourcesConfig(manifest=str(exported["video-r1"] / "sft_train.json")))
    rows = list(given_rows(sources.questions, identify(sources.files).found))
    assert len(rows) == len(json.loads((exported["video-r1"] / "sft_train.json").read_text()))
    assert rows[0].answer == "B"
    assert rows[0].completion == "<think>At [0.5 s] I see 0.</think>\n<answer>B</answer>"


def test_tar_members_of_a_sample_stand_together_and_load_with_datasets(exported):
    path = exported["webdataset"] / "sft" / "train-000000.tar"
    with tarfile.open(path) as tar:
        keys = [member.name.partition(".")[0] for member in tar.getmembers()]
        assert {(member.mtime, member.uid) for member in tar.getmembers()} == {(0, 0)}
    assert len(keys) == 4 * (ROWS - 1)
    assert keys == sorted(keys)
    rows = list(datasets.load_dataset("webdataset", data_files=str(path), split="train", streaming=True))
    assert len(rows) == ROWS - 1
    assert rows[0]["json"]["answer"] == "B"
    assert rows[0]["002.jpg"].size == (36, 36)


def test_tars_of_unlike_rows_load_with_datasets_by_their_card(tmp_path, monkeypatch):
    """Rows with other numbers of frames, a tolerance that the first have none of, and no row in `test`."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    frames = [3, 3, 3, 1, 3, 3, 5, 3]
    rows = [sample(RlSample, place, Task.NUMERICAL, count) for place, count in enumerate(frames)]
    rows[-1] = rows[-1].model_copy(update={"tolerance": 0.5})
    file = tmp_path / "dataset" / "data" / "rl" / "train-00000.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(to_table(rows, RlSample), file)
    folder = export(write_manifest(tmp_path / "dataset", [file]), tmp_path / "tars", "webdataset").target
    told = subprocess.run(
        [sys.executable, "load.py"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert told == f"rl train {rows[0].sample_id} Which <video> is it? 3\n"
    loaded = datasets.load_dataset(str(folder))
    assert loaded.num_rows == {"train": len(frames)}
    shown = [
        [row[f"{place:03d}.jpg"] is not None for place in range(5)].count(True) for row in loaded["train"]
    ]
    assert shown == frames
    assert [row["json"]["tolerance"] for row in loaded["train"]] == [None] * 7 + [0.5]


def test_rows_of_every_split_arrive(exported):
    assert pq.read_metadata(exported["verl"] / "train.parquet").num_rows == ROWS - 1
    assert pq.read_metadata(exported["verl"] / "test.parquet").num_rows == 1


def test_what_has_no_rows_is_not_started_on(tmp_path):
    folder = publish(tmp_path / "dataset", ROWS)
    write_manifest(folder, sorted(folder.glob("data/rl/train-*.parquet")))
    assert export(folder, tmp_path / "trl", "trl").starts == ("train_grpo.py", "reward.py")
    verl = export(folder, tmp_path / "verl", "verl").target
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tools / "python3").chmod(0o755)
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    told = subprocess.run(
        ["sh", "train_grpo.sh"], cwd=verl, env=path, capture_output=True, text=True, check=True
    )
    files = dict(line.split("=", 1) for line in told.stdout.splitlines() if "_files=" in line)
    assert files == dict.fromkeys(("data.train_files", "data.val_files"), str(verl / "train.parquet"))


def test_rows_that_are_held_out_alone_are_not_trained_on(tmp_path):
    folder = publish(tmp_path / "dataset", ROWS)
    write_manifest(
        folder, sorted([*folder.glob("data/sft/*.parquet"), *folder.glob("data/dpo/test-*.parquet")])
    )
    found = export(folder, tmp_path / "llama", "llama-factory")
    assert found.starts == ("dataset_info.json", "reelproof_sft.yaml")
    listed = json.loads((found.target / "dataset_info.json").read_text())
    assert list(listed) == ["reelproof_sft"]
    assert (found.target / listed["reelproof_sft"]["file_name"]).is_file()
    assert export(folder, tmp_path / "trl", "trl").starts == ("train_sft.py", "reward.py")


@pytest.mark.parametrize(
    ("place", "layout", "message"),
    [
        ("nowhere", "trl", "holds no dataset"),
        ("dataset", "pytorch", "there is no layout 'pytorch'; it may be one of: trl, llama-factory"),
    ],
)
def test_export_of_what_is_not_there_is_a_usage_error(dataset, tmp_path, place, layout, message):
    with pytest.raises(UsageError, match=message):
        export(dataset.parent / place, tmp_path / "out", layout)
    assert list(tmp_path.iterdir()) == []


def test_export_leaves_a_full_folder_alone(dataset, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        export(dataset, tmp_path, "trl")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_changed_shard_stops_the_export_and_leaves_nothing(tmp_path):
    dataset = publish(tmp_path / "dataset", ROWS)
    (dataset / "data" / "sft" / "train-00001.parquet").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"the manifest says .* changed or damaged"):
        export(dataset, tmp_path / "out", "llama-factory")
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]
