"""A source -> what arrives from it; a live one is read by a thread of its own, and waits for nobody."""

import queue
import threading
from collections.abc import Iterator

from reelproof.pipeline.watching.arrivals import Arrived, FilmTick, Known, Source
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.pipeline.watching.tally import Tally

_LOOK_EVERY_S = 0.25


class _End:
    """Nothing more will come."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.fault = fault


def feed(
    source: Source, cfg: WatchConfig, known: Known, stop: threading.Event, tally: Tally
) -> Iterator[Arrived | None]:
    """What arrives, and None now and then where a live source gives nothing.

    Where ticks come faster than they are taken, the oldest are dropped and counted.
    """
    if not source.is_live:
        yield from source.arrivals(cfg, known, stop)
        return
    waiting: queue.Queue[Arrived | _End] = queue.Queue()
    threading.Thread(target=_read, args=(source.arrivals(cfg, known, stop), waiting), daemon=True).start()
    while True:
        each = _next(waiting)
        if isinstance(each, _End):
            if each.fault is not None:
                raise each.fault
            return
        if isinstance(each, FilmTick) and waiting.qsize() > cfg.stream.waiting:
            tally.count("dropped_ticks")
            tally.count("dropped_frames", each.tick.frame_count)
        elif each is not None or not stop.is_set():
            yield each
        else:
            return


def _read(arrivals: Iterator[Arrived], to: "queue.Queue[Arrived | _End]") -> None:
    try:
        for each in arrivals:
            to.put(each)
        to.put(_End())
    except BaseException as error:
        to.put(_End(error))


def _next(waiting: "queue.Queue[Arrived | _End]") -> Arrived | _End | None:
    try:
        return waiting.get(timeout=_LOOK_EVERY_S)
    except queue.Empty:
        return None
