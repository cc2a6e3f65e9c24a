"""A seed -> films of coloured squares, with shortcuts, coin tosses and squares that are not to be seen.

A shot lasts three seconds, and in each three squares rest on a cell of a 3x3 grid: the one that is asked for
its way, the one that is asked for the middle, and one that nobody asks about. Colours and light differ from
shot to shot, so that neighbouring colours can be mistaken. A path is three cells; its way is the one from the
first to the last. Which paths are for training, for development and for testing follows from their hash.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reelproof.data_cards.small_films import write_h264

FRAME_PX, CELL_PX, FPS, SHOT_S, SHOTS_PER_FILM = 36, 12, 10, 3, 3
COLOURS = {"red": (220, 40, 40), "orange": (225, 150, 30), "green": (40, 185, 60), "blue": (45, 75, 225)}
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
OPTIONS = tuple(WAYS)
FAVOURITES = dict(zip(COLOURS, OPTIONS, strict=True))
"""The way that a colour takes more often than others where there are shortcuts."""
ANY_COLOUR = "|".join(COLOURS)
"""In a regular expression."""
MIDDLE = (1, 1)
BACKGROUNDS = (20, 95, 170)
"""A film's shots have one each, so that the pipeline finds its cuts."""
JITTER = 30.0
"""Standard deviation of a shot's colours, of 255."""

Cell = tuple[int, int]
SPLITS = ("train", "labelled", "dev", "test", "shifted")
PATHS_OF = {"labelled": "train", "shifted": "test"}


class Square(NamedTuple):
    """Where it rests in each second, (column, row) with (0, 0) at the upper left, and how it looks."""

    colour: str
    cells: tuple[Cell, ...]
    rgb: tuple[int, int, int]
    hidden: bool = False
    """It is not drawn: what is asked of it, the frames do not tell."""


class Shot(NamedTuple):
    """Asked for its way, asked for the middle, not asked about."""

    squares: tuple[Square, Square, Square]
    background: int
    coin: bool
    """What a question answers that no picture tells."""


class Film(NamedTuple):
    """Shots with cuts between them."""

    name: str
    shots: tuple[Shot, ...]


