"""Real footage with events planted in it: what a camera usually shows, and now and then something else."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import av
import cv2
import numpy as np

FPS, SIZE = 10, (384, 288)
Kind = Literal["foreign scene", "freeze", "black-out", "sudden motion", "reversed motion"]
KINDS: tuple[Kind, ...] = ("foreign scene", "freeze", "black-out", "sudden motion", "reversed motion")
LEARN_S, EVERY_S, LASTS_S = 90, 18, 4
STRIP = (
    "chaplin.mp4",
    "sam2_02_cups.mp4",
    "big_buck_bunny_0_30.webm",
    "tc_nasa_13013.mp4",
    "slides_1080p.mp4",
)
FOREIGN = ("bikes.mp4", "sam2_05_default_juggle.mp4", "sam2_03_blocks.mp4")
_STEP_PX = 6


class Planted(NamedTuple):
    """An event as it was planted, half-open."""

    kind: Kind
    start_s: float
    end_s: float


class Found(NamedTuple):
    """How many planted events were found, and how many of those told were planted."""

    hits: dict[str, list[bool]]
    told: list[bool]


def fixed_camera(footage: Path) -> Iterator[np.ndarray]:
    """A square with people who walk about, over and over, in light that slowly changes."""
    images = _images(footage / "vtest.avi", 1)
    for place in range(1 << 30):
        light = round(6 * np.sin(place / FPS / 47))
        yield np.clip(images[place % len(images)].astype(np.int16) + light, 0, 255).astype(np.uint8)


def travelling_camera(footage: Path) -> Iterator[np.ndarray]:
    """A camera that moves along a strip of pictures from real films, round and round."""
    tiles = [each for name in STRIP for each in _images(footage / name, 40)[:3]]
    strip = np.concatenate([*tiles, tiles[0]], axis=1)
    width = strip.shape[1] - SIZE[0]
    for place in range(1 << 30):
        left = place * _STEP_PX % width
        yield strip[:, left : left + SIZE[0]]


CAMERAS = {"fixed camera": fixed_camera, "travelling camera": travelling_camera}


def plant(path: Path, camera: str, footage: Path, count: int, seed: int = 0) -> list[Planted]:
    """Write a film of a camera with that many events, their kinds in turn. Returns them."""
    random = np.random.default_rng(seed)
    usual = CAMERAS[camera](footage)
    planted: list[Planted] = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=Fraction(FPS), options={"preset": "veryfast", "crf": "23", "g": "30"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        written = 0

        def write(images: Sequence[np.ndarray]) -> None:
            nonlocal written
            for image in images:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                out.mux(stream.encode(frame))
                written += 1

        write([next(usual) for _ in range(LEARN_S * FPS)])
        for place in range(count):
            kind: Kind = KINDS[place % len(KINDS)]
            write([next(usual) for _ in range(int((EVERY_S - LASTS_S - 2 * random.random()) * FPS))])
            start_s = written / FPS
            write(_event(kind, usual, footage, random))
            planted.append(Planted(kind, start_s, written / FPS))
        write([next(usual) for _ in range(10 * FPS)])
        out.mux(stream.encode())
    return planted


def score(told: Sequence[tuple[float, float]], planted: Sequence[Planted], slack_s: float = 1.0) -> Found:
    """An event is found by one that is told and overlaps it, and the other way round."""
    hits: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for each in planted:
        hits[each.kind].append(any(start < each.end_s and each.start_s < end for start, end in told))
    right = [
        any(start < each.end_s + slack_s and each.start_s - slack_s < end for each in planted)
        for start, end in told
    ]
    return Found(hits, right)


def _event(
    kind: Kind, usual: Iterator[np.ndarray], footage: Path, random: np.random.Generator
) -> list[np.ndarray]:
    """Its pictures, while what is usual goes on behind them."""
    own = [next(usual) for _ in range(LASTS_S * FPS)]
    match kind:
        case "foreign scene":
            images = _images(footage / FOREIGN[int(random.integers(len(FOREIGN)))], 1)
            start = int(random.integers(0, len(images) - len(own)))
            return images[start : start + len(own)]
        case "freeze":
            return [own[0]] * len(own)
        case "black-out":
            return [random.integers(0, 6, own[0].shape, np.uint8)] * len(own)
        case "sudden motion":
            moves = random.integers(-24, 25, (len(own), 2))
            return [np.roll(image, tuple(move), axis=(0, 1)) for image, move in zip(own, moves, strict=True)]
        case "reversed motion":
            return own[::-1]


@cache
def _images(path: Path, every: int) -> list[np.ndarray]:
    """A film's pictures at our size and about our rate."""
    images: list[np.ndarray] = []
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate or FPS)
        step = max(round(rate / FPS), 1) * every
        for place, frame in enumerate(container.decode(video=0)):
            if place % step == 0:
                images.append(
                    cv2.resize(frame.to_ndarray(format="rgb24"), SIZE, interpolation=cv2.INTER_AREA)
                )
    return images
