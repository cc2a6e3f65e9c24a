"""H.264 packets -> whether a frame that others refer to is missing before one, by its number."""

from typing import NamedTuple

from reelproof.stages.footage.bitstream import Bits, nal_length_bytes, nal_starts

_SLICE, _IDR, _SEQUENCE, _PICTURE = 1, 5, 7, 8
_WITH_CHROMA_FORMAT = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}
_HEADER_BYTES = 64
_PARAMETER_BYTES = 4096


class FrameNumbers:
    """Follows `frame_num` from packet to packet in the order of decoding. Source: H.264, 7.4.3, 8.2.5.2."""

    def __init__(self, extradata: bytes | None) -> None:
        self._length_bytes = nal_length_bytes("h264", extradata)
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, int] = {}
        """Picture parameter set -> its sequence parameter set."""
        self._before: int | None = None
        """Number of the last frame that others refer to."""
        self.is_after_first = False
        """The last packet's number is the one that follows a key frame's, be it there or not."""
        if extradata and extradata[0] == 1:
            for unit in _parameter_sets(extradata):
                self._learn(unit)
        elif extradata:
            self._learn_all(extradata)

    def breaks_at(self, packet: bytes) -> bool:
        """Whether a frame that others refer to is missing before this one. Unsure means no."""
        for start in nal_starts(packet, self._length_bytes):
            kind = packet[start] & 0x1F
            if kind in (_SEQUENCE, _PICTURE):
                self._learn(packet[start : start + _PARAMETER_BYTES])
            elif kind in (_SLICE, _IDR):
                return self._follow(packet[start : start + _HEADER_BYTES])
        return False

    def _follow(self, unit: bytes) -> bool:
        is_idr, is_reference = unit[0] & 0x1F == _IDR, bool(unit[0] >> 5 & 3)
        try:
            number, sequence = self._number(_bits_of(unit))
        except (IndexError, KeyError):
            self._before = None
            return False
        self.is_after_first = number == 1
        is_next = number == ((self._before or 0) + 1) % sequence.numbers
        is_other_field = sequence.has_fields and number == self._before
        breaks = not (is_idr or self._before is None or is_next or is_other_field)
        if is_reference:
            self._before = number
        return breaks and not sequence.gaps_allowed

    def _number(self, bits: Bits) -> "tuple[int, _Sequence]":
        bits.golomb()
        bits.golomb()
        sequence = self._sequences[self._pictures[bits.golomb()]]
        if sequence.separate_planes:
            bits.take(2)
        return bits.take(sequence.numbers.bit_length() - 1), sequence

    def _learn_all(self, data: bytes) -> None:
        for start in nal_starts(data, 0):
            self._learn(data[start : start + _PARAMETER_BYTES])

    def _learn(self, unit: bytes) -> None:
        bits = _bits_of(unit)
        try:
            if unit[0] & 0x1F == _SEQUENCE:
                number, sequence = _read_sequence(bits)
                self._sequences[number] = sequence
            elif unit[0] & 0x1F == _PICTURE:
                number = bits.golomb()
                self._pictures[number] = bits.golomb()
        except IndexError:
            return


class _Sequence(NamedTuple):
    numbers: int
    """Frame numbers go from 0 to this, without it."""
    separate_planes: bool
    gaps_allowed: bool
    has_fields: bool


def _read_sequence(bits: Bits) -> tuple[int, _Sequence]:
    """A sequence parameter set's id and what counts here. Source: H.264, 7.3.2.1.1."""
    profile, _, number = bits.take(8), bits.take(16), bits.golomb()
    separate_planes = False
    if profile in _WITH_CHROMA_FORMAT:
        chroma_format = bits.golomb()
        separate_planes = chroma_format == 3 and bits.take(1) == 1
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for index in range(8 if chroma_format != 3 else 12):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    numbers = 1 << bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    gaps_allowed = bits.take(1) == 1
    bits.golomb()
    bits.golomb()
    return number, _Sequence(numbers, separate_planes, gaps_allowed, has_fields=bits.take(1) == 0)


def _skip_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    if not bits.take(1):
        return
    for _ in range(size):
        if following:
            code = bits.golomb()
            delta = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


def _parameter_sets(extradata: bytes) -> list[bytes]:
    """The NAL units of an `avcC` box: counted sets behind lengths of two bytes, sequences before pictures."""
    units, at = [], 5
    for mask in (0x1F, 0xFF):
        if at >= len(extradata):
            break
        count, at = extradata[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            units.append(extradata[at + 2 : at + 2 + size])
            at += 2 + size
    return [unit for unit in units if unit]


def _bits_of(unit: bytes) -> Bits:
    """Those of a NAL unit behind its first byte, without what keeps start codes out of them."""
    return Bits(unit[1:].replace(b"\0\0\3", b"\0\0"))
