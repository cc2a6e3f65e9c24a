"""Packets and what is said of them -> which frames rest on something lost, and from when to when."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reelproof.schemas.footage import Span
from reelproof.stages.footage.frame_numbers import FrameNumbers

_TELL_OF_LOSS = {"h264", "hevc"}  # by their numbers, or the decoder misses what they refer to
_REMEMBERED_STAMPS = 256
_REMEMBERED_KEYS = 8
_NOTICED_WITHIN_S = 2.0
_WORTH_TELLING_S = 0.25
_JOIN_PACKETS = 8
_FEWEST_STEPS = 24
_EXCEPTIONS_SHARE = 0.02
_DEEPEST = 32  # steps by which a packet may be behind
_TINY_BYTES = 16  # of an MPEG-4 packet that says "as before" and gives no frame


class Arrival(NamedTuple):
    """A packet as far as it matters here. Stamps are in ticks of the stream."""

    number: int
    """In the order of decoding, from 0."""
    stamp: int | None
    ticks: int
    """How long the container says its frame lasts; 0: it does not."""
    is_key: bool
    is_corrupt: bool
    is_shown: bool
    """It has to give a frame: it is not hidden by an edit list, nor left out by us."""
    size_bytes: int


class Shown(NamedTuple):
    """A frame that came out of the decoder."""

    number: int
    """Of its packet."""
    stamp: int | None
    time_s: float
    is_key: bool


class Stretches:
    """Losses noted in the order of decoding -> the frames from each to the next clean key frame, as spans."""

    def __init__(self) -> None:
        self._closed: list[Span] = []
        self._first: int | None = None
        """The packet that the loss was noted at; None where nothing is open."""
        self._last = -1
        """The last packet that is not clean."""
        self._start_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether no clean key frame was shown since the last loss."""
        return self._first is not None

    def note(self, number: int, is_clean: bool, start_s: float) -> None:
        """Something is lost at this packet; `is_clean` where the packet itself is whole."""
        if self._first is None:
            self._first, self._start_s = number, start_s
        self._first = min(self._first, number)
        self._start_s = min(self._start_s, start_s)
        self._last = max(self._last, number - is_clean)

    def tell(self, shown: Shown) -> bool:
        """Whether the next frame in order of presentation rests on a loss."""
        if self._first is None or shown.number < self._first:
            return False
        if shown.is_key and shown.number > self._last:
            self._close(shown.time_s)
            return False
        self._start_s = min(self._start_s, shown.time_s)
        return True

    def finish(self, end_s: float) -> list[Span]:
        """All of them, once the last frame was shown."""
        self._close(end_s)
        return self._closed

    def _close(self, end_s: float) -> None:
        if self._first is not None and end_s > self._start_s:
            self._closed.append(Span(start_s=round(self._start_s, 3), end_s=round(end_s, 3)))
        self._first = None


