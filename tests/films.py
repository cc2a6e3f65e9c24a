"""Shots -> small synthetic films, written with PyAV: known scenes, any codec, and ways to break them."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

ROOT = Path(__file__).parents[1]
PLACES = (ROOT / "shared/videos", ROOT / "build/footage")
FOOTAGE = Path(
    os.environ.get("REELPROOF_FOOTAGE") or next((place for place in PLACES if place.is_dir()), PLACES[-1])
)
"""Real footage: at least the four films that `make test` fetches; tests on others skip without them."""


class Shot(NamedTuple):
    """A stretch of film with a picture of its own, which follows from `look`; a disc moves across it."""

    look: int
    seconds: float
    motion_px: float = 1.0
    """Of the disc, per frame."""
    fade: str = "cut"
    """How it begins: cut, dissolve or black."""
    fade_s: float = 1.0
    start_px: float = 0.0
    """Where its disc starts, to take up a shot that was left."""


def picture(look: int, width: int, height: int, shift_px: float = 0.0) -> np.ndarray:
    """A textured picture of its own colours, the same for the same `look`. (H, W, 3) uint8"""
    scene = _scene(look, width, height)
    image = scene.backdrop.copy()
    at_x = (scene.disc_x + shift_px) % width / height
    image[(scene.x - at_x) ** 2 + (scene.y - scene.disc_y) ** 2 < 0.02] = scene.disc
    return image


class _Scene(NamedTuple):
    backdrop: np.ndarray
    x: np.ndarray
    y: np.ndarray
    disc_x: float
    disc_y: float
    disc: np.ndarray


@cache
def _scene(look: int, width: int, height: int) -> _Scene:
    random = np.random.default_rng(look)
    base, tint = random.uniform(60, 190), random.uniform(-50, 50, 3)
    y, x = np.mgrid[0:height, 0:width] / height
    luma = np.zeros((height, width))
    for _ in range(6):
        direction, phase = random.uniform(-18, 18, 2), random.uniform(0, 6.3)
        luma += np.sin(direction[0] * x + direction[1] * y + phase)
    backdrop = np.clip(base + 22 * luma[..., None] + tint, 0, 255).astype(np.uint8)
    disc_x, disc_y = random.uniform(0, width), random.uniform(0.2, 0.8)
    return _Scene(backdrop, x, y, disc_x, disc_y, random.uniform(0, 255, 3).astype(np.uint8))


def frames(shots: Sequence[Shot], fps: float, width: int, height: int) -> Iterator[np.ndarray]:
    """The film's pictures. A dissolve or fade takes the first `fade_s` of its shot."""
    before: np.ndarray | None = None
    for shot in shots:
        count, mixed = round(shot.seconds * fps), round(shot.fade_s * fps)
        for i in range(count):
            now = picture(shot.look, width, height, shot.start_px + i * shot.motion_px)
            share = (i + 1) / (mixed + 1)
            if before is not None and shot.fade == "dissolve" and i < mixed:
                now = (before * (1 - share) + now * share).astype(np.uint8)
            elif before is not None and shot.fade == "black" and i < mixed:
                source, light = (before, 1 - 2 * share) if share < 0.5 else (now, 2 * share - 1)
                now = (source * light).astype(np.uint8)
            yield now
        before = now


def make_film(
    path: Path,
    shots: Sequence[Shot | tuple[int, float]] = ((1, 2.0), (2, 2.0)),
    fps: float = 25,
    size: tuple[int, int] = (160, 96),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    times_s: Sequence[float] | None = None,
    rotation_deg: int = 0,
    with_audio: bool = False,
) -> Path:
    """Write a film and return its path.

    Args:
        path: The suffix chooses the container.
        shots: Shots, or (look, seconds) pairs.
        fps: Frames a second.
        size: Width and height in pixels.
        codec: An FFmpeg encoder.
        pix_fmt: An FFmpeg pixel format.
        options: The encoder's options.
        container_options: The container's, movflags for one.
        times_s: Presentation times, one a frame, for a variable frame rate.
        rotation_deg: Clockwise rotation to declare (90, 180, 270).
        with_audio: Add a silent track.
    """
    made = _film(
        path.suffix, tuple(Shot(*shot) for shot in shots), fps, size, codec, pix_fmt,
        tuple((options or {}).items()), tuple((container_options or {}).items()),
        None if times_s is None else tuple(times_s), rotation_deg, with_audio,
    )  # fmt: skip
    path.write_bytes(made)
    return path


@lru_cache(maxsize=256)
def _film(
    suffix: str,
    shots: tuple[Shot, ...],
    fps: float,
    size: tuple[int, int],
    codec: str,
    pix_fmt: str,
    options: tuple[tuple[str, str], ...],
    container_options: tuple[tuple[str, str], ...],
    times_s: tuple[float, ...] | None,
    rotation_deg: int,
    with_audio: bool,
) -> bytes:
    """The file's bytes. A test process asks for one film in many places, and coding it takes longer than most
    of what is done to it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{suffix}"
        with av.open(str(path), "w", options=dict(container_options)) as out:
            stream = out.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=dict(options))
            stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
            # with more, x264's bytes differ now and then, and the threads of libvpx wait busily
            stream.codec_context.thread_count = 1
            if times_s is not None:
                stream.codec_context.time_base = Fraction(1, 90_000)
            if rotation_deg:
                stream.set_display_rotation(-rotation_deg)
            sound = out.add_stream("aac", rate=16_000) if with_audio else None
            count = 0
            for count, image in enumerate(frames(shots, fps, *size), start=1):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                if times_s is not None:
                    if count > len(times_s):
                        break
                    frame.pts, frame.time_base = round(times_s[count - 1] * 90_000), Fraction(1, 90_000)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
            if sound is not None:
                _write_silence(out, sound, count / fps)
        return path.read_bytes()


def make_audio(path: Path, seconds: float = 1.0) -> Path:
    """A file with a silent track and no picture."""
    with av.open(str(path), "w") as out:
        _write_silence(out, out.add_stream("aac", rate=16_000), seconds)
    return path


def _write_silence(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(seconds * 16_000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def truncate(source: Path, path: Path, share: float) -> Path:
    """The first `share` of a file's bytes."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def flip_bits(
    source: Path, path: Path, flips: int, seed: int = 0, start_share: float = 0.1, end_share: float = 0.7
) -> Path:
    """A file with some bits turned over between two shares of its length (an MP4's index comes last)."""
    data = np.frombuffer(source.read_bytes(), np.uint8).copy()
    random = np.random.default_rng(seed)
    where = random.integers(int(len(data) * start_share), int(len(data) * end_share), flips)
    data[where] ^= 1 << random.integers(0, 8, flips).astype(np.uint8)
    path.write_bytes(data.tobytes())
    return path


def erase(source: Path, path: Path, start_share: float, end_share: float) -> Path:
    """A file with a stretch of its bytes set to zero."""
    data = bytearray(source.read_bytes())
    start, end = int(len(data) * start_share), int(len(data) * end_share)
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    return path
