"""Which workers of a cluster ask servers, and what of a server's bound on requests each of them may use."""

from typing import Any

from distributed import Client, WorkerPlugin

from reelproof.pipeline.cluster.local_or_remote import told_workers
from reelproof.pipeline.teachers.own_share import share_out


class AskingShare(WorkerPlugin):
    """Tells each worker, those that join later too, among how many a server's bound is shared out."""

    name = "reelproof-asking-share"

    def __init__(self, processes: int) -> None:
        self._processes = processes

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        """From now on, this worker asks at most its share of what a server may be asked at once."""
        share_out(self._processes)

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
        """Give the share back: whoever asks next in this process has the whole bound."""
        share_out(1)


def asking_workers(client: Client) -> int:
    """How many workers take tasks that wait for a server: those that declare it, or all where none does."""
    workers = told_workers(client)
    declare = sum("TEACHER" in each["resources"] for each in workers.values())
    return declare or len(workers)
