"""Decoding children that have nothing to do -> whoever scans next: to start one takes half a second."""

import threading

from reelproof.pipeline.decoder.process import CHILD_COMMAND, ChildLimits, DecodingProcess

PATIENCE_S = 5.0
"""A child that nobody wanted for so long ends, and gives its memory back."""
MOST_JOBS = 100
"""Of one child: what libraries did not give back of its memory ends with it."""
_waiting: dict[DecodingProcess, threading.Timer] = {}
"""With what ends each. Who pops one has it: threads need no lock."""


def take_child(limits: ChildLimits) -> DecodingProcess:
    """One of this process that waits and is held to these limits, or a new one.

    Raises RuntimeError where it does not even start.
    """
    for child in reversed(tuple(_waiting)):  # who came last: the others may end meanwhile
        if child.suits(limits) and (timer := _waiting.pop(child, None)):
            timer.cancel()
            if child.is_alive:
                return child
            child.kill()
    return DecodingProcess(CHILD_COMMAND, limits)


def give_back(child: DecodingProcess) -> None:
    """Have a child of `CHILD_COMMAND` wait for another job, once it ended its last; or end it after many."""
    if child.jobs >= MOST_JOBS:
        child.kill()
        return
    timer = _waiting[child] = threading.Timer(PATIENCE_S, _end, [child])
    timer.daemon = True
    timer.start()


def end_waiting() -> None:
    """End all that wait."""
    for child in tuple(_waiting):
        _end(child)


def _end(child: DecodingProcess) -> None:
    if timer := _waiting.pop(child, None):  # else somebody took it in this very moment
        timer.cancel()
        child.kill()
