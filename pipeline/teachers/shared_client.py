"""Settings of a server -> one client for all of this process: parts side by side fill each other's gaps.

Each part that is worked on asks in a thread of its own. With one client for all of them, the bound on
requests in flight is the process's own, and as one part drains, the others' requests take its place.
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
