"""Packets -> borders at key frames, some two minutes apart, between which a long film is scanned."""

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile

from reelproof.schemas.span import SpanCut, Survey
from reelproof.stages.footage.damage import Arrival
from reelproof.stages.footage.packets import Read

SPAN_S = 120.0
"""A span ends at the first key frame after so long; windows of candidates do, too, in one pass as well."""
OVERLAP = 24
"""Packets of the next span that are decoded as well: more than may refer to frames before it."""
CODECS_TO_SPLIT = {"h264", "hevc", "av1", "vp8", "vp9", "mpeg2video", "mpeg4", "mjpeg"}
"""Of others, nobody tried whether a decoder that starts at a key frame gives the very same pictures."""


class Borders:
    """Hears of each packet before it is decoded; knows which frame is the first of a span."""

    def __init__(self, tick_s: float) -> None:
        self._ticks = SPAN_S / tick_s if tick_s else float("inf")
        self._last: int | None = None
        self._waiting: deque[int] = deque()

    def hear(self, arrival: Arrival) -> bool:
        """Whether a span begins with this packet, other than the film's first."""
        if arrival.stamp is None or not (arrival.is_key and arrival.is_shown):
            return False
        if self._last is not None and arrival.stamp - self._last < self._ticks:
            return False
        is_border = self._last is not None
        self._last = arrival.stamp
        if is_border:
            self._waiting.append(arrival.stamp)
        return is_border

    def begins(self, stamp: int | None) -> bool:
        """Whether a span begins with the frame that is shown next."""
        begins = False
        while stamp is not None and self._waiting and stamp >= self._waiting[0]:
            self._waiting.popleft()
            begins = True
        return begins


@dataclass
class _Cut:
    """A span so far."""

    number: int
    stamp: int
    start_s: float
    next_stamp: int | None = None
    packets: int = 0
    digest: int = 0

    def hear(self, arrival: Arrival) -> None:
        self.packets += 1
        self.digest = _digest(self.digest, arrival)


class Surveyor:
    """Follows the packets of a film from the first to the last, undecoded."""

    def __init__(self, tick_s: float) -> None:
        self.is_regular = True
        """Whether what is shown after each border so far is decoded after it, save a few leading frames."""
        self._tick_s = tick_s
        self._borders = Borders(tick_s)
        self._cuts: list[_Cut] = []
        self._highest = self._end = self._end_at_border = -(1 << 62)

    def hear(self, arrival: Arrival) -> None:
        """Take the film's next packet: it may begin a span, or show that spans cannot be told."""
        stamp = arrival.stamp
        if stamp is None or not arrival.is_shown or (arrival.number == 0 and not arrival.is_key):
            self.is_regular = False
            return
        if self._borders.hear(arrival) or arrival.number == 0:
            self._begin(stamp, arrival.number)
        elif stamp < self._cuts[-1].stamp:  # a leading frame; before the film's first there is none
            self.is_regular &= len(self._cuts) > 1 and arrival.number - self._cuts[-1].number < OVERLAP
        self._cuts[-1].hear(arrival)
        if len(self._cuts) > 1 and arrival.number < self._cuts[-1].number + OVERLAP:
            self._cuts[-2].hear(arrival)
        self._highest = max(self._highest, stamp)
        self._end = max(self._end, stamp + arrival.ticks)

    def survey(self, leaves_out: bool) -> Survey | None:
        """What was found; None where the film cannot be split."""
        if not (self.is_regular and len(self._cuts) > 1 and self._end > self._end_at_border):
            return None
        return Survey(leaves_out=leaves_out, spans=tuple(SpanCut(**vars(cut)) for cut in self._cuts))

    def _begin(self, stamp: int, number: int) -> None:
        self.is_regular &= stamp > self._highest
        self._end_at_border = self._end
        if self._cuts:
            self._cuts[-1].next_stamp = stamp
        start_s = (stamp - self._cuts[0].stamp) * self._tick_s if self._cuts else 0.0
        self._cuts.append(_Cut(number, stamp, start_s))


class SpanReads:
    """The packets of one span, numbered as in the film, out of an open file's from somewhere before it."""

    def __init__(self, reads: Iterable[Read], cut: SpanCut) -> None:
        self._reads, self._cut = reads, cut
        self.is_whole = False
        """Whether they were just those that the survey found; known once the last was given."""

    def __iter__(self) -> Iterator[Read]:
        digest, count = 0, 0
        for read in dropwhile(lambda each: not self._is_first(each.arrival), self._reads):
            arrival = read.arrival._replace(number=self._cut.number + count)
            digest, count = _digest(digest, arrival), count + 1
            self.is_whole = count == self._cut.packets and digest == self._cut.digest
            yield read._replace(arrival=arrival)
            if count == self._cut.packets:
                return

    def _is_first(self, arrival: Arrival) -> bool:
        return arrival.is_key and arrival.stamp == self._cut.stamp


def _digest(before: int, arrival: Arrival) -> int:
    return zlib.crc32(b"%d %d %d" % (arrival.stamp or 0, arrival.ticks, arrival.size_bytes), before)
