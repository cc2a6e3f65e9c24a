"""Settings -> a vLLM server of our own: started, waited for, restarted when it dies, stopped with its owner.

On a cluster a worker plugin owns it, one for each worker that declares GPUs, so that it outlives tasks and
batches over parts. Without a cluster it lives as long as a `with` block.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from distributed import WorkerPlugin, get_worker
from filelock import FileLock

from reelproof.pipeline.accounts.server_load import UNANSWERED, LoadWatch, ServerLoad
from reelproof.pipeline.teachers import keeper
from reelproof.pipeline.teachers.gpu_claims import claim_gpus
from reelproof.pipeline.teachers.orphans import end_orphans, own_mark
from reelproof.pipeline.teachers.vllm_settings import (
    VllmTeacherConfig,
    server_key,
    vllm_command,
    vllm_environment,
)
from reelproof.stages.teachers.protocol import TeacherUnavailable

LOOK_EVERY_S = 0.25
"""At whether it lives."""
LOAD_EVERY_S = 1.0
"""At its metrics, which cost it a few milliseconds."""
FAILED_STARTS = 3
"""Starts in a row that may fail before the server is given up."""
SHORT_LIVES = 10
"""Lives in a row that may end within a minute before the server is given up."""


class VllmServer:
    """One server with a supervisor thread. `url` stays the same over restarts."""

    def __init__(
        self,
        cfg: VllmTeacherConfig,
        served_name: str,
        environment: Mapping[str, str] = MappingProxyType({}),
        no_gpus: Collection[str] = (),
    ) -> None:
        """`environment` adds to its own; on `no_gpus` it does not run."""
        self._environment, self._no_gpus = environment, no_gpus
        self._cfg = cfg
        self._served_name = served_name
        self._folder = _lock_folder()
        self.log_path = self._folder / f"{server_key(cfg)}-{os.getpid()}.log"
        """What the server said, over all its lives."""
        self.restarts = 0
        self._port = 0
        self._was_ready = False
        self._watch = LoadWatch()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._supervise, name="vllm-supervisor", daemon=True)

    @property
    def url(self) -> str:
        """Where it is asked, once it was ready for the first time."""
        return f"http://127.0.0.1:{self._port}/v1"

    def broken(self) -> str | None:
        """Why the server will not come back; None where it may."""
        return self._broken

    def load(self) -> ServerLoad:
        """How busy the server was so far."""
        return self._watch.load(self.url, self.restarts)

    def start(self) -> None:
        """Begin to start the server; returns at once."""
        self._thread.start()

    def wait_ready(self) -> None:
        """Raises TeacherUnavailable where it cannot be started."""
        while not self._ready.wait(LOOK_EVERY_S):
            if self._broken is not None:
                raise TeacherUnavailable(self._broken)

    def stop(self) -> None:
        """End its processes and wait for their end."""
        self._stopping.set()
        self._thread.join()

    def _supervise(self) -> None:
        # The keeper dies with the thread that started it, so this thread starts it and stays.
        try:
            self._live_again_and_again()
        except (OSError, TeacherUnavailable) as error:
            self._broken = f"teacher {self._served_name}: vLLM cannot be started: {error}"
        except Exception as error:  # whoever waits for the server would wait for ever
            self._broken = (
                f"teacher {self._served_name}: nobody looks after its vLLM server any more, because of "
                f"{error!r}; start the build again, which goes on where it was; the server's log is "
                f"{self.log_path}"
            )

    def _live_again_and_again(self) -> None:
        failed, short = 0, 0
        while not self._stopping.is_set() and self._broken is None:
            born_s = time.monotonic()
            healthy = self._live_once()
            failed = 0 if healthy else failed + 1
            short = short + 1 if time.monotonic() - born_s < 60 else 0
            self.restarts += not self._stopping.is_set()
            if failed == FAILED_STARTS or short == SHORT_LIVES:
                self._broken = self._obituary(short if healthy else failed)

    def _live_once(self) -> bool:
        """One life of the server, to its end. Returns whether it was ever healthy."""
        warm = self._folder / f"{server_key(self._cfg)}.warm"
        with self._turn(warm):
            if self._stopping.is_set():
                return False
            process = self._spawn()
            healthy = self._is_healthy_in_time(process)
            if healthy:
                warm.touch()
        try:
            if healthy:
                self._was_ready = True
                self._ready.set()
                self._watch_over(process)
        finally:
            self._ready.clear()
            self._watch.end_life()
            process.terminate()  # the keeper, which ends the whole tree
            process.wait()
        return healthy

    def _watch_over(self, process: subprocess.Popen[bytes]) -> None:
        """Until it dies or is to stop."""
        next_s = time.monotonic()
        while process.poll() is None and not self._stopping.wait(LOOK_EVERY_S):
            if time.monotonic() >= next_s:
                self._watch.look(self.url)
                next_s += LOAD_EVERY_S

    @contextmanager
    def _turn(self, warm: Path) -> Iterator[None]:
        """The first of its kind on a machine fills vLLM's compile cache alone; then all start freely."""
        lock = FileLock(self._folder / f"{server_key(self._cfg)}.lock", thread_local=False)
        while not warm.exists() and not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                lock.acquire(timeout=LOOK_EVERY_S)
                break
        try:
            yield
        finally:
            lock.release()

    def _spawn(self) -> subprocess.Popen[bytes]:
        end_orphans()
        if not self._was_ready:  # from then on clients know it
            self._port = _free_port()
        devices = claim_gpus(self._cfg.tensor_parallel, self._folder, self._no_gpus)
        command = vllm_command(self._cfg, self._served_name, self._port)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the command is the recipe's own
                [sys.executable, "-P", keeper.__file__, str(os.getpid()), *command],
                env=vllm_environment(devices, own_mark(), self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the build, which then stops us
            )

    def _is_healthy_in_time(self, process: subprocess.Popen[bytes]) -> bool:
        end_s = time.monotonic() + self._cfg.start_timeout_s
        while time.monotonic() < end_s and process.poll() is None:
            if _answers(f"http://127.0.0.1:{self._port}/health"):
                return True
            if self._stopping.wait(LOOK_EVERY_S):
                return False
        return False

    def _obituary(self, times: int) -> str:
        last = self.log_path.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
        errors = [line for line in last if "Error" in line] or last
        return (
            f"teacher {self._served_name}: its vLLM server ended {times} times in a row; it last said "
            f"{errors[-1].strip() if errors else 'nothing'!r}; its whole log is {self.log_path}"
        )


