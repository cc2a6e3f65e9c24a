"""A video file -> its frames in order of time, and what was wrong with it: the one reader of av."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple, Self

import av
from av.codec.context import ThreadType
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelproof.schemas.footage import QuarantineKind, Span
from reelproof.schemas.span import SpanCut, Survey
from reelproof.stages.footage.clock import Clock
from reelproof.stages.footage.damage import Arrival, LossWatch, Shown, merged
from reelproof.stages.footage.lengths import ZERO_BASED_FORMATS, declared_duration_s, format_names
from reelproof.stages.footage.live import Stream
from reelproof.stages.footage.opening import (
    Look,
    UnusableVideoError,
    codec_name,
    decoder_of,
    open_container,
    pick_stream,
)
from reelproof.stages.footage.packets import (
    Faults,
    LookAhead,
    Read,
    can_skip,
    read_packets,
    tell_of_lost_frames,
)
from reelproof.stages.footage.pictures import is_as_decord_shows, turn_of
from reelproof.stages.footage.references import CODECS_OF_NAL_UNITS, head_of, references
from reelproof.stages.footage.spans import CODECS_TO_SPLIT, Borders, SpanReads, Surveyor

_INDEXED_FORMATS = {"mp4", "matroska", "avi"}  # in transport streams decord seeks to wrong frames
_MAX_LOST_START_S = 10.0
_EARLIER_S = 2.0  # transport streams are sought by when frames are decoded


class LocalVideo(NamedTuple):
    """A source file on this machine's disk."""

    path: str
    video_id: str
    """sha256 of the file's bytes, hex."""
    name: str
    size_bytes: int
    license: str = "unknown"


class TimedFrame(NamedTuple):
    """A decoded frame, not yet rotated, and its time in seconds from the first frame."""

    time_s: float
    frame: VideoFrame
    is_damaged: bool
    """The decoder concealed errors in it."""
    stamp: int | None = None
    """The time in ticks of the stream, as the file has it."""
    begins_span: bool = False
    """It is the first of a span, other than the film's first; see `spans`."""


