"""Settings -> a Dask cluster: processes of this machine by default, or one that runs already."""

import logging
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from importlib.util import find_spec
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, WorkerPlugin
from distributed.security import Security

from reelproof.pipeline.cluster.settings import ClusterConfig
from reelproof.pipeline.disk.arrow_setup import memory_pool, set_up_arrow
from reelproof.pipeline.disk.malloc import MALLOC
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.run_step import StepStopped
from reelproof.pipeline.teachers.gpu_claims import visible_gpus
from reelproof.schemas.install import installing

CONNECT_TIMEOUT_S = 10
LOOPBACK = "127.0.0.1"
MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": memory_pool(), **MALLOC}
"""How workers of this machine take memory, where the environment does not say otherwise."""
PARTS_A_GPU = 4
"""Parts that share a GPU's server: its queue does not run dry between them."""


@contextmanager
def open_cluster(cfg: ClusterConfig, gpus_a_server: int = 0, parts_at_servers: int = 0) -> Iterator[Client]:
    """A client of the cluster; a local one is started first and stopped afterwards.

    Of a local one, as many workers as can have `gpus_a_server` GPUs each declare them; 0 for none. One more
    worker asks servers that run, for so many parts at once, and does nothing else; 0 where there are none.
    Raises UsageError where the scheduler does not answer, or this machine has too few GPUs.
    """
    with dask.config.set(
        {
            "distributed.worker.daemon": False,  # a daemonic process may not start the decoder
            "distributed.worker.profile.enabled": False,  # it would take more time than a server's client
            "distributed.admin.tick.interval": "1s",  # every 20 ms, it is most of what idle processes do
            "distributed.comm.timeouts.connect": f"{CONNECT_TIMEOUT_S}s",
            "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin": _pages_of(cfg),
            **{f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in MEMORY.items()},
        }
    ):
        if cfg.scheduler is not None:
            with _connect(cfg.scheduler) as client:
                yield client
            return
        with (
            _workers_import_nothing_from_here(),
            _started(cfg, gpus_a_server, parts_at_servers) as cluster,
            Client(cluster) as client,
        ):
            yield client


def _started(cfg: ClusterConfig, gpus_a_server: int, parts_at_servers: int) -> SpecCluster:
    """A local cluster whose threads and processes inherit that they are not told of a Ctrl-C.

    A terminal sends it to all of them, and only the client should end, and end the others.
    """
    resource_tracker.ensure_running()  # it would take the mask away where it starts with the first worker
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        return _local_cluster(cfg, gpus_a_server, parts_at_servers)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _workers_import_nothing_from_here() -> Iterator[None]:
    """A `queue.py` in the folder that we were started in is nothing that a worker should import."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


class _SetUp(WorkerPlugin):
    """Workers of this machine do without pandas, which takes a quarter of a second in each, and 50 MB, and
    show no traceback of what the build tells in a line, or of its end.
    """

    name = "reelproof-set-up"

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        set_up_arrow()
        logging.getLogger("distributed.worker").addFilter(_is_told_nowhere_else)


def _is_told_nowhere_else(record: logging.LogRecord) -> bool:
    """False for Dask's word on a task that ended in StepStopped, whose traceback comes as text in there, and
    for that on a scheduler that is gone: it is in the process that builds.
    """
    told = isinstance(record.args, tuple) and any(
        str(each).startswith(f"{StepStopped.__name__}(") for each in record.args
    )
    return not (told or str(record.msg).startswith("Failed to communicate with scheduler"))


def _pages_of(cfg: ClusterConfig) -> list[str]:
    """The hosts whose pages may show the dashboard: this machine's, unless it is to be seen from others."""
    local = cfg.dashboard is None or cfg.dashboard.rpartition(":")[0] in (LOOPBACK, "localhost")
    return [LOOPBACK, "localhost"] if local else ["*"]


def _connect(address: str) -> Client:
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address} ({error}); start one with `dask scheduler`"
        ) from None
    if not told_workers(client):
        client.close()
        raise UsageError(
            f"the scheduler at {address} has no workers; start some with `dask worker {address}`"
        )
    return client


