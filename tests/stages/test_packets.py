"""How much of a stream is read before its packets go to the decoder."""

from collections.abc import Iterator
from fractions import Fraction

import av
import pytest

from reelproof.stages.footage.damage import Arrival, LossWatch
from reelproof.stages.footage.packets import LookAhead, Read

_SHOWN = (0, 3, 1, 2)
"""Of four packets in the order of decoding, where each is shown first."""


class Sent:
    """A stream's packets, and how many of them were read."""

    def __init__(self, fps: float, reorders: bool = False, has_times: bool = True) -> None:
        self.fps, self.reorders, self.has_times = fps, reorders, has_times
        self.read = 0

    def __iter__(self) -> Iterator[Read]:
        while self.read < 400:
            number, self.read = self.read, self.read + 1
            packet = av.Packet(b"x")
            packet.time_base = Fraction(1, 1000)
            step = round(1000 / self.fps)
            shown = (
                (number - 1) // 3 * 3 + _SHOWN[(number - 1) % 3 + 1] if self.reorders and number else number
            )
            if self.has_times:
                packet.pts, packet.dts, packet.duration = shown * step, (number - self.reorders) * step, step
            yield Read(packet, Arrival(number, packet.pts, step, number == 0, False, True, 1), False)


def ahead_of(sent: Sent, is_live: bool) -> LookAhead:
    return LookAhead(iter(sent), LossWatch("h264", None, 0.001, says_lengths=False), is_live)


@pytest.mark.parametrize(
    ("fps", "first", "later"), [(25, 50, 9), (10, 20, 9), (4, 8, 4), (1, 2, 1), (0.1, 1, 1)]
)
def test_a_live_stream_is_read_ahead_by_seconds_and_no_camera_is_too_slow(fps, first, later):
    sent = Sent(fps)
    ahead = ahead_of(sent, is_live=True)
    assert (len(ahead.head), sent.read) == (first, first)
    given = iter(ahead)
    most = [sent.read - number for number, _ in enumerate(given) if number >= first and sent.read < 400]
    assert set(most) == {later}
    assert sent.read == 400


def test_a_live_packet_is_given_once_those_shown_before_it_are_known():
    sent = Sent(1, reorders=True)
    for read in ahead_of(sent, is_live=True):
        shown_before = read.packet.pts // 1000
        assert sent.read >= min(shown_before, 400)


def test_a_live_stream_without_times_is_read_ahead_by_a_few_packets():
    sent = Sent(1, has_times=False)
    assert len(ahead_of(sent, is_live=True).head) == 8


@pytest.mark.parametrize("fps", [25, 0.1])
def test_a_film_is_read_ahead_by_packets_whatever_its_rate(fps):
    sent = Sent(fps)
    assert len(ahead_of(sent, is_live=False).head) == 96