class Reel:
    """An open video file. Use in a `with`; raises UnusableVideoError where there is nothing to decode.

    After `frames` has ended, `end_s`, `damaged` and `faults` say how it went.
    """

    def __init__(self, path: str, threads: int = 1, live: Stream | None = None) -> None:
        self._live = live
        self._level_before = av.logging.get_level()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # a complaint said again is another loss
        self._faults = Faults(threads)
        self._container = open_container(path, live)
        try:
            self._stream = pick_stream(self._container)
        except UnusableVideoError:
            self._container.close()
            raise
        self.codec: str = codec_name(self._stream)
        self._decoder = decoder_of(self._stream, self.codec)
        self._decoder.copy_opaque = True  # so that a frame says which packet it is from
        self._decoder.thread_count = threads
        self._decoder.thread_type = ThreadType.AUTO if threads > 1 else ThreadType.NONE
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self._tick_s = float(self._stream.time_base or 0)
        aspect = float(self._stream.sample_aspect_ratio or 1)
        self.pixel_aspect = aspect if 0.2 <= aspect <= 5 else 1.0
        """Width of a pixel by its height."""
        self.declared_s = declared_duration_s(self._container, self._stream)
        is_avi = "avi" in format_names(self._container)
        self._is_stamped_in_order = is_avi and self.codec in CODECS_OF_NAL_UNITS
        self._unused_stamps: list[int] = []
        self.end_s = 0.0
        """Last frame's time plus its duration."""
        self.packet_count = 0
        """Packets that the file gave to the decoder."""
        self.damaged: tuple[Span, ...] = ()
        """From each loss to the next clean key frame."""
        self.is_sound = False
        """After `frames_of`: nothing was lost, or is there that the survey did not see."""
        self._leading_before: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        av.logging.set_level(self._level_before)

    @property
    def faults(self) -> list[str]:
        """What libav complained about, each kind of complaint once, in order."""
        return self._faults.told

    def frames(self, exact: bool) -> Iterator[TimedFrame]:
        """Every frame once, in order of presentation; times strictly rising, in whole milliseconds.

        Times start at 0 with the first frame, or, where the first frames are lost, with the first packet.
        With `exact` false, frames that no other frame refers to are left out where that keeps every gap
        within three frames (H.264 and HEVC with B-frames, AV1): half the decoding, and a cut is still placed
        within two frames.
        """
        yield from (timed for timed in self.arrivals(exact) if timed is not None)

    def arrivals(self, exact: bool) -> Iterator[TimedFrame | None]:
        """What `frames` gives, and None for each packet of which no frame came (yet): a sign of life."""
        watch = self._watch()
        ahead = LookAhead(self._reads(), watch, is_live=self._live is not None)
        clock = self._begin([read.arrival for read in ahead.head])
        yield from self._shown(ahead, watch, clock, self._may_leave_out(ahead, exact))

    def survey(self, exact: bool) -> Survey | None:
        """How the film can be scanned in spans; None where it has to be scanned in one. Uses the reel up."""
        watch, surveyor = self._watch(), Surveyor(self._tick_s)
        ahead = LookAhead(self._reads(), watch)
        leaves_out = self._may_leave_out(ahead, exact)
        if self._is_stamped_in_order or self.codec not in CODECS_TO_SPLIT:
            return None
        for packet, arrival, after_trouble in ahead:
            surveyor.hear(arrival)
            watch.weighs(arrival, self._head_of(packet))
            if after_trouble or watch.has_noted or not surveyor.is_regular:
                return None
        return surveyor.survey(leaves_out) if not self.faults else None

    def frames_of(self, survey: Survey, cut: SpanCut) -> Iterator[TimedFrame]:
        """The frames of one span as `frames` gives them, and the first few of the next.

        Afterwards `is_sound` says whether they are just those.
        """
        if cut.number:
            self._leading_before = cut.stamp
            earlier = max(survey.spans[0].stamp, cut.stamp - round(_EARLIER_S / self._tick_s))
            self._faults.heard("seeking", lambda: self._container.seek(earlier, stream=self._stream), None)
        reads, watch = SpanReads(self._reads(), cut), self._watch()
        clock = self._begin_at(survey.spans[0].stamp)
        for timed in self._shown(LookAhead(iter(reads), watch), watch, clock, survey.leaves_out):
            if timed is not None:
                yield timed._replace(begins_span=cut.number > 0 and timed.stamp == cut.stamp)
        self.is_sound = reads.is_whole and not (self.damaged or self.faults)

    def _reads(self) -> Iterator[Read]:
        return read_packets(self._container, self._stream, self._faults, self._live)

    def _head_of(self, packet: "Packet[VideoStream]") -> bytes:
        return head_of(packet) if self.codec in CODECS_OF_NAL_UNITS else b""

    def _may_leave_out(self, ahead: LookAhead, exact: bool) -> bool:
        is_told = not (exact or self._is_stamped_in_order)
        is_referred_to = references(self.codec, self._decoder) if is_told else None
        return is_referred_to is not None and can_skip(ahead.head, is_referred_to)

    def _shown(
        self, ahead: LookAhead, watch: LossWatch, clock: Clock, leaves_out: bool
    ) -> Iterator[TimedFrame | None]:
        if leaves_out:
            self._decoder.skip_frame = "NONREF"
        borders = Borders(self._tick_s)
        for number, frame in self._decode(ahead, watch, clock, leaves_out, borders):
            if frame is None:
                yield None
                continue
            stamp = self._stamp(frame)
            if self._is_leading(stamp):
                continue
            time_s = clock.tell(stamp, frame.duration)
            if frame.is_corrupt:
                watch.conceals(number, time_s)
            told = None if self._is_stamped_in_order else stamp
            is_damaged = watch.shows(Shown(number, told, time_s, bool(frame.key_frame)))
            yield TimedFrame(time_s, frame, is_damaged, told, borders.begins(told))
        self.end_s = clock.end_s
        self.damaged = merged(watch.finish(self.end_s), self.end_s)

    def _is_leading(self, stamp: int | None) -> bool:
        """Whether it comes before the span, and refers to frames that are not decoded here."""
        return self._leading_before is not None and stamp is not None and stamp < self._leading_before

    def _stamp(self, frame: VideoFrame) -> int | None:
        """When the frame is shown. AVI stamps in the order of decoding: the earliest is the next shown."""
        if self._unused_stamps:
            return heappop(self._unused_stamps)
        return frame.pts if frame.pts is not None else frame.dts

    def look(self) -> Look:
        """What the first frame tells; uses the reel up. Raises UnusableVideoError where there is none."""
        watch = self._watch()
        ahead = LookAhead(self._reads(), watch)
        head = [read.arrival for read in ahead.head]
        clock = self._begin(head)
        decoded = self._decode(ahead.without_more(), watch, clock, leaves_out=False, borders=Borders(0))
        first = next((frame for _, frame in decoded if frame is not None), None)
        if first is None:
            raise UnusableVideoError(QuarantineKind.UNREADABLE, f"no frame could be decoded: {self.faults}")
        stamps_known = all(each.stamp is not None and each.is_shown for each in head)
        is_indexed = bool(_INDEXED_FORMATS & format_names(self._container))
        is_whole = stamps_known and head[0].is_key and not self.faults
        is_plain = is_indexed and is_whole and is_as_decord_shows(first)
        is_upright = turn_of(first).rotation_deg % 180 == 0
        upright_aspect = self.pixel_aspect if is_upright else 1 / self.pixel_aspect
        can_seek = is_indexed and is_whole and not self._is_stamped_in_order
        first_stamp = first.pts if can_seek else None
        return Look(self.pixel_aspect, upright_aspect, first_stamp, is_plain)

    def _watch(self) -> LossWatch:
        says_lengths = "mp4" in format_names(self._container)
        lag = self._decoder.thread_count - 1
        return LossWatch(self.codec, self._decoder.extradata, self._tick_s, says_lengths, lag)

    def _begin(self, head: Sequence[Arrival]) -> Clock:
        """A clock that starts with the first frame; where that will not decode, where the film began."""
        stamps = [each.stamp for each in head if each.stamp is not None and each.is_shown]
        start_s = min(stamps, default=0) * self._tick_s
        begins_whole = not head or head[0].is_key
        formats = format_names(self._container)
        if not begins_whole and formats & ZERO_BASED_FORMATS and 0 <= start_s <= _MAX_LOST_START_S:
            start_s = 0.0
        if "matroska" in formats:  # it declares the end, not the length
            self.declared_s = max(self.declared_s - start_s, 0.0)
        clock = Clock(self.fps, self.declared_s, self._tick_s)
        if not begins_whole:
            clock.begin(start_s)
        return clock

    def _begin_at(self, stamp: int) -> Clock:
        """The clock that the whole film has, whose first frame is shown then."""
        head = Arrival(0, stamp, 0, is_key=True, is_corrupt=False, is_shown=True, size_bytes=0)
        clock = self._begin([head])
        clock.begin(stamp * self._tick_s)
        return clock

    def _decode(
        self, ahead: Iterable[Read], watch: LossWatch, clock: Clock, leaves_out: bool, borders: Borders
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        """Frames, and the numbers of the packets that they came in; None for a packet that gave none."""
        is_referred_to = references(self.codec, self._decoder) if leaves_out else None
        last: Arrival | None = None
        for packet, arrival, after_trouble in ahead:
            self.packet_count += 1
            borders.hear(arrival)
            if arrival.stamp is not None and arrival.is_shown:
                clock.expect(arrival.stamp, arrival.ticks)
            head = self._head_of(packet)
            if self._is_stamped_in_order and arrival.stamp is not None:
                heappush(self._unused_stamps, arrival.stamp)
            if is_referred_to and not is_referred_to(packet):
                arrival = arrival._replace(is_shown=False)
            watch.decodes(arrival, head, is_awaited=not self._is_leading(arrival.stamp))
            if after_trouble:
                watch.is_troubled(arrival)
            packet.opaque = arrival.number
            yield from self._given(packet, arrival, watch)
            last = arrival
        if last is not None:
            yield from self._given(None, last, watch)

    def _given(
        self, packet: "Packet[VideoStream] | None", arrival: Arrival, watch: LossWatch
    ) -> Iterator[tuple[int, VideoFrame | None]]:
        none: list[VideoFrame] = []
        frames, said = self._faults.heard("decoding", lambda: self._decoder.decode(packet), none)
        if self._is_leading(arrival.stamp):
            self._faults.forget()
        elif said:
            watch.complains(arrival, of_lost_frames=tell_of_lost_frames(said))
        for frame in frames:
            yield frame.opaque if isinstance(frame.opaque, int) else arrival.number, frame
        if not frames:
            yield arrival.number, None