class LossWatch:
    """Hears of each packet ahead of its decoding, of each frame and of each complaint."""

    def __init__(
        self, codec: str, extradata: bytes | None, tick_s: float, says_lengths: bool, lag: int = 0
    ) -> None:
        """`says_lengths`: the container says how long each frame lasts, so that a gap in it is no loss.

        Complaints come up to `lag` packets late: from a decoder with threads of its own.
        """
        self._codec = codec
        self._tick_s = tick_s
        self._lag = lag
        self._numbers = FrameNumbers(extradata) if codec == "h264" else None
        self._beat = _Beat(says_lengths)
        self._sure, self._suspected = Stretches(), Stretches()
        self._awaited: list[tuple[int, Arrival]] = []
        """Packets that have to give a frame and have not yet, by their stamps."""
        self._before: Shown | None = None
        self._key_numbers: deque[int] = deque([0], maxlen=_REMEMBERED_KEYS)
        self._key = Shown(-1, None, 0.0, is_key=False)
        """The last key frame shown."""
        self._since: int | None = None
        """Where the stretch begins that nothing fills and the packet now decoded ends; or its own stamp."""

    def arrives(self, arrival: Arrival) -> None:
        """A packet was read; it is decoded later, so that those shown before it are known by then."""
        self._beat.hear(arrival)

    @property
    def has_noted(self) -> bool:
        """Whether something was lost, or is missing, since the last clean key frame."""
        return self._sure.is_open or self._suspected.is_open

    def decodes(self, arrival: Arrival, data: bytes, is_awaited: bool = True) -> None:
        """A packet goes to the decoder; `is_awaited` unless it is known that it gives no frame."""
        self.weighs(arrival, data)
        is_tiny = self._codec == "mpeg4" and arrival.size_bytes <= _TINY_BYTES
        if arrival.stamp is not None and arrival.is_shown and is_awaited and not is_tiny:
            insort(self._awaited, (arrival.stamp, arrival))

    def weighs(self, arrival: Arrival, data: bytes) -> None:
        """The next packet: what it tells by itself, and by those that were read."""
        gap = self._beat.gap_before(arrival)
        self._since = arrival.stamp if gap is None else gap
        if arrival.is_key:
            self._key_numbers.append(arrival.number)
        if arrival.number == 0 and not arrival.is_key:
            self._sure.note(0, is_clean=True, start_s=0.0)
        is_corrupt = arrival.is_corrupt and not self._is_join(arrival.number)
        if is_corrupt or (self._numbers and self._numbers.breaks_at(data)):
            self._sure.note(arrival.number, is_clean=False, start_s=self._time_s(self._since))
        if gap is not None and self._may_be_loss(arrival):
            start_s = max(self._time_s(gap) - self._beat.depth * self._tick_s, 0.0)
            self._suspected.note(arrival.number, is_clean=True, start_s=start_s)

    def is_troubled(self, arrival: Arrival) -> None:
        """The container complained on the way to this packet, which may itself be whole."""
        self._complained(arrival.number, is_clean=True, reaches_back=True)

    def complains(self, arrival: Arrival, of_lost_frames: bool) -> None:
        """The decoder complained at this packet: that frames are lost, or else that bits are wrong."""
        self._complained(arrival.number - self._lag, is_clean=False, reaches_back=not of_lost_frames)

    def _complained(self, number: int, is_clean: bool, reaches_back: bool) -> None:
        """Wrong bits are often noticed late: nothing since the last key frame is to be trusted."""
        start_s = self._time_s(self._since)
        if reaches_back and not self._sure.is_open:
            key = max((each for each in self._key_numbers if each < number), default=number)
            if self._key.number >= key:
                start_s = max(self._key.time_s, start_s - _NOTICED_WITHIN_S)
            self._sure.note(key, is_clean=True, start_s=start_s)
        self._sure.note(number, is_clean, start_s)

    def conceals(self, number: int, time_s: float) -> None:
        """A frame came out that the decoder, or the container, says is not what was coded."""
        if not self._is_join(number):
            self._sure.note(number, is_clean=False, start_s=time_s)

    def shows(self, shown: Shown) -> bool:
        """Whether the next frame in order of presentation rests on something lost."""
        self._settle(shown)
        self._before = shown
        self._key = shown if shown.is_key else self._key
        damaged = self._sure.tell(shown)
        return self._suspected.tell(shown) or damaged

    def finish(self, end_s: float) -> list[Span]:
        """Every damaged span; gaps count only in a stream of constant rate."""
        gaps = self._suspected.finish(end_s)
        return self._sure.finish(end_s) + (gaps if self._beat.is_constant else [])

    def _is_join(self, number: int) -> bool:
        """Whether another stream was joined soon behind this packet, which makes it look cut off."""
        return any(number < each <= number + _JOIN_PACKETS for each in self._beat.restarts)

    def _may_be_loss(self, arrival: Arrival) -> bool:
        """Whether a gap before this packet can be lost frames, and not some that an encoder left out."""
        if self._codec not in _TELL_OF_LOSS:
            return True
        if arrival.is_key:  # nothing rests on the few before it
            return self._time_s(arrival.stamp) - self._time_s(self._since) >= _WORTH_TELLING_S
        return self._numbers is not None and self._numbers.is_after_first

    def _settle(self, shown: Shown) -> None:
        """Packets whose moment passed between two frames gave none."""
        before, stamp = self._before, shown.stamp
        if stamp is None:
            return
        while self._awaited and self._awaited[0][0] <= stamp:
            at, arrival = self._awaited.pop(0)
            if before is None or before.stamp is None or arrival.number == shown.number:
                continue
            near = 0.75 * (arrival.ticks or self._beat.step or 1)
            if before.stamp + near <= at <= stamp - near:
                self._sure.note(arrival.number, is_clean=False, start_s=self._time_s(at))

    def _time_s(self, stamp: int | None) -> float:
        """By the last frame shown, so that a clock that starts anew is followed; never before it ends."""
        before = self._before
        if before is None:
            return 0.0
        if stamp is None or before.stamp is None:
            return before.time_s
        return max(before.time_s, before.time_s + (stamp - before.stamp) * self._tick_s)


