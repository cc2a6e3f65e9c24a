"""A film, or a folder that films come to -> their ticks, one film after the other."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.pipes import FilmJob, Over, Ticked
from reelproof.pipeline.decoder.process import CHILD_COMMAND, ChildLimits, LostError
from reelproof.pipeline.disk.files import find_videos, video_id_of
from reelproof.pipeline.watching.arrivals import Arrived, FilmTick, Known, Note
from reelproof.pipeline.watching.settings import WatchConfig
from reelproof.schemas.source import SourceFile
from reelproof.schemas.tick import WatchedFilm

_LOOK_EVERY_S = 0.5
_SETTLED_S = 2.0


class Films:
    """A film, or the films in a folder, one after the other as they come."""

    is_live = False

    def __init__(self, path: Path, command: Sequence[str] = CHILD_COMMAND) -> None:
        self.name = str(path.resolve())
        self._path, self._command = path.resolve(), command

    def arrivals(self, cfg: WatchConfig, known: Known, stop: threading.Event) -> Iterator[Arrived]:
        """A film that was begun goes on where it was."""
        with Scanner(ChildLimits(), self._command) as scanner:
            yield from self._arrivals(scanner, cfg, known, stop)

    def _arrivals(
        self, scanner: Scanner, cfg: WatchConfig, known: Known, stop: threading.Event
    ) -> Iterator[Arrived]:
        films, next_tick = list(known.films), known.next_tick
        for film in films[-1:]:  # from a window before on, whose pictures are needed again
            for each in _told(scanner, film, cfg, max(next_tick - cfg.ticks_a_window + 1, 0), stop):
                if isinstance(each, FilmTick):
                    next_tick = max(next_tick, each.tick.number + 1)
                yield each
        if cfg.stream.patience_s and not _films_at(self._path):
            until = f"until none has come for {cfg.stream.patience_s:g} s (stream.patience_s)"
            yield Note("waiting", f"{self.name}: no film is there yet; waiting for one, {until}")
        for path in self._new(cfg, {str(each.path) for each in films}, stop):
            film = WatchedFilm(
                number=len(films),
                video_id=video_id_of(path),
                name=path.name,
                path=str(path),
                offset_s=next_tick * cfg.window.stride_s,
                began_at=time.time(),
            )
            films.append(film)
            yield film
            for each in _told(scanner, film, cfg, next_tick, stop):
                if isinstance(each, FilmTick):
                    next_tick = each.tick.number + 1
                yield each

    def _new(self, cfg: WatchConfig, seen: set[str], stop: threading.Event) -> Iterator[Path]:
        """Files that are there whole, in order of their names."""
        if self._path.is_file():
            yield from () if str(self._path) in seen else (self._path,)
            return
        sizes: dict[str, tuple[int, float]] = {}
        last = time.monotonic()
        while not stop.is_set():
            found = [each for each in _films_at(self._path) if each.url not in seen]
            for file in found:
                size, since = sizes.get(file.url, (-1, 0.0))
                if size != file.size_bytes:
                    sizes[file.url] = (file.size_bytes, since := time.monotonic())
                if cfg.stream.patience_s == 0 or time.monotonic() - since >= _SETTLED_S:
                    seen.add(file.url)
                    yield Path(file.url)
                    last = time.monotonic()
            if time.monotonic() - last >= cfg.stream.patience_s:
                return
            stop.wait(_LOOK_EVERY_S)


def _told(
    scanner: Scanner, film: WatchedFilm, cfg: WatchConfig, from_tick: int, stop: threading.Event
) -> Iterator[FilmTick | Note]:
    """A film's ticks from one on, or why there is none."""
    try:
        for each in scanner.ticks(FilmJob(film, cfg.window, cfg.footage, from_tick), cfg.stream.silent_s):
            if isinstance(each, Ticked):
                yield FilmTick(film, each.tick, each.arrived_at)
            elif isinstance(each, Over) and not each.is_whole:
                yield Note("unusable", f"{film.name}: {each.why}")
            if stop.is_set():
                return
    except LostError as lost:
        yield Note("unusable", f"{film.name}: {lost.how}; what is left of it is not watched")


def _films_at(path: Path) -> tuple[SourceFile, ...]:
    return find_videos(str(path), "unknown").files
