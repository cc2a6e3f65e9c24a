"""How workers of ours take memory from glibc, which the servers that they start should not inherit."""

import ctypes
from collections.abc import Mapping
from contextlib import suppress

MALLOC = {
    # Dask would have each picture given back as it is freed, and its pages cleared for the next one: half of
    # what steps that read and crop frames did.
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(8 * 2**20),
    "MALLOC_ARENA_MAX": "2",
}
"""Variables of the environment, for where it does not say otherwise."""


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without these: a server of many threads is served badly by two arenas."""
    return {name: value for name, value in environment.items() if MALLOC.get(name) != value}


def give_back() -> None:
    """Return to the system what glibc holds of memory that is free, where it is glibc.

    Within a step that room is soon used again; the next one may run elsewhere.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
