"""The frames of a request -> how the OpenAI protocol carries them: as images, by reference, or as one video.

vLLM takes frames that were picked already as `data:video/jpeg`, their base64 joined by commas, and their
places in the film as `media_io_kwargs` of the request (vllm-project/vllm#40133).
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from reelproof.schemas.chat import ImagePart, Message, SoundPart, TextPart
from reelproof.schemas.openai_body import place_of

_TIME = re.compile(r"\[(\d+\.\d{1,3}) s\]")
_LINE = re.compile(r'\[\d+\.\d-\d+\.\d s\] "')
"""How a line of what is said begins."""
Url = Callable[[str, bytes], str]
"""(sha256, JPEG bytes) -> the address that a server finds the frame at."""


def data_uri(jpeg: bytes) -> str:
    """The frame itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def inside(sha256: str, _jpeg: bytes) -> str:
    """The frame itself, once a `Body` is sent."""
    return f"data:image/jpeg;base64,{place_of(sha256)}"


class Sending(NamedTuple):
    """How frames go to a server."""

    url: Url = inside
    as_video: bool = False
    """Where a request shows one run of frames with rising times, they are one video."""


AS_THEY_ARE = Sending()


class Carried(NamedTuple):
    """A request's messages as the protocol has them, and the fields that go with them."""

    messages: list[dict[str, Any]]
    fields: dict[str, Any]


def carried(messages: Sequence[Message], frames: Mapping[str, bytes], sending: Sending) -> Carried:
    """Raises KeyError for a frame that is not in `frames`."""
    clip = _clip_of(messages) if sending.as_video else None
    if clip is None or not clip.is_of_one_size(frames):
        return Carried(
            [_turn(message, _parts(message.content, frames, sending.url)) for message in messages], {}
        )
    turns = []
    for place, message in enumerate(messages):
        if place == clip.turn:
            before, after = message.content[: clip.first], message.content[clip.end :]
            parts = [*_parts(before, frames, sending.url), *clip.parts()]
            turns.append(_turn(message, [*parts, *_parts(after, frames, sending.url)]))
        else:
            turns.append(_turn(message, _parts(message.content, frames, sending.url)))
    return Carried(turns, {"media_io_kwargs": {"video": clip.place_in_film()}})


class _Clip(NamedTuple):
    """Part [first, end) of a turn's content: time and frame in turns, and what is said among them."""

    turn: int
    first: int
    end: int
    times: tuple[str, ...]
    """As the prompt spells them."""
    images: tuple[str, ...]
    lines: tuple[str, ...] = ()
    """They say themselves when they are said, and follow on the video."""

    def is_of_one_size(self, frames: Mapping[str, bytes]) -> bool:
        """As the pictures of a video have to be."""
        return len({_size_of(frames[sha256]) for sha256 in self.images}) == 1

    def parts(self) -> list[dict[str, Any]]:
        """The times as text, for models that are not told of a video's own, and the video."""
        joined = ",".join(map(place_of, self.images))
        video = {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{joined}"}}
        said = [{"type": "text", "text": line} for line in self.lines]
        return [{"type": "text", "text": " ".join(f"[{time} s]" for time in self.times)}, video, *said]

    def place_in_film(self) -> dict[str, Any]:
        """Which frames they are of a film with so many a second."""
        decimals = max(len(time.partition(".")[2]) for time in self.times)
        steps_a_second = 10**decimals  # so that each time is a whole number of steps
        indices = [round(float(time) * steps_a_second) for time in self.times]
        total = indices[-1] + 1
        return {
            "num_frames": -1,  # all of them
            "fps": steps_a_second,
            "frames_indices": indices,
            "total_num_frames": total,
            "duration": total / steps_a_second,
            "do_sample_frames": False,
        }


def _clip_of(messages: Sequence[Message]) -> _Clip | None:
    """All frames of the request, where they are one run in one turn, each after its time; else None."""
    shown = [
        (turn, place)
        for turn, message in enumerate(messages)
        for place, part in enumerate(message.content)
        if isinstance(part, ImagePart)
    ]
    if len(shown) < 2:
        return None
    turn, first = shown[0]
    if any(each != turn for each, _ in shown) or not first:
        return None
    places = {place for _, place in shown}
    end = max(places) + 1
    content = dict(enumerate(messages[turn].content[first - 1 : end], first - 1))
    words = {place: part.text for place, part in content.items() if isinstance(part, TextPart)}
    times = [_TIME.fullmatch(words.get(place - 1, "")) for place in sorted(places)]
    spelt = tuple(each[1] for each in times if each)
    images = tuple(part.sha256 for part in content.values() if isinstance(part, ImagePart))
    is_rising = all(float(before) < float(after) for before, after in pairwise(spelt))
    lines = tuple(text for place, text in words.items() if place + 1 not in places)
    if len(spelt) < len(images) or not is_rising or not all(map(_LINE.match, lines)):
        return None
    return _Clip(turn, first - 1, end, spelt, images, lines)


def _size_of(jpeg: bytes) -> bytes:
    """Height and width, as the file's frame header has them; empty where there is none."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 9 <= len(jpeg):
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return jpeg[at + 5 : at + 9]
        at += 2 + length
    return b""


def _turn(message: Message, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": message.role, "content": parts}


def _parts(
    content: Sequence[TextPart | ImagePart | SoundPart], frames: Mapping[str, bytes], url: Url
) -> list[dict[str, Any]]:
    return [_part(part, frames, url) for part in content]


def _part(part: TextPart | ImagePart | SoundPart, frames: Mapping[str, bytes], url: Url) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": url(part.sha256, frames[part.sha256])}}
        case SoundPart():
            data = base64.b64encode(frames[part.sha256]).decode()
            return {"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}}
