"""Receipts, steps at work, servers' metrics -> `progress.json`, every few seconds, where the build runs."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from distributed import Client

from reelproof.pipeline.accounts.accounting import StepUse, by_step, total_use
from reelproof.pipeline.accounts.at_work import AtWork, at_work
from reelproof.pipeline.accounts.server_load import LoadWatch, ServerLoad
from reelproof.pipeline.accounts.use_figures import seconds_left, use_figures
from reelproof.pipeline.cluster.local_or_remote import told_cluster
from reelproof.pipeline.disk.sealed import sealed_json
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.parts.todo import Todo
from reelproof.pipeline.progress.absence import Absence
from reelproof.pipeline.progress.run_progress import PROGRESS, RunProgress, read_progress
from reelproof.pipeline.teachers.vllm_server import server_loads

LOOK_EVERY_S = 5.0
LOOK_EVERY_REMOTE_S = 15.0
"""Where the build's folder is no local one, and each look writes an object anew."""


class ProgressWatch:
    """Looks at a build again and again, and writes down what it sees."""

    def __init__(
        self,
        store: Store,
        client: Client,
        todos: Sequence[Todo],
        urls: Iterable[str] = (),
        tell: Callable[[RunProgress], None] = lambda _: None,
        say: Callable[[str], None] = print,
    ) -> None:
        """`urls` are those of servers that run already; `tell` is called with what is written,
        `say` with what its user should know.
        """
        self._store, self._client = store, client
        self._videos_left = Counter[str]()
        for todo in todos:
            for step in todo.steps:
                self._videos_left[step.name] += len(todo.inputs.sources)
        before = read_progress(store)
        self._before = before.steps if before else ()
        self._started_s = time.time()
        self._receipts: list[Receipt] = []
        self._broken: list[StepUse] = []
        self._film_ahead_s = 0.0
        self._tell = tell
        self._watches = {url: LoadWatch() for url in urls}
        self._absence = Absence(say)
        self._stop = threading.Event()
        self._seen = AtWork()
        self._servers: tuple[ServerLoad, ...] = ()
        self._thread = threading.Thread(target=self._keep_looking, name="progress", daemon=True)

    def count(self, receipt: Receipt) -> None:
        """A step is through with a part."""
        self._receipts.append(receipt)

    def count_film(self, seconds: float) -> None:
        """So much of a film was scanned ahead of its part."""
        self._film_ahead_s += seconds

    def count_broken(self, use: StepUse) -> None:
        """A step failed on a part, having asked for so much."""
        self._broken.append(use)

    def start(self) -> None:
        """Begin to look at the build, in a thread of its own."""
        self._thread.start()

    def end(self) -> RunProgress:
        """Look for the last time; returns what is written."""
        self._stop.set()
        self._thread.join()
        self._look()
        return self._write(ended=True)

    def _keep_looking(self) -> None:
        every_s = LOOK_EVERY_S if self._store.is_local else LOOK_EVERY_REMOTE_S
        while True:
            self._look()
            self._write(ended=False)
            if self._stop.wait(every_s):
                return

    def _look(self) -> None:
        for url, watch in self._watches.items():
            watch.look(url)
        with contextlib.suppress(OSError, TimeoutError, RuntimeError, ValueError):  # a worker went away
            cluster = told_cluster(self._client, workers=1)
            self._absence.look(cluster["n_workers"], cluster["address"])
            found = self._client.run(_look_at_worker, on_error="ignore").values()
            self._seen = AtWork.together(work for work, _ in found)
            self._servers = tuple(load for _, loads in found for load in loads)

    def _write(self, ended: bool) -> RunProgress:
        receipts = list(self._receipts)
        through = {(each.step, each.part) for each in receipts}
        seen = AtWork() if ended else self._seen
        running = [each for each in seen.steps if (each.step, each.part) not in through]
        finished = by_step(each.step_use for each in receipts)
        so_far = [each.so_far for each in running]
        scanned_s = [each.film_s for each in receipts] + [each.film_s for each in running]
        film_s = round(self._film_ahead_s + sum(scanned_s), 1)
        use = total_use(each.use for each in (*finished, *so_far, *self._broken))
        elapsed_s = max(1e-3, time.time() - self._started_s)
        left_s = 0.0 if ended else self._seconds_left(finished, so_far, elapsed_s)
        watched = tuple(watch.load(url, 0) for url, watch in self._watches.items())
        servers = (*self._servers, *(each for each in watched if each.looks))
        progress = RunProgress(
            started_s=self._started_s,
            updated_s=time.time(),
            ended=ended,
            use=use,
            figures=use_figures(use, servers, seen.in_flight, left_s),
            at_work=seen.model_copy(update={"steps": tuple(running)}),
            servers=servers,
            steps=by_step((*self._before, *finished)),
            film_s=film_s,
            tasks_at_once=round(sum(each.seconds for each in (*finished, *so_far)) / elapsed_s, 3),
        )
        self._store.write_bytes(PROGRESS, sealed_json(progress, PROGRESS))
        if not ended:
            self._tell(progress)
        return progress

    def _seconds_left(
        self, finished: Sequence[StepUse], running: Sequence[StepUse], elapsed_s: float
    ) -> float | None:
        left = self._videos_left.copy()
        for each in finished:
            left[each.step] -= each.videos
        left_s = seconds_left(left, finished, running, elapsed_s, self._before)
        return None if left_s is None else round(left_s, 1)


@contextmanager
def watched_progress(
    store: Store,
    client: Client,
    todos: Sequence[Todo],
    urls: Iterable[str],
    tell: Callable[[RunProgress], None] = lambda _: None,
    say: Callable[[str], None] = print,
) -> Iterator[ProgressWatch]:
    """A watch that looks for as long as the block lasts, and once more at its end."""
    watch = ProgressWatch(store, client, todos, urls, tell, say)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


def _look_at_worker(dask_worker: Any) -> tuple[AtWork, list[ServerLoad]]:
    return at_work(), server_loads(dask_worker)
