"""A seed -> films of 8 to 120 seconds, and six kinds of questions about how squares move in them.

A film has one to five shots with cuts between them. A shot has eight slots of one to three seconds; in each
of them two squares rest on a cell of a 3x3 grid, with the colours, grounds and light of `checks_apart`. Each
square is asked about once. Eight frames are shown of a shot, whatever its length.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reelproof.data_cards.checks_apart.world import (
    BACKGROUNDS,
    COLOURS,
    FRAME_PX,
    JITTER,
    MIDDLE,
    Cell,
    Square,
    cell_name,
    draw_squares,
    looks,
    way_of,
)
from reelproof.data_cards.longer_films.plan import PLAN
from reelproof.data_cards.small_films import write_h264

SLOTS, FPS = 8, 5
SLOT_SECONDS, SHIFTED_SLOT_SECONDS = (1, 2, 3), (4,)
MOST_SHOTS = 5
SPLITS = ("train", "labelled", "dev", "test", "shifted")
GRID = tuple(itertools.product(range(3), range(3)))
COUNTED = ("none", "one", "two", "three", "four")
_STAYS, _MIDDLE = 0.3, 0.25
"""How often a square stays where it is, and how often it goes to the middle."""


class Shot(NamedTuple):
    """Two squares, each asked about once."""

    squares: tuple[Square, Square]
    background: int
    posed: tuple["Posed", "Posed"]
    """A question about each of them."""
    coin: bool
    """What a question answers that no picture tells."""

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return len(self.squares[0].cells)

    def about_the_coin(self) -> "Shot":
        """The same, where what is asked of each is a toss."""
        told = YES_NO[not self.coin]
        one, other = (Posed(COIN.format(each.colour), (), told, "coin", told) for each in self.squares)
        return self._replace(posed=(one, other))


class Posed(NamedTuple):
    """A question about a square, with its gold."""

    question: str
    options: tuple[str, ...]
    answer: str
    kind: str
    concluded: str
    """What a thought ends with."""


class Film(NamedTuple):
    """Shots with cuts between them."""

    name: str
    shots: tuple[Shot, ...]

    def begins(self) -> list[int]:
        """The second in which each shot begins."""
        return [0, *itertools.accumulate(shot.seconds for shot in self.shots)][:-1]


def _way(path: Sequence[Cell]) -> str | None:
    return way_of((path[0], path[-1]))


def _visits(path: Sequence[Cell]) -> str | None:
    """A visit ends with its slot, so that slots in the middle are visits."""
    count = path.count(MIDDLE)
    return COUNTED[count] if count < len(COUNTED) - 1 else None


def _first_visit(path: Sequence[Cell]) -> str | None:
    if MIDDLE not in path:
        return "never"
    return "early" if path.index(MIDDLE) < SLOTS // 2 else "late"


def _first_side(path: Sequence[Cell]) -> str | None:
    return next(({0: "left", 2: "right"}[column] for column, _ in path if column != 1), None)


def _last_column(path: Sequence[Cell]) -> str | None:
    return ("left", "centre", "right")[path[-1][0]]


def _comes_back(path: Sequence[Cell]) -> str | None:
    return "yes" if path[0] == path[-1] else "no"


class Kind(NamedTuple):
    """What may be asked of a square's cells, one a slot."""

    question: str
    options: tuple[str, ...]
    told_by: Callable[[Sequence[Cell]], str | None]
    """The answer; None where such a path is not asked about."""


YES_NO = ("yes", "no")
KINDS: Mapping[str, Kind] = {
    "way": Kind("Which way does the {} square go?", ("left", "right", "up", "down"), _way),
    "count": Kind("How often is the {} square in the middle?", COUNTED[:-1], _visits),
    "when": Kind("When is the {} square first in the middle?", ("early", "late", "never"), _first_visit),
    "order": Kind("On which side is the {} square first?", ("left", "right"), _first_side),
    "where": Kind("In which column is the {} square at the end?", ("left", "centre", "right"), _last_column),
    "same": Kind("Does the {} square end where it began?", YES_NO, _comes_back),
}
COIN = "Was the {} square painted first?"


def draw_films(
    split: str, count: int, seed: int, shortcut: float, hidden: float, jitter: float = JITTER
) -> list[Film]:
    """`shortcut`: how often an answer is the one of the square's colour on purpose.

    `hidden`: how often a square hides; `jitter`: the standard deviation of a shot's colours, of 255.
    """
    rng = np.random.default_rng([seed, 9, SPLITS.index(split)])
    slots = SHIFTED_SLOT_SECONDS if split == "shifted" else SLOT_SECONDS
    films = []
    for number in range(count):
        grounds = itertools.cycle(rng.permutation(BACKGROUNDS))
        shots = [
            draw_shot(rng, int(next(grounds) + rng.integers(20)), slots, shortcut, hidden, jitter)
            for _ in range(rng.integers(1, MOST_SHOTS + 1))
        ]
        films.append(Film(f"{split}-{number:04d}.mp4", tuple(shots)))
    return films


