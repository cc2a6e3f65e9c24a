"""An open container -> its packets in the order of decoding, with what was said while they were read."""

import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from reelproof.stages.footage.damage import Arrival, LossWatch
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.references import IsReferredTo

_AHEAD, _AHEAD_BYTES = 96, 16 << 20
_LIVE_AHEAD, _LIVE_AHEAD_S = 8, 1.0
_LIVE_HEAD_S = 2.0
_MAX_READ_ERRORS = 16
_HARMLESS = ("unable to decode APP fields",)
# What a decoder says of frames that never came, not of the bits that did.
_OF_LOST_FRAMES = (
    "Could not find ref with POC",
    "Error constructing the frame RPS",
    "Missing reference picture",
    "reference picture missing",
    "co located POCs unavailable",
    "mmco: unref short failure",
    "number of reference frames",
)
T = TypeVar("T")


class Read(NamedTuple):
    """A packet, and whether there was trouble on the way to it."""

    packet: "Packet[VideoStream]"
    arrival: Arrival
    after_trouble: bool


class Faults:
    """What libav said was wrong, each kind of complaint once, in order."""

    def __init__(self, threads: int) -> None:
        self.told: list[str] = []
        self._kinds: set[str] = set()
        self._hears_all = threads > 1
        """With threads of its own, the decoder speaks from those."""

    def complain(self, text: str) -> None:
        """Note a fault that was not noted before."""
        kind = re.sub(r"[0-9]+|0x[0-9a-f]+", "", text)
        if kind not in self._kinds:
            self._kinds.add(kind)
            self.told.append(text)

    def forget(self) -> None:
        """What was said so far was to be expected."""
        self.told.clear()
        self._kinds.clear()

    def heard(self, doing: str, call: Callable[[], T], otherwise: T) -> tuple[T, list[str]]:
        """What the call returns, or `otherwise` where it raises, and what libav complained of meanwhile."""
        error: Exception | None = None
        with av.logging.Capture(local=not self._hears_all) as logs:
            try:
                result = call()
            except (av.error.FFmpegError, ValueError) as raised:
                result, error = otherwise, raised
        if error is None and not logs:
            return result, []
        said = [text.strip() for level, _, text in logs if level <= av.logging.ERROR]
        said = [text for text in said if text and not text.startswith(_HARMLESS)]
        said += [short(error)] if error else []
        for text in said:
            self.complain(f"{doing}: {text}"[:200])
        return result, said


def read_packets(
    container: InputContainer, stream: VideoStream, faults: Faults, live: Stream | None = None
) -> Iterator[Read]:
    """The stream's packets, reading on after damage where the container allows it, save of a live one."""
    number, errors, in_trouble = 0, 0, False
    demuxed = container.demux(stream)
    while errors < (1 if live else _MAX_READ_ERRORS):
        packets, said = faults.heard("reading", partial(_one, demuxed), None)
        in_trouble |= bool(said)
        if packets is None:
            errors, demuxed = errors + 1, container.demux(stream)
        elif not packets:
            return
        elif packets[0].size:
            if live:
                live.tap(packets[0])
            yield Read(packets[0], _arrival(packets[0], number), in_trouble)
            number, in_trouble = number + 1, False


def _one(demuxed: "Iterator[Packet[VideoStream]]") -> "list[Packet[VideoStream]] | None":
    """The next packet; none at the end."""
    return list(islice(demuxed, 1))


class LookAhead:
    """Packets in order, each given away once those that follow it are known: up to 96, or 16 MB of them.

    Of a live stream waiting is a delay: there, those of two seconds do at the beginning, and later those of
    one, or eight of them.
    """

    def __init__(self, reads: Iterator[Read], watch: LossWatch, is_live: bool = False) -> None:
        self._reads, self._watch = reads, watch
        self._most, self._most_s = _AHEAD, _LIVE_HEAD_S if is_live else math.inf
        self._waiting: deque[Read] = deque()
        self._bytes = 0
        self._fill()
        self.head = list(self._waiting)
        """Those that are known at the beginning."""
        if is_live:
            self._most, self._most_s = _LIVE_AHEAD, _LIVE_AHEAD_S

    def __iter__(self) -> Iterator[Read]:
        self.head = []
        while self._waiting or self._read_another():
            read = self._waiting.popleft()
            self._bytes -= read.packet.size
            self._fill(read)
            yield read

    def without_more(self) -> list[Read]:
        """Those that are known now; the rest stays unread."""
        return list(self._waiting)

    def _fill(self, given: Read | None = None) -> None:
        """Read on until enough is known of what follows the one that is given away."""
        while len(self._waiting) < self._most and self._bytes < _AHEAD_BYTES:
            first = given or next(iter(self._waiting), None)
            last = self._waiting[-1] if self._waiting else given
            if first and last and self._reaches(first.packet, last.packet):
                return
            if not self._read_another():
                return

    def _read_another(self) -> bool:
        """Whether there was one."""
        read = next(self._reads, None)
        if read is not None:
            self._watch.arrives(read.arrival)
            self._waiting.append(read)
            self._bytes += read.packet.size
        return read is not None

    def _reaches(self, first: "Packet[VideoStream]", last: "Packet[VideoStream]") -> bool:
        """Whether a live stream is known so far past when the first is shown; what is shown before it, too.

        Packets without times do not tell: a few of them have to do.
        """
        if self._most_s == math.inf:
            return False
        if first.pts is None or last.dts is None:
            return len(self._waiting) >= _LIVE_AHEAD
        ahead = last.dts + (last.duration or 0) - first.pts
        return ahead * float(last.time_base or 0) >= self._most_s


def tell_of_lost_frames(said: Sequence[str]) -> bool:
    """Whether complaints are only that frames are missing."""
    return all(text.startswith(_OF_LOST_FRAMES) for text in said)


def _arrival(packet: "Packet[VideoStream]", number: int) -> Arrival:
    return Arrival(
        number=number,
        stamp=packet.pts,
        ticks=packet.duration or 0,
        is_key=packet.is_keyframe,
        is_corrupt=packet.is_corrupt,
        is_shown=not packet.is_discard,
        size_bytes=packet.size,
    )


def can_skip(reads: Sequence[Read], is_referred_to: IsReferredTo) -> bool:
    """Whether leaving out the frames that none refers to leaves no gap of more than three frames."""
    if len(reads) < 8 or any(read.arrival.stamp is None for read in reads):
        return False
    told = [(read.arrival.stamp or 0, is_referred_to(read.packet)) for read in reads]
    kept = [place for place, (_, is_kept) in enumerate(sorted(told)) if is_kept]
    gaps = np.diff(kept)
    return len(kept) > 1 and len(kept) < len(reads) and int(gaps.max()) <= 3


def short(error: Exception) -> str:
    """What libav says, without the number in front."""
    return str(error).split("]", 1)[-1].strip()[:200]
