"""Builds on a Dask cluster that runs already: the same dataset, and clear words where it cannot serve."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from tests.pipeline.conftest import SMALL, reelproof

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("builds")]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with one worker that declares nothing."""
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    start = [sys.executable, "-m", "dask"]
    common = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(
            [
                *start,
                "scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                "--scheduler-file",
                file,
            ],
            **common,
        ) as central,
        subprocess.Popen(
            [
                *start,
                "worker",
                "--scheduler-file",
                file,
                "--nthreads",
                "2",
                "--no-dashboard",
                "--host",
                "127.0.0.1",
            ],
            **common,
        ) as worker,
    ):
        try:
            with Client(scheduler_file=str(file), timeout=60) as client:
                client.wait_for_workers(1, timeout=60)
            yield json.loads(file.read_text())["address"]
        finally:
            worker.terminate()
            central.terminate()


def test_running_cluster_makes_the_same_dataset(films, built, scheduler, tmp_path):
    ran = reelproof("build", films, "--out", tmp_path / "out", *SMALL, "--scheduler", scheduler, "--json")
    assert ran.summary["dataset_sha256"] == json.loads((built / "run.json").read_text())["dataset_sha256"]


def test_teacher_that_needs_a_gpu_is_refused_where_no_worker_has_one(films, scheduler, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    recipe = tmp_path / "recipe.yaml"
    teacher = f"{{kind: vllm, model: '{model}', executable: '{fake_vllm(tmp_path)}'}}"
    recipe.write_text(f"sources: {{videos: '{films}'}}\nteachers: [{{teacher: {teacher}}}]\n")
    ran = reelproof("build", recipe, "--out", tmp_path / "out", "--trust-recipe", "--scheduler", scheduler)
    assert ran.code == 2
    assert "--resources GPU=1" in ran.err


def fake_vllm(folder: Path) -> Path:
    """An environment's Python that says it holds vLLM; it is never asked to run it."""
    path = folder / "python"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_scheduler_that_is_not_there_is_said(films, tmp_path):
    ran = reelproof("build", films, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert ran.code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in ran.err
