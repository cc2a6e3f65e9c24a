"""A seed -> films of two coloured squares on a 3x3 grid, with cuts, and questions whose answers are known.

A shot lasts four seconds; at each full second a square steps to the next cell, or pauses once. Two of its
three steps go its way, so that no single frame tells it. A layout is the pair of paths; which of train, dev
and test it belongs to follows from its hash, so that no test shot shares its layout with a training shot.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reelproof.data_cards.small_films import write_h264

FRAME_PX, CELL_PX, FPS, SHOT_S = 36, 12, 10, 4
COLOURS = {"red": (220, 30, 30), "green": (30, 190, 50), "blue": (50, 70, 230), "yellow": (225, 205, 40)}
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
OPTIONS = tuple(WAYS)
BACKGROUNDS = ((25, 25, 25), (110, 110, 110), (190, 190, 190))
SHOTS_PER_FILM = 3


class Path4(NamedTuple):
    """Where one square rests in each of the four seconds: (column, row) with (0, 0) at the upper left."""

    way: str
    cells: tuple[tuple[int, int], ...]


class Shot(NamedTuple):
    """Two squares on their ways."""

    paths: tuple[Path4, Path4]
    colours: tuple[str, str]
    background: tuple[int, int, int]


class Film(NamedTuple):
    """Shots with cuts between them."""

    name: str
    split: str
    shots: tuple[Shot, ...]


def all_paths() -> list[Path4]:
    """4 ways x 3 lanes x 3 places of the pause."""
    paths = []
    for way, lane, pause in itertools.product(WAYS, range(3), range(3)):
        forward = [0, 1, 2] if sum(WAYS[way]) > 0 else [2, 1, 0]
        along = forward[: pause + 1] + forward[pause:]
        cells = tuple((place, lane) if WAYS[way][0] else (lane, place) for place in along)
        paths.append(Path4(way, cells))
    return paths


def layouts(split: str) -> list[tuple[Path4, Path4]]:
    """Ordered pairs of paths that never rest on one cell, of one split: train 60 %, dev 15 %, test 25 %."""
    pairs = []
    for one, two in itertools.permutations(all_paths(), 2):
        if any(a == b for a, b in zip(one.cells, two.cells, strict=True)):
            continue
        if split_of(one, two) == split:
            pairs.append((one, two))
    return pairs


def split_of(one: Path4, two: Path4) -> str:
    """Of a layout, whichever of its squares is named first."""
    key = "moving shapes, held out a third time" + json.dumps(sorted([one.cells, two.cells]))
    share = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.6 else "dev" if share < 0.75 else "test"


def draw_films(split: str, count: int, seed: int) -> list[Film]:
    """Films of layouts drawn from the split's own."""
    rng = np.random.default_rng([seed, {"train": 0, "dev": 1, "test": 2}[split]])
    pairs = layouts(split)
    films = []
    for number in range(count):
        backgrounds = rng.permutation(len(BACKGROUNDS))
        shots = []
        for place in range(SHOTS_PER_FILM):
            colours = tuple(str(each) for each in rng.choice(list(COLOURS), 2, replace=False))
            pair = pairs[int(rng.integers(len(pairs)))]
            shots.append(Shot(pair, colours, BACKGROUNDS[backgrounds[place]]))
        films.append(Film(f"{split}-{number:04d}.mp4", split, tuple(shots)))
    return films


def draw_frame(shot: Shot, time_s: float) -> np.ndarray:
    """The picture at a time of the shot. (36, 36, 3) uint8"""
    frame = np.empty((FRAME_PX, FRAME_PX, 3), np.uint8)
    frame[:] = shot.background
    frame[::CELL_PX] = frame[:, ::CELL_PX] = np.array(shot.background) // 2
    for path, colour in zip(shot.paths, shot.colours, strict=True):
        column, row = path.cells[min(int(time_s), SHOT_S - 1)]
        left, top = column * CELL_PX + 2, row * CELL_PX + 2
        frame[top : top + CELL_PX - 3, left : left + CELL_PX - 3] = COLOURS[colour]
    return frame


def write_film(film: Film, folder: Path) -> Path:
    """Render one film as H.264."""
    file = folder / film.name
    pictures = (draw_frame(shot, number / FPS) for shot in film.shots for number in range(SHOT_S * FPS))
    write_h264(file, pictures, (FRAME_PX, FRAME_PX), FPS, qp="0")
    return file


def manifest_rows(film: Film) -> Iterator[dict[str, object]]:
    """Two questions a shot, one about each square, as a manifest of given questions holds them."""
    for place, shot in enumerate(film.shots):
        for path, colour in zip(shot.paths, shot.colours, strict=True):
            yield {
                "video": film.name,
                "question": f"Which way does the {colour} square go?",
                "options": list(OPTIONS),
                "answer": "ABCD"[OPTIONS.index(path.way)],
                "task": "multiple_choice",
                "start_s": float(place * SHOT_S),
                "end_s": float((place + 1) * SHOT_S),
                "split": "train" if film.split == "train" else "test",
                "license": "CC0-1.0",
            }


def cell_name(cell: tuple[int, int]) -> str:
    """`a1` is the upper left, `c3` the lower right."""
    return "abc"[cell[0]] + str(cell[1] + 1)
