"""A part's work as tasks of a cluster: what a task takes, its key, and the long films that several share."""

import hashlib
import uuid
from collections.abc import Mapping

from distributed import Client, Future

from reelproof.pipeline.cluster.local_or_remote import PARTS_A_GPU
from reelproof.pipeline.disk.files import is_local
from reelproof.pipeline.parts.run_step import ScannedAhead, run_ahead
from reelproof.pipeline.parts.step import Slot
from reelproof.pipeline.parts.todo import Todo

AMOUNTS: Mapping[Slot, float] = {"CPU": 1, "LIGHT": 1, "TEACHER": 1, "GPU": 1 / PARTS_A_GPU}
"""What a task takes of its slot."""
SHARE_BYTES = 8_000_000
"""Of a film that several tasks scan, each gets at least so much: some five seconds' work, or far more."""


def submit_ahead(
    client: Client, todo: Todo, store_url: str, resources: Mapping[str, float], slots: int
) -> list[Future[ScannedAhead]]:
    """Begin those of the part's films that are long enough to give several of the slots work.

    A task plans, others do a share each. What they find does not depend on how many they are.
    """
    step = next((each for each in todo.steps if each.kind.ahead), None)
    if step is None or slots < 2:
        return []
    found: list[Future[ScannedAhead]] = []
    for place, source in enumerate(todo.inputs.sources):
        shares = min(2 * slots, source.file.size_bytes // SHARE_BYTES)
        if shares < 2 or not is_local(source.file.url):
            continue
        planned: list[Future[ScannedAhead]] = []
        for share in (None, *((each, shares) for each in range(shares))):
            future = client.submit(
                run_ahead,
                step,
                todo.inputs,
                store_url,
                place,
                share,
                *planned,
                key=named_key(f"{step.name}.ahead", f"{store_url}\n{uuid.uuid4()}"),
                resources={"CPU": AMOUNTS["CPU"]} if "CPU" in resources else None,
                priority=-todo.inputs.part.number,
                pure=False,
            )
            planned = planned or [future]
            found.append(future)
    return found


def named_key(step: str, content: str) -> str:
    """`step-<hex>`: Dask queues only keys of that form, and returns an old key's old result."""
    return f"{step.replace('.', '_').replace('-', '_')}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"
