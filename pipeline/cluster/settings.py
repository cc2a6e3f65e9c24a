"""Where the parts of a build are worked on; Dask itself is imported where a cluster is opened."""

from pydantic import Field

from reelproof.schemas.settings import Settings


class ClusterConfig(Settings):
    """Where the parts are worked on. Nothing here changes what a build makes."""

    scheduler: str | None = None
    """The address of a running Dask scheduler; null starts workers on this machine."""
    workers: int | None = Field(default=None, ge=1)
    """So many processes work on this machine; by default one per core."""
    gpus: int | None = Field(default=None, ge=0)
    """So many of this machine's GPUs are for servers that reelproof starts; by default all that are
    visible."""
    teacher_slots: int | None = Field(default=None, ge=1)
    """So many parts may be at servers at once; one process of this machine asks for all of them. By default
    as many as keep the servers' queues full while each waits for its slowest answers, from 8 to 256."""
    parts_ahead: int = Field(default=3, ge=1)
    """So many parts are in the works for each slot of the cluster: it bounds memory and the scheduler's
    queue."""
    dashboard: str | None = None
    """Dask's dashboard listens here, such as 127.0.0.1:8787 (extra `dashboard`); port 0 takes a free one, and
    null leaves it out."""
