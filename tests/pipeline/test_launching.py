import subprocess
import sys

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import DistributedType

from reelproof.pipeline.cli import main
from reelproof.pipeline.commands.launching import launch_line

TYPED = ["train", "sft", "data", "--model", "m", "--out", "run", "--set", "steps=3"]


@pytest.mark.parametrize(
    ("sharing", "kind"),
    [
        ("ddp", DistributedType.MULTI_GPU),
        ("fsdp", DistributedType.FSDP),
        ("zero3", DistributedType.DEEPSPEED),
    ],
)
def test_line_is_understood_by_accelerate(sharing, kind):
    line = launch_line(TYPED, 8, sharing)
    read = launch_command_parser().parse_args(line[3:])
    assert (read.num_processes, read.module, read.training_script) == (8, True, "reelproof")
    assert read.training_script_args == TYPED
    assert load_config_from_file(read.config_file).distributed_type == kind


def test_package_runs_as_the_command():
    line = [sys.executable, "-W", "error", "-m", "reelproof", "--help"]
    said = subprocess.run(line, capture_output=True, text=True, check=True)
    assert (said.stdout.splitlines()[0], said.stderr) == ("Usage: reelproof [OPTIONS] COMMAND [ARGS]...", "")


def test_command_becomes_the_launcher_of_itself(monkeypatch, capsys):
    became = []
    monkeypatch.setattr("reelproof.pipeline.teachers.gpu_claims.visible_gpus", lambda: ("0", "1"))
    monkeypatch.setattr("os.execv", lambda path, line: (became.append((path, line)), sys.exit(0)))
    monkeypatch.setattr(sys, "argv", ["reelproof", *TYPED[:3], "--gpus=2", "--sharing", "ddp", *TYPED[3:]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert became == [(sys.executable, launch_line(TYPED, 2, "ddp"))]
    assert "accelerate.commands.launch" in capsys.readouterr().err


def test_gpus_that_are_not_there_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reelproof", *TYPED, "--gpus", "64"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "--gpus 64: this machine has" in capsys.readouterr().err


def test_reinforcement_learning_has_the_whole_model_on_each(monkeypatch, capsys):
    became = []
    monkeypatch.setattr("reelproof.pipeline.teachers.gpu_claims.visible_gpus", lambda: ("0", "1"))
    monkeypatch.setattr("os.execv", lambda path, line: (became.append(line), sys.exit(0)))
    monkeypatch.setattr(sys, "argv", ["reelproof", "train", "rl", *TYPED[2:], "--gpus", "2"])
    with pytest.raises(SystemExit):
        main()
    assert "ddp.yaml" in " ".join(became[0])


@pytest.mark.parametrize(
    ("job", "told"), [("sft", "one of 'fsdp', 'ddp', 'zero3'"), ("rl", "one of 'ddp', 'fsdp'")]
)
def test_a_way_of_sharing_that_a_training_has_not_is_refused(job, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reelproof", "train", job, *TYPED[2:], "--sharing", "halves"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, told in capsys.readouterr().err) == (2, True)