def split_of(cells: Sequence[Cell]) -> str:
    """Of a path. Traces are labelled on paths of training."""
    share = int(hashlib.sha256(json.dumps(["checks apart", *cells]).encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.6 else "dev" if share < 0.75 else "test"


@cache
def paths(split: str, way: str) -> tuple[tuple[Cell, ...], ...]:
    """All of three cells that go this way, straight from the first to the last, of one split."""
    grid = list(itertools.product(range(3), range(3)))
    held = PATHS_OF.get(split, split)
    every = itertools.product(grid, repeat=SHOT_S)
    return tuple(cells for cells in every if way_of(cells) == way and split_of(cells) == held)


def way_of(cells: Sequence[Cell]) -> str | None:
    """From the first to the last cell; None where that is no way."""
    gap = tuple((last > first) - (last < first) for first, last in zip(cells[0], cells[-1], strict=True))
    return next((way for way, step in WAYS.items() if step == gap), None)


def draw_films(
    split: str, count: int, seed: int, shortcut: float, hidden: float, jitter: float = JITTER
) -> list[Film]:
    """`shortcut`: how often a colour takes its favourite way on purpose; `hidden`: how often one hides.

    `jitter` is the standard deviation of a shot's colours, of 255.
    """
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    films = []
    for number in range(count):
        grounds = rng.permutation(BACKGROUNDS) + rng.integers(0, 20, SHOTS_PER_FILM)
        shots = tuple(_shot(split, int(each), rng, shortcut, hidden, jitter) for each in grounds)
        films.append(Film(f"{split}-{number:04d}.mp4", shots))
    return films


def _shot(
    split: str, background: int, rng: np.random.Generator, shortcut: float, hidden: float, jitter: float
) -> Shot:
    colours = [str(each) for each in rng.choice(list(COLOURS), 3, replace=False)]
    ways = [str(each) for each in rng.choice(OPTIONS, 3)]
    if rng.random() < shortcut:
        ways[0] = FAVOURITES[colours[0]]
    wants_middle = bool(rng.random() < 0.5)
    while True:
        cells = [_path(split, rng, way) for way in ways]
        apart = all(len(set(at_once)) == 3 for at_once in zip(*cells, strict=True))
        if apart and (MIDDLE in cells[1]) == wants_middle:
            break
    hides = rng.random(2) < hidden
    squares = tuple(
        Square(colour, path, looks(colour, rng, jitter), bool(place < 2 and hides[place]))
        for place, (colour, path) in enumerate(zip(colours, cells, strict=True))
    )
    return Shot(squares, background, bool(rng.random() < 0.5))  # type: ignore[arg-type]


def _path(split: str, rng: np.random.Generator, way: str) -> tuple[Cell, ...]:
    every = paths(split, way)
    return every[int(rng.integers(len(every)))]


def looks(colour: str, rng: np.random.Generator, jitter: float) -> tuple[int, int, int]:
    """How a colour looks in a shot; `jitter` is the standard deviation, of 255."""
    red, green, blue = np.clip(np.array(COLOURS[colour]) + rng.normal(0, jitter, 3), 0, 255)
    return int(red), int(green), int(blue)


def draw_frame(shot: Shot, second: int) -> np.ndarray:
    """The picture at a full second of the shot. (36, 36, 3) uint8"""
    return draw_squares(shot.squares, shot.background, second)


def draw_squares(squares: Iterable[Square], background: int, second: int) -> np.ndarray:
    """The picture with each of them where it is at a full second. (36, 36, 3) uint8"""
    frame = np.full((FRAME_PX, FRAME_PX, 3), background, np.uint8)
    for square in squares:
        if not square.hidden:
            left, top = (place * CELL_PX + 2 for place in square.cells[second])
            frame[top : top + CELL_PX - 3, left : left + CELL_PX - 3] = square.rgb
    return frame


def write_film(film: Film, folder: Path) -> None:
    """Render one film as H.264."""
    seconds = itertools.product(film.shots, range(SHOT_S))
    pictures = (picture for shot, second in seconds for picture in [draw_frame(shot, second)] * FPS)
    write_h264(folder / film.name, pictures, (FRAME_PX, FRAME_PX), FPS, qp="0")


def manifest_rows(film: Film) -> Iterator[dict[str, object]]:
    """The questions about a film, as a manifest of given questions holds them."""
    held_out = film.name.startswith(("dev", "test", "shifted"))
    for place, shot in enumerate(film.shots):
        for question, options, answer, kind in questions(shot):
            if kind == "coin" and (held_out or place != 1):
                continue
            yield {
                "video": film.name,
                "question": question,
                **({"options": list(options)} if options else {}),
                "answer": answer,
                "task": "multiple_choice" if options else "boolean",
                "kind": kind,
                "start_s": float(place * SHOT_S),
                "end_s": float((place + 1) * SHOT_S),
                "split": "test" if held_out else "train",
                "license": "CC0-1.0",
            }


class Posed(NamedTuple):
    """A question about a shot, with its gold."""

    question: str
    options: tuple[str, ...]
    answer: str
    kind: str


def questions(shot: Shot) -> tuple[Posed, Posed, Posed]:
    """Of the way, of the middle, and one that is a coin toss."""
    first, second, _ = shot.squares
    way = OPTIONS.index(way_of(first.cells) or "")
    middle = "yes" if MIDDLE in second.cells else "no"
    return (
        Posed(f"Which way does the {first.colour} square go?", OPTIONS, "ABCD"[way], "way"),
        Posed(f"Does the {second.colour} square come to the middle?", (), middle, "middle"),
        Posed(f"Was the {second.colour} square painted first?", (), "yes" if shot.coin else "no", "coin"),
    )


def cell_name(cell: Cell) -> str:
    """`a 1` is the upper left, `c 3` the lower right: two words, which are learned apart."""
    return f"{'abc'[cell[0]]} {cell[1] + 1}"


def true_places(film: Film) -> dict[tuple[int, str], str]:
    """(Second of the film, colour) -> the cell where that square is seen; no check or filter reads it."""
    return {
        (place * SHOT_S + second, square.colour): cell_name(square.cells[second])
        for place, shot in enumerate(film.shots)
        for square in shot.squares
        if not square.hidden
        for second in range(SHOT_S)
    }
