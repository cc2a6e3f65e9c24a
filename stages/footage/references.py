"""Packets -> whether other frames refer to the ones that they show; where none does, they may be left out."""

from collections.abc import Callable

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from reelproof.stages.footage.bitstream import nal_length_bytes, nal_starts
from reelproof.stages.footage.temporal_units import TemporalUnits

CODECS_OF_NAL_UNITS = {"h264", "hevc"}
_HEAD_BYTES = 4096

IsReferredTo = Callable[["Packet[VideoStream]"], bool]
"""A packet, in the order of decoding -> whether others refer to its frame. Unsure means yes."""


def references(codec: str, decoder: VideoCodecContext) -> IsReferredTo | None:
    """What tells it of a stream; None where the decoder leaves nothing out."""
    if codec == "av1" and decoder.codec.name == "libdav1d":
        units = TemporalUnits(decoder.extradata)
        return lambda packet: units.is_referred_to(memoryview(packet).tobytes())
    if codec in CODECS_OF_NAL_UNITS:
        length_bytes = nal_length_bytes(codec, decoder.extradata)
        return lambda packet: _is_referred_to(codec, head_of(packet), length_bytes)
    return None


def head_of(packet: "Packet[VideoStream]") -> bytes:
    """Its first bytes, which tell what it is."""
    return memoryview(packet)[:_HEAD_BYTES].tobytes()


def _is_referred_to(codec: str, packet: bytes, length_bytes: int) -> bool:
    """Of NAL units.

    Source: H.264 7.4.1 (nal_ref_idc of slices is 0 for frames that none refers to); H.265 table 7-1 (even
    types below 16 are sub-layer non-reference pictures).
    """
    for start in nal_starts(packet, length_bytes):
        head = packet[start]
        if codec == "h264" and head & 0x1F in (1, 2, 5):
            return bool(head >> 5 & 3)
        if codec == "hevc" and (kind := head >> 1 & 0x3F) < 32:
            return kind >= 16 or kind % 2 == 1
    return True
