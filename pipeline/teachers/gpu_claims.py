"""The GPUs of a machine -> those that this process may use, each claimed by one process at a time."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from reelproof.stages.teachers.protocol import TeacherUnavailable

_held: dict[str, FileLock] = {}
"""Device -> its lock, for as long as this process lives: its servers share the devices that it holds."""


def claim_gpus(count: int, lock_folder: Path, but: Collection[str] = ()) -> tuple[str, ...]:
    """So many devices, by index or UUID; none where the machine has none (a CPU build of vLLM).

    Where CUDA_VISIBLE_DEVICES names some, only those, and none of `but`. Raises TeacherUnavailable where too
    few are free.
    """
    if not visible_gpus():
        return ()
    present = [device for device in visible_gpus() if device not in but]
    with FileLock(lock_folder / "gpu-claims.lock"):  # one after another: two that take turns would both fail
        held = [device for device in _held if device not in but]
        taken = _take(present, count - len(held), lock_folder)
        if len(held) + len(taken) < count:
            for lock in taken.values():
                lock.release()
            raise TeacherUnavailable(
                f"a vLLM server needs {count} GPUs, but of {len(present)} here only "
                f"{len(held) + len(taken)} are free; start fewer workers with GPU resources, or lower "
                "tensor_parallel"
            )
        _held.update(taken)
        return tuple(sorted([*held, *taken]))[:count]


def _take(present: Sequence[str], count: int, lock_folder: Path) -> dict[str, FileLock]:
    """At most so many more devices that no process holds."""
    taken: dict[str, FileLock] = {}
    for device in present:
        if len(taken) >= count:
            break
        if device not in _held:
            lock = FileLock(lock_folder / f"gpu-{device}.lock", thread_local=False)
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=0)
                taken[device] = lock
    return taken


def visible_gpus() -> tuple[str, ...]:
    """Those named by CUDA_VISIBLE_DEVICES, else all that the driver knows."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(each.strip() for each in named.split(",") if each.strip())
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    command = [tool, "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    return tuple(listed.stdout.split()) if listed.returncode == 0 else ()
