"""AV1's temporal units -> whether other frames refer to the frame that a unit shows.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 to 5.9. Read up to `refresh_frame_flags`:
none refers to a frame that refreshes none of the eight slots.
"""

from collections.abc import Iterator
from typing import NamedTuple

from reelproof.stages.footage.bitstream import Bits

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3
_SELECT = 2
"""Each frame says it for itself."""
_HEADER_BYTES = 128


class TemporalUnits:
    """Told unit by unit, in the order of decoding; remembers what the sequence's header said."""

    def __init__(self, extradata: bytes | None) -> None:
        self._sequence: _Sequence | None = None
        """None while frames' headers cannot be read."""
        box = extradata or b""
        self.is_referred_to(box[4:] if box[:1] == b"\x81" else box)  # an `av1C` box has four bytes before it

    def is_referred_to(self, unit: bytes) -> bool:
        """Whether others refer to the frame that it shows. Unsure means yes."""
        try:
            shown = [told for told in map(self._shown, _obus(unit)) if told is not None]
        except IndexError:
            return True
        return shown != [False]

    def _shown(self, obu: "_Obu") -> bool | None:
        """Of a frame that is shown, whether others refer to it; None for all else."""
        if obu.kind == _SEQUENCE:
            self._sequence = _read_sequence(Bits(obu.payload))
        if obu.kind not in (_FRAME_HEADER, _FRAME):
            return None
        if self._sequence is None or obu.is_of_layer:
            return True
        return _read_frame(Bits(obu.payload), self._sequence)


class _Obu(NamedTuple):
    kind: int
    is_of_layer: bool
    payload: bytes
    """Its beginning."""


class _Sequence(NamedTuple):
    screen_tools: int
    integer_motion: int
    frame_id_bits: int
    order_hint_bits: int


def _obus(unit: bytes) -> Iterator[_Obu]:
    at = 0
    while at < len(unit):
        head, at = unit[at], at + 1
        is_of_layer, has_size = bool(head & 4), bool(head & 2)
        at += is_of_layer
        size, at = _leb128(unit, at) if has_size else (len(unit) - at, at)
        yield _Obu(head >> 3 & 15, is_of_layer, unit[at : at + min(size, _HEADER_BYTES)])
        at += size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number in bytes of seven bits, the lowest first, and where it ends. Raises IndexError."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if not byte & 128:
            return value, at + place + 1
    raise IndexError("no such number")


def _read_sequence(bits: Bits) -> _Sequence | None:
    """None where its frames' headers have the decoder's model, or the short form of stills."""
    bits.take(4)  # profile, still picture
    if bits.take(1):
        return None
    if bits.take(1):
        bits.take(64)  # units in a tick, time scale
        if bits.take(1):
            bits.golomb()
        if bits.take(1):
            return None
    delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)  # which layers the operating point has
        if bits.take(5) > 7:
            bits.take(1)
        if delays and bits.take(1):
            bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    bits.take(width_bits + height_bits)
    frame_id_bits = bits.take(4) + bits.take(3) + 3 if bits.take(1) else 0
    bits.take(3 + 4)  # superblocks, intra filters; compound modes, warped motion, dual filter
    has_order = bits.take(1)
    if has_order:
        bits.take(2)
    screen_tools = _SELECT if bits.take(1) else bits.take(1)
    integer_motion = _SELECT if not screen_tools or bits.take(1) else bits.take(1)
    order_hint_bits = bits.take(3) + 1 if has_order else 0
    return _Sequence(screen_tools, integer_motion, frame_id_bits, order_hint_bits)


def _read_frame(bits: Bits, sequence: _Sequence) -> bool | None:
    """Whether others refer to a frame that is shown; None where it is not shown."""
    if bits.take(1):
        return True  # one that was decoded before
    kind, is_shown = bits.take(2), bits.take(1)
    if not is_shown:
        return None
    if kind in (_KEY, _SWITCH):
        return True
    is_resilient = bits.take(1)
    bits.take(1)  # whether probabilities are kept
    screen_tools = bits.take(1) if sequence.screen_tools == _SELECT else sequence.screen_tools
    if screen_tools and sequence.integer_motion == _SELECT:
        bits.take(1)
    bits.take(sequence.frame_id_bits + 1 + sequence.order_hint_bits)  # with: another size than the sequence's
    if not (kind == _INTRA_ONLY or is_resilient):
        bits.take(3)
    return bits.take(8) != 0
