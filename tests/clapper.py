"""Films that clap, with a white corner for one frame and a click in the sound; and how far apart both are."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.pictures import RgbConverter
from tests.films import Shot, frames

_TICKS = 30_000
_CLICK = 96
"""Samples."""


def make_clapper(
    path: Path,
    shots: Sequence[Shot],
    every_s: float = 1.0,
    fps: float = 25,
    size: tuple[int, int] = (160, 96),
    rate: int = 48_000,
    layout: str = "stereo",
    codec: str = "libx264",
    sound: str = "aac",
    times_s: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    rotation_deg: int = 0,
) -> Path:
    """Write a film that claps every so many seconds, from half of that on; its suffix is its container."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options or {})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, _TICKS)
        if rotation_deg:
            video.set_display_rotation(-rotation_deg)
        audio: Any = out.add_stream(sound, rate=rate, layout=layout)
        packets, last_s, clapped = [], -1.0, 0
        claps = []
        for number, image in enumerate(frames(shots, fps, *size)):
            if times_s is not None and number >= len(times_s):
                break
            time_s = times_s[number] if times_s is not None else number / fps
            if time_s >= (clapped + 0.5) * every_s:
                image = image.copy()
                image[: size[1] // 4, : size[0] // 4] = 255
                clapped += 1
                claps.append(time_s)
            elif image[: size[1] // 4, : size[0] // 4].mean() > 200:
                image = image // 2
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time_s * _TICKS), Fraction(1, _TICKS)
            packets += video.encode(frame)
            last_s = time_s
        packets += video.encode()
        heard = np.zeros((1 if layout == "mono" else 2, round((last_s + 1 / fps) * rate)), np.float32)
        for clap_s in claps:
            at = round(clap_s * rate)
            heard[:, at : at + _CLICK] = 0.9 * np.sin(np.arange(_CLICK) * 0.8)[: heard.shape[1] - at]
        for start in range(0, heard.shape[1], 1024):
            part = np.ascontiguousarray(heard[:, start : start + 1024])
            block = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
            packets += audio.encode(block)
        packets += audio.encode()
        for packet in sorted(packets, key=lambda each: float(each.dts * each.time_base)):
            out.mux(packet)
    return path


def flashes(path: Path) -> list[float]:
    """When the corner is white, in seconds from the first frame."""
    found = []
    with Reel(str(path)) as reel:
        converter = RgbConverter(pixel_aspect=reel.pixel_aspect)
        for timed in reel.frames(exact=True):
            image = converter.convert(timed.frame)
            corner = image[: max(1, image.shape[0] // 6), : max(1, image.shape[1] // 6)]
            if corner.mean() > 225:
                found.append(timed.time_s)
    return found


def clicks(path: Path) -> list[float]:
    """When the sound clicks, in seconds from the first frame of the pictures."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        first = next(each for each in container.demux(video) if each.pts is not None)
        base_s = float((video.start_time or first.pts) * video.time_base)
    found: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(np.float32)).max(axis=0) > 0.3)
            for place in loud:
                time_s = float(frame.pts * frame.time_base) + int(place) / frame.sample_rate - base_s
                if not found or time_s - found[-1] > 0.1:
                    found.append(time_s)
    return found


def apart_s(path: Path) -> list[float]:
    """How long after its flash each click is heard; 9 s for a flash without a click nearer than 0.2 s."""
    heard = np.asarray(clicks(path) or [1e9])
    offsets = [float((heard - time_s)[np.argmin(np.abs(heard - time_s))]) for time_s in flashes(path)]
    return [offset if abs(offset) < 0.2 else 9.0 for offset in offsets]
