"""What of a server's bound on requests this process may use: several processes of a cluster may ask it.

It needs no library of a client's, for workers that ask nobody are told as well.
"""

from reelproof.stages.teachers.protocol import ServerTeacherConfig

_shared_by = 1
"""So many processes ask the same servers."""


def share_out(processes: int) -> None:
    """So many processes ask the same servers from now on, this one among them."""
    global _shared_by
    _shared_by = processes


def own_share(cfg: ServerTeacherConfig) -> ServerTeacherConfig:
    """As this process may ask servers that others ask, too: with its part of `concurrency`, at least 1."""
    return cfg.model_copy(update={"concurrency": max(1, cfg.concurrency // _shared_by)})