class _Beat:
    """The stamps around the packet to be decoded: whether they keep a beat, and where it is broken."""

    def __init__(self, says_lengths: bool) -> None:
        self._says_lengths = says_lengths
        self.step = 0.0
        """Ticks between frames, as most have it; 0 while nobody knows."""
        self.depth = 0
        """By how many ticks a packet's stamp was ever behind one that came before it."""
        self.restarts: set[int] = set()
        """Packets at which the clock starts anew, as where two streams were joined."""
        self._stamps: list[int] = []
        self._ticks: dict[int, int] = {}
        self._steps = self._exceptions = 0

    @property
    def is_constant(self) -> bool:
        """Whether nearly all frames so far are one step apart."""
        return self._steps >= _FEWEST_STEPS and self._exceptions <= max(2, _EXCEPTIONS_SHARE * self._steps)

    def hear(self, arrival: Arrival) -> None:
        if arrival.stamp is None:
            return
        self.step = self.step or self._usual_step()
        if self._stamps and self.step:
            behind = self._stamps[-1] - arrival.stamp
            if behind > _DEEPEST * self.step or (arrival.is_key and -behind > _DEEPEST * self.step):
                self.restarts.add(arrival.number)
            if behind > _DEEPEST * self.step:
                self._stamps.clear()
            self.depth = max(self.depth, behind) if behind <= _DEEPEST * self.step else self.depth
        insort(self._stamps, arrival.stamp)
        self._ticks[arrival.stamp] = arrival.ticks
        if len(self._stamps) > _REMEMBERED_STAMPS:
            self._ticks.pop(self._stamps.pop(0), None)

    def gap_before(self, arrival: Arrival) -> int | None:
        """Where the stretch begins that no frame fills and this one ends; None where there is none."""
        at = bisect_left(self._stamps, arrival.stamp) if arrival.stamp is not None else 0
        if not self.step or at == 0 or arrival.stamp is None:
            return None
        before = self._stamps[at - 1]
        self._steps += 1
        if self._is_near(arrival.stamp - before, 1):
            return None
        self._exceptions += 1
        missed = round((arrival.stamp - before) / self.step)
        is_whole = missed >= 2 and self._is_near(arrival.stamp - before, missed)
        is_told = self._says_lengths or self._is_near(self._ticks.get(before, 0), missed)
        if is_told or not is_whole or not self._keeps_time():
            return None
        return before + round(self.step)

    def _usual_step(self) -> float:
        if len(self._stamps) <= _FEWEST_STEPS:
            return 0.0
        steps = np.diff(self._stamps)
        usual = np.abs(steps - np.median(steps)) <= 1.5
        return float(steps[usual].mean()) if usual.any() else 0.0

    def _is_near(self, ticks: int, steps: int) -> bool:
        return abs(ticks - steps * self.step) <= max(1.5, 0.05 * self.step)

    def _keeps_time(self) -> bool:
        """Whether those ahead do, too: at the beginning there are too few behind."""
        near = np.abs(np.diff(self._stamps) - self.step) <= max(1.5, 0.05 * self.step)
        return bool(near.mean() >= 1 - 2 * _EXCEPTIONS_SHARE)


def merged(spans: Sequence[Span], end_s: float) -> tuple[Span, ...]:
    """In order, those that touch as one, none from the end on."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: each.start_s):
        if found and span.start_s <= found[-1].end_s:
            found[-1] = Span(start_s=found[-1].start_s, end_s=max(found[-1].end_s, span.end_s))
        elif span.start_s < end_s:
            found.append(span)
    return tuple(found)
