"""Who reads what is written in pictures: RapidOCR, opened once a process, each picture read once."""

from functools import lru_cache

from reelproof.stages.written.protocol import Reader
from reelproof.stages.written.remembered import RememberedReader


@lru_cache(maxsize=1)
def open_reader() -> Reader:
    """The reader. Raises ImportError without the extra `ocr`."""
    from reelproof.stages.written.rapid import RapidReader

    return RememberedReader(RapidReader())
