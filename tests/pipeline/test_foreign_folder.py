"""A build in a folder whose Python files have our names, or the standard library's, runs none of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from reelproof.pipeline.teachers.vllm_check import check_vllm
from reelproof.pipeline.teachers.vllm_server import VllmServer
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable
from tests.films import make_film
from tests.pipeline.conftest import COMMAND

pytestmark = pytest.mark.real
TRAPS = (
    *("queue.py", "signal.py", "selectors.py", "tempfile.py", "av.py", "cv2.py", "numpy/__init__.py"),
    *("pipeline/__init__.py", "schemas/__init__.py", "stages/__init__.py", "reelproof/__init__.py"),
    *("sitecustomize.py", "psutil.py", "vllm/__init__.py", "vllm/entrypoints/openai/api_server.py"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where each module leaves a note when it runs, and raises."""
    folder = tmp_path / "work"
    for name in TRAPS:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__ + '\\n')\n"
        path.write_text(note + "raise ImportError('not ours')\n")
    return folder


def test_build_runs_nothing_of_the_folder_it_is_started_in(folder, tmp_path):
    (tmp_path / "films").mkdir()
    make_film(tmp_path / "films" / "a.mp4")
    settings = ("cluster.workers=1", "rollouts.rollouts=2", "probes.probes=[]", "card.plots=false")
    sets = (f"--set={each}" for each in settings)
    command = [COMMAND, "build", tmp_path / "films", "--out", tmp_path / "out", *sets]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert list((tmp_path / "out" / "parts").glob("footage-*/*.parquet"))
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


def test_server_runs_nothing_of_the_folder_it_is_started_in(folder, tmp_path, monkeypatch):
    """This Python has no vLLM: one that lies in the folder is not taken for it, and would not be started."""
    monkeypatch.chdir(folder)
    cfg = VllmTeacherConfig(model=str(tmp_path), executable=sys.executable, extra_args=("--max-model-len=9",))
    with pytest.raises(TeacherUnavailable, match="has no vLLM"):
        check_vllm(cfg, TeacherNeeds(images=1))
    server = VllmServer(cfg, "none")
    server.start()
    with pytest.raises(TeacherUnavailable):
        server.wait_ready()
    server.stop()
    assert "No module named" in server.log_path.read_text()
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
