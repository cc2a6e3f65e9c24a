"""Builds on a Dask cluster that runs already: the same dataset, and clear words where it cannot serve."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client

from tests.pipeline.conftest import SMALL, reelproof_here

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.real


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
HERE = ("--host", "127.0.0.1", "--no-dashboard")


START = (sys.executable, "-m", "dask")


@contextmanager
def served(file: Path, folder: Path, **environment: str) -> Iterator[str]:
    """The scheduler's address, while it has one worker: it declares nothing and works in that folder."""
    command = [*START, "worker", *HERE, "--nthreads", "2", "--scheduler-file", file]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, **QUIET) as worker:
        try:
            with Client(scheduler_file=str(file), timeout=60) as client:
                client.wait_for_workers(1, timeout=60)
            yield json.loads(file.read_text())["address"]
        finally:
            worker.terminate()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that tells where a scheduler is."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    command = [*START, "scheduler", *HERE, "--port", "0", "--scheduler-file", file]
    with subprocess.Popen(command, cwd=folder, **QUIET) as process:
        try:
            yield file
        finally:
            process.terminate()


def test_workers_of_other_code_are_refused(films, scheduler, tmp_path):
    """Their package has the same version, and one line more."""
    other = tmp_path / "other"
    shutil.copytree(ROOT / ".src", other)
    with (other / "reelproof" / "stages" / "footage" / "scan.py").open("a") as file:
        file.write("VERSION = 99\n")
    with served(scheduler, tmp_path, PYTHONPATH=str(other)) as address:
        ran = reelproof_here("build", films, "--out", tmp_path / "out", *SMALL, "--scheduler", address)
    assert ran.code == 2
    assert "runs other code than this command" in ran.err
    assert not (tmp_path / "out" / "parts").exists()


@pytest.fixture(scope="module")
def address(scheduler: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a cluster whose worker runs this code."""
    with served(scheduler, tmp_path_factory.mktemp("worker")) as address:
        yield address


def test_running_cluster_makes_the_same_dataset(films, built, address, tmp_path):
    out = os.path.relpath(tmp_path / "out")  # from here, where no worker works
    ran = reelproof_here("build", films, "--out", out, *SMALL, "--scheduler", address, "--json")
    assert ran.summary["dataset_sha256"] == json.loads((built / "run.json").read_text())["dataset_sha256"]
    assert "dashboard:" not in ran.err, "the scheduler has none, though it names an address"


def test_teacher_that_needs_a_gpu_is_refused_where_no_worker_has_one(films, address, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    recipe = tmp_path / "recipe.yaml"
    teacher = f"{{kind: vllm, model: '{model}', executable: '{fake_vllm(tmp_path)}'}}"
    recipe.write_text(f"sources: {{videos: '{films}'}}\nteachers: [{{teacher: {teacher}}}]\n")
    ran = reelproof_here("build", recipe, "--out", tmp_path / "out", "--trust-recipe", "--scheduler", address)
    assert ran.code == 2
    assert "--resources GPU=1" in ran.err


def fake_vllm(folder: Path) -> Path:
    """An environment's Python that says it holds vLLM; it is never asked to run it."""
    path = folder / "python"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_scheduler_that_is_not_there_is_said(films, tmp_path):
    ran = reelproof_here("build", films, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert ran.code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in ran.err
