"""Bytes of files and packets -> what they tell undecoded: files cut short, where units begin, bits."""

import struct
from collections.abc import Iterator
from pathlib import Path


def is_cut_off(path: str) -> bool:
    """Whether an ISO media file (MP4, MOV) ends inside one of its boxes, or before its index.

    Source: ISO/IEC 14496-12, 4.2: a box is a 32-bit size and a type; size 1 has 64 bits more, size 0 runs to
    the end.
    """
    end, offset, kinds = Path(path).stat().st_size, 0, []
    with Path(path).open("rb") as file:
        while offset + 8 <= end:
            file.seek(offset)
            header = file.read(16)
            size, kind = struct.unpack(">I4s", header[:8])
            if size == 1 and len(header) == 16:
                size = struct.unpack(">Q", header[8:])[0]
            kinds.append(kind)
            if kinds[0] != b"ftyp" or size < 8:
                break
            offset += size
    return bool(kinds) and kinds[0] == b"ftyp" and (offset > end or b"moov" not in kinds)


def nal_length_bytes(codec: str, extradata: bytes | None) -> int:
    """How many bytes hold a NAL unit's length; 0 where start codes separate them (Annex B)."""
    if not extradata or extradata[0] != 1:
        return 0
    where = 4 if codec == "h264" else 21
    return (extradata[where] & 3) + 1 if len(extradata) > where else 0


def nal_starts(packet: bytes, length_bytes: int) -> Iterator[int]:
    """Where NAL units begin, behind their lengths or start codes."""
    offset = 0
    while length_bytes and offset + length_bytes < len(packet):
        yield offset + length_bytes
        offset += length_bytes + int.from_bytes(packet[offset : offset + length_bytes], "big")
    while not length_bytes and (offset := packet.find(b"\0\0\1", offset) + 3) > 2 and offset < len(packet):
        yield offset


class Bits:
    """The bits of some bytes, one after the other. Raises IndexError past their end."""

    def __init__(self, payload: bytes) -> None:
        self._value, self._left = int.from_bytes(payload, "big"), 8 * len(payload)

    def take(self, count: int) -> int:
        """The next ones as a number, the highest first."""
        self._left -= count
        if self._left < 0:
            raise IndexError("the unit ends")
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An Exp-Golomb code, unsigned. Source: H.264, 9.1."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("no such code")
        return (1 << zeros) - 1 + self.take(zeros)