def _local_cluster(cfg: ClusterConfig, gpus_a_server: int, parts_at_servers: int) -> SpecCluster:
    if cfg.dashboard is not None and find_spec("bokeh") is None:
        raise UsageError(f"cluster.dashboard needs bokeh, not installed here; {installing('dashboard')}")
    servers = local_servers(cfg, gpus_a_server)
    count = max(cfg.workers or os.cpu_count() or 1, servers)
    gpus = [gpus_a_server] * servers + [0] * (count - servers)
    resources = [{"CPU": 1, "LIGHT": 1} | ({"GPU": each} if each else {}) for each in gpus]
    # What waits for a server is in a process of its own: a worker starts nothing while the first of its tasks
    # waits for a resource; and a server has one queue then, which is fair to all parts.
    resources += [{"TEACHER": parts_at_servers}] if parts_at_servers else []
    # Certificates of this run alone: who else has an account here cannot hand our workers code to run.
    private = {"host": LOOPBACK, "protocol": "tls://", "security": Security.temporary()}
    return SpecCluster(
        workers={place: _local_worker(each, private) for place, each in enumerate(resources)},
        scheduler={
            "cls": Scheduler,
            "options": {
                **private,
                "dashboard": cfg.dashboard is not None,  # its library takes half a second to load
                "dashboard_address": cfg.dashboard or f"{LOOPBACK}:0",  # its scheduler's health at least
            },
        },
        security=private["security"],
        silence_logs="ERROR",
    )


def local_servers(cfg: ClusterConfig, gpus_a_server: int) -> int:
    """How many servers that span so many GPUs each fit on this machine. Raises UsageError where none does."""
    if not gpus_a_server:
        return 0
    gpus = len(visible_gpus()) if cfg.gpus is None else cfg.gpus
    if gpus < gpus_a_server:
        raise UsageError(
            f"a teacher that reelproof starts needs {gpus_a_server} GPU(s), and this machine shows {gpus} "
            "(nvidia-smi, CUDA_VISIBLE_DEVICES); name a running server as the teacher, or a scheduler whose "
            "workers declare GPUs; for a CPU build of vLLM set cluster.gpus to the number of servers"
        )
    return gpus // gpus_a_server


def _local_worker(resources: Mapping[str, int], private: Mapping[str, Any]) -> dict[str, Any]:
    threads = {name: PARTS_A_GPU * amount if name == "GPU" else amount for name, amount in resources.items()}
    return {
        "cls": Nanny,
        "options": {
            **private,
            "nthreads": sum(threads.values()),
            "resources": resources,
            "memory_limit": 0,  # tasks hold one part each; a killed worker would lose more than it saves
            "dashboard": False,
            "silence_logs": "ERROR",
            "plugins": (_SetUp(),),  # of the worker; before it says its first word to the scheduler
        },
    }


def told_cluster(client: Client, workers: int = -1) -> dict[str, Any]:
    """What the scheduler tells now, of so many workers, -1 for all. Waits for no one.

    `Client.scheduler_info` returns what was told last to any thread of ours, and one that watches the build
    asks for a single worker. Raises RuntimeError where the client is closed.
    """
    if client.scheduler is None:
        raise RuntimeError("the cluster's client is closed")
    told: dict[str, Any] = client.sync(client.scheduler.identity, n_workers=workers)
    return told


def dashboard_of(client: Client) -> str | None:
    """Where its dashboard is to be seen; None where it has none, and names an address all the same."""
    link: str = client.dashboard_link
    try:
        with urllib.request.urlopen(link, timeout=CONNECT_TIMEOUT_S):  # noqa: S310 - the scheduler's own
            return link
    except urllib.error.HTTPError as error:
        return None if error.code == HTTPStatus.NOT_FOUND else link  # a proxy may want to know who asks
    except OSError:
        return None


def told_workers(client: Client) -> dict[str, dict[str, Any]]:
    """Address -> what that worker of the cluster says of itself."""
    workers: dict[str, dict[str, Any]] = told_cluster(client)["workers"]
    return workers


def declared_resources(client: Client) -> dict[str, float]:
    """What the cluster's workers declare in all: resource name -> how much."""
    totals: dict[str, float] = {}
    for worker in told_workers(client).values():
        for name, amount in worker["resources"].items():
            totals[name] = totals.get(name, 0) + amount
    return totals


def slot_count(client: Client) -> int:
    """How many tasks the cluster works on at once."""
    return sum(client.nthreads().values())
