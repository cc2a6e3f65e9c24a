"""A command's process -> pyarrow in it takes memory as writing shards does best, and does without pandas."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

_POOL = "jemalloc"
"""It uses freed pages again; pyarrow's own choice gives them back, and the kernel clears each anew."""


def set_up_arrow() -> None:
    """Choose pyarrow's allocator, where ARROW_DEFAULT_MEMORY_POOL does not, and keep it from loading pandas.

    At its first array pyarrow loads pandas, where that is installed, to know its types should some come:
    a quarter of a second. What finds none here is asked for again by all that needs it, such as `to_pandas`.
    """
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ and _POOL in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
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
