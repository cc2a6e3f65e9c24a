"""Steps to do -> workers that have loaded what these need before the first of them comes."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from distributed import Client

from reelproof.pipeline.parts.todo import Todo

ASKING = "reelproof.pipeline.teachers.shared_client"
"""With the libraries that speak to servers, a second by itself."""


def load_ahead(client: Client, todos: Iterable[Todo]) -> None:
    """Have each worker of this machine load the modules of the steps that it may be given; waits for none.

    They would do it with their first task: those that ask servers only when the first questions are there,
    and all of them only when servers were tried.
    """
    steps = {step.name: step for todo in todos for step in todo.steps}.values()
    modules: dict[bool, dict[str, None]] = {False: {}, True: {ASKING: None}}
    for step in steps:
        modules[step.slot == "TEACHER"][step.kind.run.__module__] = None
    client.run(_load, tuple(modules[False]), tuple(modules[True]), wait=False, on_error="ignore")


async def _load(work: Sequence[str], asking: Sequence[str], dask_worker: Any) -> None:
    """In the worker's own loop, so that no task begins while modules are half there."""
    for name in asking if "TEACHER" in dask_worker.state.total_resources else work:
        import_module(name)
