"""What comes of a source, whatever it is: films and connections, their ticks, and what befell them."""

import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.tick import WatchedFilm
from reelproof.stages.footage.watched import SeenTick


class FilmTick(NamedTuple):
    """A tick, the film that it is of, and when it was decoded."""

    film: WatchedFilm
    tick: SeenTick
    arrived_at: float


class Note(NamedTuple):
    """What befell a source, for a person and for the counts."""

    kind: str
    """`unusable`, `waiting`, `reconnect`, `clock_jump`, `decoder_lost` or `ended`."""
    text: str
    lost_frames: int = 0
    """So many were decoded, and went with what decoded them."""


Arrived = WatchedFilm | FilmTick | Note


class Known(NamedTuple):
    """What an earlier run saw of the source."""

    films: Sequence[WatchedFilm] = ()
    next_tick: int = 0


class Source(Protocol):
    """Where pictures come from."""

    name: str
    """Without secrets."""
    is_live: bool
    """It does not wait for us."""

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """Films, their ticks and what befell, until the source ends or `stop` is set."""
        ...
