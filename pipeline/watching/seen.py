"""What was seen lately and may still be asked about, shown or told of; the rest is forgotten."""

from collections import deque
from collections.abc import Iterator, Mapping

from reelproof.pipeline.watching.judge import Window
from reelproof.pipeline.watching.keeping import FrameFiles
from reelproof.schemas.event import Event, TickAnswer
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.tick import Tick, WatchedFilm


class Seen:
    """Ticks, answers and frames, as far back as anything needs them."""

    def __init__(self, frames: FrameFiles, ticks_a_window: int, edge: float) -> None:
        """What stands out as far as `edge` is not usual."""
        self._edge = edge
        self._out_since_s: float | None = None
        self.ticks: dict[int, Tick] = {}
        self.answers: dict[tuple[int, str], TickAnswer] = {}
        self.jpegs: dict[str, bytes] = {}
        self._frames = frames
        self._recent: deque[Tick] = deque(maxlen=ticks_a_window)
        self._usual: tuple[FrameRef, ...] = ()

    def take_in(self, tick: Tick) -> None:
        """The next tick; a window holds those of one film only."""
        if self._recent and tick.film != self._recent[-1].film:
            self._recent.clear()
        self._recent.append(tick)
        self.ticks[tick.number] = tick
        if tick.stands_out < self._edge:
            self._out_since_s = None
        elif self._out_since_s is None:
            self._out_since_s = tick.start_s

    @property
    def stands_out_for_s(self) -> float:
        """For how long every tick up to the last one has stood out."""
        return 0.0 if self._out_since_s is None else self.now_s - self._out_since_s

    @property
    def now_s(self) -> float:
        """Where the stream is."""
        return self._recent[-1].end_s if self._recent else 0.0

    @property
    def shown(self) -> tuple[FrameRef, ...]:
        """Frames of the window that ends with the last tick."""
        return tuple(each for tick in self._recent for each in tick.frames)

    def window(self, film: WatchedFilm) -> Window:
        """That window, with the frames of the latest one in which nothing stood out."""
        tick = self._recent[-1]
        shown = tuple(each for each in self.shown if each.sha256 in self.jpegs)
        usual = tuple(each for each in self._usual if each.sha256 in self.jpegs)
        jpegs = {each.sha256: self.jpegs[each.sha256] for each in (*shown, *usual)}
        self._frames.put((*shown, *usual), jpegs, tick.number)
        return _window(tick, self._recent[0], film, shown, usual, jpegs)

    def window_again(self, number: int, film: WatchedFilm, length: int) -> Window:
        """The window that ends with an earlier tick, as far as its frames lie on disk."""
        numbers = range(number - length + 1, number + 1)
        ticks = [self.ticks[each] for each in numbers if each in self.ticks]
        ticks = [each for each in ticks if each.film == film.number]
        found = {frame.sha256: self._frames.read(frame.sha256) for each in ticks for frame in each.frames}
        jpegs = {sha256: jpeg for sha256, jpeg in found.items() if jpeg is not None}
        shown = tuple(frame for each in ticks for frame in each.frames if frame.sha256 in jpegs)
        self._frames.put(shown, jpegs, number)
        return _window(ticks[-1], ticks[0], film, shown, (), jpegs)

    def is_usual_now(self, edge: float) -> bool:
        """Whether nothing stands out in the last window."""
        return all(each.stands_out < edge for each in self._recent)

    def note_usual(self) -> None:
        """The last window is what claims may be held against."""
        self._usual = self.shown

    def forget(self, before: int) -> None:
        """All of ticks before this one."""
        self.ticks = {number: tick for number, tick in self.ticks.items() if number >= before}
        self.answers = {key: answer for key, answer in self.answers.items() if key[0] >= before}
        needed = {each.sha256 for tick in self.ticks.values() for each in tick.frames}
        needed |= {each.sha256 for each in self._usual}
        self.jpegs = {sha256: jpeg for sha256, jpeg in self.jpegs.items() if sha256 in needed}
        self._frames.let_go(before)


def frames_of(event: Event) -> Iterator[str]:
    """Hashes of all that an event rests on."""
    yield from (each.sha256 for each in event.frames)
    for claim in event.claims:
        yield from (*claim.frame_sha256, *claim.control_sha256)


def _window(
    tick: Tick,
    first: Tick,
    film: WatchedFilm,
    shown: tuple[FrameRef, ...],
    usual: tuple[FrameRef, ...],
    jpegs: Mapping[str, bytes],
) -> Window:
    start_s, end_s = max(first.start_s - film.offset_s, 0.0), tick.end_s - film.offset_s
    return Window(tick.number, film.video_id, start_s, end_s, shown, usual, jpegs)
