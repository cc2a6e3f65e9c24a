"""GPUs claimed by several processes: none twice, and a dead one's is free again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelproof.pipeline.teachers import gpu_claims
from reelproof.pipeline.teachers.gpu_claims import claim_gpus, visible_gpus
from reelproof.stages.teachers.protocol import TeacherUnavailable

ROOT = Path(__file__).parents[2]
CLAIMER = """
import sys
from pathlib import Path
from reelproof.pipeline.teachers.gpu_claims import claim_gpus
from reelproof.stages.teachers.protocol import TeacherUnavailable
try:
    print(",".join(claim_gpus(int(sys.argv[2]), Path(sys.argv[1]))), flush=True)
except TeacherUnavailable as error:
    print(error, flush=True)
sys.stdin.read()
"""


class Claimer:
    """A process that claims devices, says which, and lives on."""

    def __init__(self, folder: Path, count: int) -> None:
        command = [sys.executable, "-c", CLAIMER, str(folder), str(count)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def claimers(tmp_path, monkeypatch) -> Iterator[list[Claimer]]:
    """Three processes at once, each wanting one of three devices."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, GPU-aa,2")
    started = [Claimer(tmp_path, 1) for _ in range(3)]
    yield started
    for each in started:
        each.kill()


def test_each_process_has_devices_of_its_own_and_a_dead_ones_are_free_again(claimers, tmp_path):
    claimed = [each.says() for each in claimers]
    assert sorted(claimed) == ["0", "2", "GPU-aa"]
    late = Claimer(tmp_path, 1)
    assert "needs 1 GPUs, but of 3 here only 0 are free; start fewer workers" in late.says()
    late.kill()
    claimers[1].kill()
    heir = Claimer(tmp_path, 1)
    assert heir.says() == claimed[1]
    heir.kill()


def test_a_process_keeps_what_it_holds_and_adds_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_claims, "_held", {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    assert claim_gpus(1, tmp_path) == ("4",)
    assert claim_gpus(1, tmp_path) == ("4",)  # a restarted server, or a second model on the same device
    assert claim_gpus(1, tmp_path, but=("4",)) == ("5",)
    assert claim_gpus(2, tmp_path) == ("4", "5")
    with pytest.raises(TeacherUnavailable, match="needs 4 GPUs, but of 3 here only 3 are free"):
        claim_gpus(4, tmp_path)


def test_a_claim_that_fails_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_claims, "_held", {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(TeacherUnavailable, match="needs 3 GPUs"):
        claim_gpus(3, tmp_path)
    other = Claimer(tmp_path, 2)
    assert other.says() == "0,1"
    other.kill()


def test_of_two_processes_that_want_all_devices_one_has_them(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    both = [Claimer(tmp_path, 4) for _ in range(2)]
    said = sorted(each.says() for each in both)
    for each in both:
        each.kill()
    assert said[0] == "0,1,2,3"
    assert "only 0 are free" in said[1]


@pytest.mark.parametrize(("named", "seen"), [("", ()), ("1", ("1",)), (" 0 ,MIG-x ", ("0", "MIG-x"))])
def test_the_environment_says_which_devices_there_are(named, seen, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == seen


@pytest.mark.parametrize(
    ("script", "seen"), [("echo 0; echo 1", ("0", "1")), ("echo no driver; exit 9", ()), (None, ())]
)
def test_where_nothing_is_named_the_driver_says(script, seen, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    assert visible_gpus() == seen
    assert claim_gpus(0, tmp_path) == ()
