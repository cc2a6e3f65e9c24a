"""A key -> a number that stands for chance: the same key draws the same, on every machine."""

import hashlib


def hash32(*key: object) -> int:
    """A number in [0, 2**32) that follows from the key alone."""
    text = "\x00".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
