"""What is no file on this disk -> how FFmpeg opens it, and who else is handed what arrives."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from av.packet import Packet
from av.video.stream import VideoStream

ArrivingPacket: TypeAlias = "Packet[VideoStream]"
Tap = Callable[["Packet[VideoStream]"], None]

_SOON = {"fpsprobesize": "2"}
"""So many frames, not 20, tell the rate: slow cameras would be waited for."""


def _nobody(_: "Packet[VideoStream]") -> None:
    """Nobody else wants the packets."""


class Stream(NamedTuple):
    """A network stream, a device, or what comes through a pipe."""

    protocols: str
    """Those that FFmpeg may use, so that a playlist from elsewhere reads no file of this disk."""
    format: str | None = None
    """FFmpeg's name of the device or container, where opening it does not tell."""
    options: tuple[tuple[str, str], ...] = ()
    opening_s: float = 54.0
    """FFmpeg may take so long to find out what it is, from its first packets."""
    silent_s: float = 15.0
    """Nothing for so long counts as its end."""
    tap: Tap = _nobody
    """Is handed each packet as it arrives, before it is decoded."""

    def opened(self) -> dict[str, Any]:
        """The arguments of `av.open` for this source: options, format, and seconds until it gives up."""
        options = {"protocol_whitelist": self.protocols, **_SOON, **dict(self.options)}
        return {"options": options, "format": self.format, "timeout": (self.opening_s, self.silent_s)}
