"""Settings of a server -> one client for all of this process: parts side by side fill each other's gaps.

Each part that is worked on asks in a thread of its own. With one client for all of them, the bound on
requests in flight is the process's own, and as one part drains, the others' requests take its place. Where
several processes of a cluster ask, each has its share of the bound: the server sees no more of all together.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from reelproof.pipeline.teachers.frame_files import sent_by
from reelproof.stages.teachers.openai_teacher import OpenAITeacher
from reelproof.stages.teachers.protocol import ServerTeacherConfig

_lock = threading.Lock()


@dataclass
class _Client:
    teacher: OpenAITeacher
    users: int = 0


_clients: dict[ServerTeacherConfig, _Client] = {}
"""Those in use; the last user closes one."""
_shared_by = 1
"""So many processes ask the same servers."""


def share_out(processes: int) -> None:
    """So many processes ask the same servers from now on, this one among them."""
    global _shared_by
    _shared_by = processes


def own_share(cfg: ServerTeacherConfig) -> ServerTeacherConfig:
    """As this process may ask servers that others ask, too: with its part of `concurrency`, at least 1."""
    return cfg.model_copy(update={"concurrency": max(1, cfg.concurrency // _shared_by)})


def open_client(cfg: ServerTeacherConfig, broken: Callable[[], str | None] = lambda: None) -> OpenAITeacher:
    """A client of its own, which sends frames as the settings say."""
    return OpenAITeacher(cfg, broken=broken, sends=partial(sent_by, cfg))


@contextmanager
def shared_client(
    cfg: ServerTeacherConfig, broken: Callable[[], str | None] = lambda: None
) -> Iterator[OpenAITeacher]:
    """The process's client with these settings. `broken` may say why waiting for the server is in vain."""
    with _lock:
        client = _clients.get(cfg)
        if client is None:
            client = _clients[cfg] = _Client(open_client(cfg, broken).__enter__())
        client.users += 1
    try:
        yield client.teacher
    finally:
        with _lock:
            client.users -= 1
            if not client.users:
                del _clients[cfg]
                client.teacher.__exit__(None, None, None)
