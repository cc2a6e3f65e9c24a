"""Who reads what is written in pictures: RapidOCR, opened once a process."""

from functools import lru_cache

from reelproof.stages.written.protocol import Reader


@lru_cache(maxsize=1)
def open_reader() -> Reader:
    """The reader. Raises ImportError without the extra `ocr`."""
    from reelproof.stages.written.rapid import RapidReader

    return RapidReader()
