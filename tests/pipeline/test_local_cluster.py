"""The cluster on this machine: workers that declare its GPUs, and a build whose teacher we start."""

import logging
import os
import platform
import resource
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import dask
import numpy as np
import psutil
import pyarrow as pa
import pytest
from distributed import Client, LocalCluster

from reelproof.pipeline.cluster import local_or_remote as cluster
from reelproof.pipeline.cluster.loading import load_ahead
from reelproof.pipeline.cluster.local_or_remote import (
    ClusterConfig,
    declared_resources,
    local_servers,
    open_cluster,
)
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.recipe import Recipe
from tests.pipeline.conftest import SMALL, reelproof_here
from tests.pipeline.test_vllm_server import wait_until

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("visible", "asked", "gpus_a_server", "servers"),
    [
        (("0", "1", "2"), None, 1, 3),
        (("0", "1", "2"), None, 2, 1),
        (("0", "1", "2"), 2, 1, 2),
        ((), 1, 1, 1),
        (("0",), None, 0, 0),
        ((), None, 0, 0),
    ],
)
def test_each_server_gets_the_gpus_that_it_spans(monkeypatch, visible, asked, gpus_a_server, servers):
    monkeypatch.setattr(cluster, "visible_gpus", lambda: visible)
    assert local_servers(ClusterConfig(gpus=asked), gpus_a_server) == servers


@pytest.mark.parametrize("asked", [None, 1])
def test_too_few_gpus_are_told(monkeypatch, asked):
    monkeypatch.setattr(cluster, "visible_gpus", lambda: ("0",))
    with pytest.raises(UsageError, match=r"needs 2 GPU\(s\), and this machine shows 1"):
        local_servers(ClusterConfig(gpus=asked), 2)