class VllmServerPlugin(WorkerPlugin):
    """Starts the server on each worker that declares enough GPUs, and stops it with the worker."""

    idempotent = True

    def __init__(
        self, cfg: VllmTeacherConfig, served_name: str, sharing: VllmTeacherConfig | None = None
    ) -> None:
        """`sharing`: the same, with what it may take of GPUs that it shares with others."""
        self.name = f"vllm-{server_key(cfg)}"
        self.server: VllmServer | None = None
        self._cfg = sharing or cfg
        self._served_name = served_name

    def setup(self, worker: Any) -> None:
        """Begin to start it; tasks wait until it is ready."""
        if worker.state.total_resources.get("GPU", 0) >= self._cfg.tensor_parallel:
            self.server = VllmServer(self._cfg, self._served_name)
            self.server.start()

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        """Stop the server as its worker ends."""
        if self.server is not None:
            self.server.stop()


@contextmanager
def use_vllm_server(cfg: VllmTeacherConfig, served_name: str) -> Iterator[VllmServer]:
    """The server of the worker that this task runs on, ready; outside a cluster, one for this block.

    Raises TeacherUnavailable where it cannot be started.
    """
    owned = _server_of_worker(cfg)
    if owned is not None:
        owned.wait_ready()
        yield owned
        return
    with ready(VllmServer(cfg, served_name)) as server:
        yield server


@contextmanager
def ready(server: VllmServer) -> Iterator[VllmServer]:
    """Started, and stopped as the block ends. Raises TeacherUnavailable where it cannot be started."""
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


def server_loads(worker: Any) -> list[ServerLoad]:
    """Of the servers that plugins keep on a Dask worker."""
    plugins = [each for each in worker.plugins.values() if isinstance(each, VllmServerPlugin)]
    return [each.server.load() for each in plugins if each.server is not None]


def _server_of_worker(cfg: VllmTeacherConfig) -> VllmServer | None:
    try:
        worker = get_worker()
    except ValueError:
        return None
    plugin: Any = worker.plugins.get(f"vllm-{server_key(cfg)}")
    return plugin.server if plugin is not None else None


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except UNANSWERED:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lock_folder() -> Path:
    """Shared by all of this user's servers on this machine: locks, logs, and what was started before."""
    folder = Path(tempfile.gettempdir()) / f"reelproof-vllm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