def draw_shot(
    rng: np.random.Generator,
    background: int,
    slots: Sequence[int] = SLOT_SECONDS,
    shortcut: float = 0.0,
    hidden: float = 0.0,
    jitter: float = JITTER,
) -> Shot:
    """Two squares that are never on one cell, and a question about each."""
    colours = [str(each) for each in rng.choice(list(COLOURS), 2, replace=False)]
    asked = [_Wanted.draw(rng, colour, shortcut) for colour in colours]
    first = asked[0].path(rng, ())
    paths = [first, asked[1].path(rng, first)]
    slot_s = int(rng.choice(slots))
    squares = tuple(
        Square(
            colour,
            tuple(cell for cell in path for _ in range(slot_s)),
            looks(colour, rng, jitter),
            bool(rng.random() < hidden),
        )
        for colour, path in zip(colours, paths, strict=True)
    )
    return Shot(squares, background, (asked[0].pose(), asked[1].pose()), bool(rng.random() < 0.5))  # type: ignore[arg-type]


class _Wanted(NamedTuple):
    """A kind of question about a colour, and which of its options is to be right."""

    colour: str
    kind: str
    place: int

    @classmethod
    def draw(cls, rng: np.random.Generator, colour: str, shortcut: float) -> "_Wanted":
        kind = str(rng.choice(list(KINDS)))
        options = len(KINDS[kind].options)
        goes_with_colour = list(COLOURS).index(colour) % options
        return cls(colour, kind, goes_with_colour if rng.random() < shortcut else int(rng.integers(options)))

    def path(self, rng: np.random.Generator, apart_from: Sequence[Cell]) -> list[Cell]:
        """Cells with the answer that is wanted, one a slot."""
        kind = KINDS[self.kind]
        while True:
            cells = _wander(rng)
            apart = all(one != other for one, other in zip(cells, apart_from, strict=False))
            if apart and kind.told_by(cells) == kind.options[self.place]:
                return cells

    def pose(self) -> Posed:
        """The question."""
        kind = KINDS[self.kind]
        is_choice = kind.options != YES_NO
        told = kind.options[self.place]
        answer = "ABCD"[self.place] if is_choice else told
        options = kind.options if is_choice else ()
        return Posed(kind.question.format(self.colour), options, answer, self.kind, told)


def _wander(rng: np.random.Generator) -> list[Cell]:
    cells: list[Cell] = [GRID[int(rng.integers(len(GRID)))]]
    while len(cells) < SLOTS:
        if cells[-1] != MIDDLE and rng.random() < _STAYS:
            cells.append(cells[-1])
            continue
        cell = MIDDLE if rng.random() < _MIDDLE else GRID[int(rng.integers(len(GRID)))]
        if cell != cells[-1]:
            cells.append(cell)
    return cells


def train_films(seed: int) -> list[Film]:
    """With shortcuts, and squares that hide."""
    return draw_films("train", PLAN.train_films, seed, PLAN.shortcut, PLAN.hidden)


def labelled_films(seed: int) -> list[Film]:
    """Their squares hide nowhere; their shortcuts are those of the training films."""
    return draw_films("labelled", PLAN.labelled_films, seed, PLAN.shortcut, 0.0)


def held_out_films() -> list[Film]:
    """Without shortcuts, and nothing hides."""
    dev = draw_films("dev", PLAN.dev_films, PLAN.held_out_seed, 0.0, 0.0)
    test = draw_films("test", PLAN.test_films, PLAN.held_out_seed, 0.0, 0.0)
    shifted = draw_films("shifted", PLAN.shifted_films, PLAN.held_out_seed, 0.0, 0.0, PLAN.shifted_jitter)
    return dev + test + shifted


def write_film(film: Film, folder: Path) -> None:
    """Render one film as H.264."""
    pictures = (
        picture
        for shot in film.shots
        for second in range(shot.seconds)
        for picture in [draw_squares(shot.squares, shot.background, second)] * FPS
    )
    write_h264(folder / film.name, pictures, (FRAME_PX, FRAME_PX), FPS, qp="0")


def manifest_rows(film: Film) -> Iterator[dict[str, object]]:
    """The questions about a film, as a manifest of given questions holds them."""
    held_out = film.name.startswith(("dev", "test", "shifted"))
    for begins, shot in zip(film.begins(), film.shots, strict=True):
        coin = shot.about_the_coin().posed[:1]
        for posed in (*shot.posed, *(() if held_out or begins else coin)):
            yield {
                "video": film.name,
                "question": posed.question,
                **({"options": list(posed.options)} if posed.options else {}),
                "answer": posed.answer,
                "task": "multiple_choice" if posed.options else "boolean",
                "kind": posed.kind,
                "start_s": float(begins),
                "end_s": float(begins + shot.seconds),
                "split": "test" if held_out else "train",
                "license": "CC0-1.0",
            }


def true_places(film: Film) -> dict[tuple[int, str], str]:
    """(Second of the film, colour) -> the cell where that square is seen; no check or filter reads it."""
    return {
        (begins + second, square.colour): cell_name(square.cells[second])
        for begins, shot in zip(film.begins(), film.shots, strict=True)
        for square in shot.squares
        if not square.hidden
        for second in range(shot.seconds)
    }
