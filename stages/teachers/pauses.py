"""Faults one after the other, or what a server says of them -> how long to wait before it is asked again."""

import math
import time
from email.utils import parsedate_to_datetime
from random import Random

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
LONGEST_PAUSE_S = 600.0
"""Whatever a server asks for."""


def doubled_wait_s(faults: int) -> float:
    """Twice as long after each fault, from 0 on."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(faults, 32))


def spread_wait_s(tries: int, request_id: str) -> float:
    """The same after each try, from 1 on, spread by a quarter so that not all come back at once."""
    spread = Random(f"{request_id} {tries}").uniform(0.75, 1.25)  # noqa: S311 - no secret
    return spread * doubled_wait_s(tries - 1)


def retry_after_s(said: str | None) -> float | None:
    """What `Retry-After` says, as seconds or as a date, at most ten minutes; None where it names no wait."""
    if said is None:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(seconds, LONGEST_PAUSE_S) if math.isfinite(seconds) and seconds > 0 else None
