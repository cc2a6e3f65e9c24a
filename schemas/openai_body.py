"""The JSON of a request, with places where frames go -> its bytes, a piece at a time.

A request with 16 frames is half a megabyte of base64. Written out by `json.dumps`, and held until its answer
is there, it would cost more than all else that a client does. So frames are encoded as a request is sent, and
not again where they were sent of late.
"""

import base64
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

_MARK = secrets.token_hex(16)
"""Of this process's own: no text that is sent can hold it by chance."""
_PLACE = re.compile(f"{_MARK}([^;]{{1,80}});".encode())
_KEPT_BYTES = 32 << 20
_PIECE_BYTES = 256 << 10


def place_of(sha256: str) -> str:
    """What stands in a body's text for a frame's base64."""
    return f"{_MARK}{sha256};"


@dataclass(frozen=True)
class Body:
    """A request's JSON; each `place_of` a frame in it stands for the frame's base64."""

    text: bytes
    frames: Mapping[str, bytes]
    """sha256 -> JPEG bytes."""

    @classmethod
    def of(cls, fields: Mapping[str, Any], frames: Mapping[str, bytes]) -> Self:
        """The fields as JSON. Raises KeyError for a frame that is not in `frames`."""
        text = json.dumps(fields, separators=(",", ":")).encode()
        return cls(text, {name: frames[name] for name in map(bytes.decode, _PLACE.findall(text))})

    @property
    def fields(self) -> dict[str, Any]:
        """What the JSON holds, frames as their places."""
        return dict(json.loads(self.text))

    @property
    def size_bytes(self) -> int:
        """As it is sent."""
        places = list(_PLACE.finditer(self.text))
        frames = sum((len(self.frames[each[1].decode()]) + 2) // 3 * 4 for each in places)
        return len(self.text) - sum(len(each[0]) for each in places) + frames

    @property
    def headers(self) -> dict[str, str]:
        """What goes before it, so that it need not be sent in chunks."""
        return {"Content-Type": "application/json", "Content-Length": str(self.size_bytes)}

    def __bytes__(self) -> bytes:
        """All of it."""
        return b"".join(self._parts())

    async def pieces(self) -> AsyncIterator[bytes]:
        """The same, some frames at a time."""
        held: list[bytes] = []
        for part in self._parts():
            held.append(part)
            if sum(map(len, held)) >= _PIECE_BYTES:
                yield b"".join(held)
                held = []
        yield b"".join(held)

    def _parts(self) -> Iterator[bytes]:
        at = 0
        for place in _PLACE.finditer(self.text):
            yield self.text[at : place.start()]
            yield _ENCODED.get(self.frames[place[1].decode()])
            at = place.end()
        yield self.text[at:]


class _Encoded:
    """The base64 of frames that were sent of late, so many bytes of it."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._held: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, jpeg: bytes) -> bytes:
        """A frame's base64."""
        with self._lock:
            if found := self._held.get(jpeg):
                self._held.move_to_end(jpeg)
                return found
        made = base64.b64encode(jpeg)
        with self._lock:
            if jpeg not in self._held:
                self._held[jpeg] = made
                self._left -= len(jpeg) + len(made)
            while self._left < 0 and len(self._held) > 1:
                gone, text = self._held.popitem(last=False)
                self._left += len(gone) + len(text)
        return made


_ENCODED = _Encoded(_KEPT_BYTES)
