"""A process of ours -> pyarrow in it takes memory from what suits us, and does without pandas."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa


def memory_pool() -> str:
    """What Arrow takes memory from, where the environment does not say: what gives it back.

    mimalloc keeps what threads freed that ended: workers grow with the longest film, and a refilter of a
    million traces has a peak of 1,000 MB instead of 850.
    """
    return "jemalloc" if "jemalloc" in pa.supported_memory_backends() else "system"


def set_up_arrow() -> None:
    """Choose `memory_pool` in this process, and keep pyarrow from loading pandas.

    At its first array pyarrow loads pandas, where that is installed, to know its types should some come:
    a quarter of a second. What finds none here is asked for again by all that needs it, such as `to_pandas`.
    """
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pools = {"jemalloc": pa.jemalloc_memory_pool, "system": pa.system_memory_pool}
        pa.set_memory_pool(pools[memory_pool()]())
    if "pandas" not in sys.modules:
        with _unfindable("pandas"):
            pa.array([0])


@contextmanager
def _unfindable(name: str) -> Iterator[None]:
    finder = _Nowhere(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Nowhere:
    """Says of one module that it is not installed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is not loaded here", name=fullname)
