import hashlib
import json

import pytest
import yaml

from reelproof.pipeline.publish.hub import HubTarget
from reelproof.pipeline.publish.model import list_model_files, write_model_card
from reelproof.pipeline.publish.publish import publish_files
from tests.hub_stand_in import HubStandIn
from tests.pipeline.conftest import reelproof_here

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"[]"}


def write_run(folder, command, model, steps, state="done"):
    """As `training/runs.py` leaves one."""
    (folder / "model").mkdir(parents=True)
    for name, content in FILES.items():
        (folder / "model" / name).write_bytes(content)
    setup = {
        "command": command,
        "model": str(model),
        "dataset_sha256": "d" * 64,
        "policy": json.dumps({"name": "strict", "preset": "strict"}),
        "config": {"shards": {"subset": command[6:], "split": "train"}, "steps": steps},
    }
    held = {"setup": setup, "versions": {"torch": "2.13.0"}, "state": state, "loss": 0.5}
    (folder / "run.json").write_text(json.dumps(held))
    lines = [{"step": step, "loss": 1 / step} for step in range(1, steps + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def run(tmp_path):
    """SFT from a model of the Hub, then DPO."""
    sft = write_run(tmp_path / "sft", "train sft", "me/base", 40)
    return write_run(tmp_path / "dpo", "train dpo", sft, 25)


def evaluation(folder):
    folder.mkdir()
    (folder / "evaluate.md").write_text("| style | n |\n|---|---|\n| direct | 24 |\n")
    (folder / "evaluate.json").write_text("{}")
    return folder


def test_card_tells_every_training_the_curve_and_the_evaluations(run, tmp_path):
    write_model_card(run, "mine", "me/data", [evaluation(tmp_path / "bench")])
    card = (run / "model/README.md").read_text()
    _, names, text = card.split("---\n", 2)
    assert yaml.safe_load(names) == {
        "library_name": "transformers",
        "pipeline_tag": "video-text-to-text",
        "base_model": "me/base",
        "datasets": ["me/data"],
        "tags": ["reelproof", "dpo", "sft"],
    }
    assert "thought for 40 steps; then trained on preference pairs (DPO) for 25 steps" in text
    assert text.count("d" * 64) == 2
    assert "| 25 | 0.04 |\n" in text, "the last step is shown"
    assert "## Evaluation\n\nbench.\n\n| style | n |" in text
    assert str(tmp_path) not in card


def test_where_test_questions_were_answered_the_curve_is_of_those_steps(run):
    rows = [
        {"step": step, "loss": 1 / step, **({"test/right": step / 50} if step in (7, 25) else {})}
        for step in range(1, 26)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_model_card(run, "mine", None, ())
    curve = (run / "model/README.md").read_text().partition("## Curve\n\n")[2].partition("\n\n")[0]
    assert curve.splitlines()[2:] == ["| 7 | 0.1429 | 0.14 |", "| 25 | 0.04 | 0.5 |"]


def test_model_goes_to_a_models_repository_and_only_what_changed(run, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_notARealToken")
    with HubStandIn("hf_notARealToken") as hub:

        def sent():
            write_model_card(run, "mine", None, ())
            target = HubTarget("me/mine", endpoint=hub.url, kind="model")
            return [each.name for each in publish_files(list_model_files(run), target).sent]

        assert sent() == ["README.md", "model.safetensors", "tokenizer.json", "config.json"]
        held = hub.content("me/mine")
        assert {name: held[name] for name in FILES} == {
            name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()
        }
        assert sent() == []
        (run / "model/model.safetensors").write_bytes(b"other weights")
        assert sent() == ["model.safetensors"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("{half}", "{there}"), "is no finished training run"),
        (("{run}", "{there}", "--evaluation", "{run}"), "is no folder that `reelproof evaluate` left"),
        (("{empty}", "{there}", "--dataset", "me/data"), "go with a training run"),
    ],
)
def test_slip_is_one_message_and_sends_nothing(words, told, run, tmp_path):
    half = write_run(tmp_path / "half", "train rl", "me/base", 2, state="running")
    (tmp_path / "empty").mkdir()
    named = {"run": run, "half": half, "empty": tmp_path / "empty", "there": tmp_path / "there"}
    ran = reelproof_here("publish", *(word.format(**named) for word in words))
    assert (ran.code, told in ran.err, (tmp_path / "there").exists()) == (2, True, False)


def test_command_publishes_a_run_into_a_folder(run, tmp_path):
    ran = reelproof_here("publish", run, tmp_path / "there")
    assert ran.code == 0, ran.err
    assert {*FILES, "README.md"} <= {path.name for path in (tmp_path / "there").iterdir()}