def test_a_dashboard_that_cannot_be_shown_is_told_with_its_extra(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    told = pytest.raises(UsageError, match=r"cluster\.dashboard needs bokeh.*\[dashboard\]")
    with told, open_cluster(ClusterConfig(workers=1, dashboard="127.0.0.1:0")):
        pass


class Worked(NamedTuple):
    """What a worker of a cluster with one says of itself, and how it left our own environment."""

    finds_modules_here: bool
    memory_pool: str
    faults: int
    """Pages of memory that were cleared for a hundred pictures of 256 pages, one after the other."""
    pandas_is_loaded: bool
    """With arrays made."""
    safe_path_afterwards: str | None


def worked(**environment: str) -> Worked:
    """In an environment that says this and nothing else of modules and memory."""

    def look() -> tuple[bool, str, int, bool]:  # sent by value: this file loads all of it
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(2**20, np.uint8)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        assert pa.array([1]).to_pylist() == [1]
        pool = pa.default_memory_pool().backend_name
        return not sys.flags.safe_path, pool, faults, "pandas" in sys.modules

    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTHONSAFEPATH", *cluster.MEMORY):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        with open_cluster(ClusterConfig(workers=1)) as client:
            said = client.submit(look).result(timeout=60)
        return Worked(*said, os.environ.get("PYTHONSAFEPATH"))


def test_workers_say_what_nobody_else_tells():
    said = [
        ("Failed to communicate with scheduler during heartbeat.",),
        ("Compute Failed %s %r", "traces-1", "StepStopped('the disk is full')"),
        ("Compute Failed %s %r", "traces-1", "StepBroken('list index out of range')"),
    ]

    def heard() -> list[bool]:
        logger = logging.getLogger("distributed.worker")
        records = [
            logger.makeRecord("", logging.ERROR, "", 0, text, tuple(args), None) for text, *args in said
        ]
        return [bool(logger.filter(each)) for each in records]

    with open_cluster(ClusterConfig(workers=1)) as client:
        assert client.submit(heard).result(timeout=60) == [False, False, True]


@pytest.fixture(scope="module")
def plain() -> Worked:
    return worked()


@pytest.fixture(scope="module")
def told() -> Worked:
    return worked(
        PYTHONSAFEPATH="",
        ARROW_DEFAULT_MEMORY_POOL="mimalloc",
        MALLOC_TRIM_THRESHOLD_="65536",
        MALLOC_MMAP_THRESHOLD_="65536",
    )


@pytest.mark.real
def test_the_environment_is_as_it_was_once_a_cluster_is_closed(plain, told):
    """Children of whoever calls us find their modules where they did before; workers find none there."""
    assert (plain.safe_path_afterwards, told.safe_path_afterwards) == (None, "")
    assert (plain.finds_modules_here, told.finds_modules_here) == (False, False)


@pytest.mark.real
def test_workers_have_memory_from_what_gives_it_back_unless_told_otherwise(plain, told):
    known = pa.supported_memory_backends()
    assert plain.memory_pool == ("jemalloc" if "jemalloc" in known else "system")
    assert told.memory_pool == ("mimalloc" if "mimalloc" in known else "system")


@pytest.mark.real
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries give memory back otherwise")
def test_workers_keep_the_room_of_one_picture_for_the_next_unless_told_otherwise(plain, told):
    assert plain.faults < 2_000 < told.faults


@pytest.mark.real
def test_workers_make_arrays_without_pandas(plain):
    assert not plain.pandas_is_loaded


@pytest.mark.real
def test_there_is_a_worker_for_each_server():
    with open_cluster(ClusterConfig(workers=1, gpus=5), gpus_a_server=2) as client:
        assert declared_resources(client) == {"CPU": 2, "LIGHT": 2, "GPU": 4}


@pytest.mark.real
def test_all_workers_are_counted_while_another_thread_looks_at_one():
    """As the one that watches a build does: what only some declare would be asked of any."""
    with (
        LocalCluster(n_workers=3, processes=False, resources={"CPU": 1}, dashboard_address=":0") as started,
        Client(started) as client,
        ThreadPoolExecutor(1) as other,
    ):
        ended = threading.Event()

        def look() -> None:
            while not ended.is_set():
                client.scheduler_info(n_workers=1)

        looking = other.submit(look)
        try:
            found = [declared_resources(client)["CPU"] for _ in range(100)]
        finally:
            ended.set()
        looking.result()
    assert set(found) == {3}


@pytest.mark.real
def test_workers_load_ahead_what_they_will_need_and_who_asks_a_client(tmp_path):
    recipe = Recipe.model_validate(
        {
            "sources": {"videos": str(tmp_path)},
            "teachers": [{"teacher": {"kind": "server", "model": "m", "urls": ["http://127.0.0.1:9/v1"]}}],
            "claims": {"verifier": {"kind": "signals"}},
        }
    )
    todo = Todo(PartInputs(part=Part(number=0, video_ids=("v",)), sources=()), build_dag(recipe).steps)

    def loaded(dask_worker):  # sent by value: this file loads all of it
        names = ("pipeline.steps.footage", "stages.teachers.openai_teacher")
        asks = "TEACHER" in dask_worker.state.total_resources
        return (asks, *(f"reelproof.{each}" in sys.modules for each in names))

    with open_cluster(ClusterConfig(workers=1), parts_at_servers=2) as client:
        before = set(client.run(loaded).values())
        load_ahead(client, [todo])
        wanted = {(False, True, False), (True, True, True)}
        # nobody waits for it: on a busy machine we may be asked first
        wait_until(lambda: set(client.run(loaded).values()) == wanted, timeout_s=60)
    assert before == {(False, False, False), (True, False, False)}


@pytest.mark.real
def test_one_worker_asks_servers_and_does_nothing_else_and_only_one_for_a_server_has_its_gpus():
    """Nor do they look 50 times a second whether they are late, as Dask's do, for 5 % of a core each."""
    with (
        dask.config.set({"distributed.admin.tick.interval": "20ms"}),
        open_cluster(ClusterConfig(workers=2, gpus=1), gpus_a_server=1, parts_at_servers=5) as client,
    ):
        ticks_ms = client.run(lambda dask_worker: dask_worker.periodic_callbacks["tick"].callback_time)
        assert set(ticks_ms.values()) == {1000}
        workers = client.scheduler_info()["workers"].values()
        told = sorted(((each["nthreads"], each["resources"]) for each in workers), key=str)
    with_gpu = (1 + 1 + cluster.PARTS_A_GPU, {"CPU": 1, "LIGHT": 1, "GPU": 1})
    assert told == [(2, {"CPU": 1, "LIGHT": 1}), (5, {"TEACHER": 5}), with_gpu]


@pytest.mark.real
def test_a_server_is_started_here_asked_and_stopped(films, tmp_path):
    executable = tmp_path / "python"
    executable.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exit 0\nexec {sys.executable} {ROOT}/tests/stub_server.py "$@"\n'
    )
    executable.chmod(0o755)
    recipe = tmp_path / "recipe.yaml"
    teacher = f"{{kind: vllm, model: org/tiny, revision: '7', executable: '{executable}'}}"
    recipe.write_text(
        f"sources: {{videos: '{films}/film 1.mp4'}}\nteachers: [{{teacher: {teacher}}}]\n"
        "rollouts: {rollouts: 1}\ncluster: {workers: 1, gpus: 1}\n"
    )
    ran = reelproof_here("build", recipe, "--out", tmp_path / "out", *SMALL, "--json", "--trust-recipe")
    assert ran.code == 0, ran.err
    assert ran.summary["teacher_calls"] > 0
    assert len(ran.summary["servers"]) == 1
    assert not [each for each in psutil.process_iter() if str(executable) in " ".join(_words(each))]

    refused = reelproof_here(
        "build", recipe, "--out", tmp_path / "none", "--trust-recipe", "--set", "cluster.gpus=0"
    )
    assert refused.code == 2
    assert "this machine shows 0" in refused.err
    assert "cluster.gpus" in reelproof_here("doctor", recipe, "--trust-recipe", "--set", "cluster.gpus=0").out


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
