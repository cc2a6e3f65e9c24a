"""Chat requests about the squares -> completions: a teacher that measures frames, and is wrong on purpose.

It is an oracle with faults, and labelled as such: it finds the squares by their colours, reasons over the
frames it is shown, and then some of its traces are spoiled. The systematic fault follows the other square for
some colours; random faults cite wrong cells, answer otherwise than thought, or break the form. As a verifier
it looks at the cited frame and tells what is there.
"""

import hashlib
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image
from world import CELL_PX, COLOURS, OPTIONS, WAYS, cell_name

from reelproof.data_cards.small_server import Shown

_ASKED = re.compile(r"Which way does the (\w+) square go\?")
_CLAIM = re.compile(r"\b(red|green|blue|yellow) ([a-c][1-3])\b")
_LABEL = re.compile(r"\[(\d+\.\d) s\]")


class Faults(NamedTuple):
    """How often a trace is spoiled."""

    other_square: float = 0.6
    """For blue and yellow: reason about the other square. The systematic fault."""
    wrong_cells: float = 0.15
    """Cite cells at random, with the right answer."""
    disagree: float = 0.15
    """Answer otherwise than thought."""
    malformed: float = 0.05


RANDOM_ONLY = Faults(other_square=0.0, wrong_cells=0.25, disagree=0.25, malformed=0.05)


def answer(shown: Shown, draw_key: str, faults: Faults) -> str:
    """A completion; all chance follows from `draw_key`."""
    if claim := _CLAIM.search(shown.text.partition("Claim:")[2]):
        return _verify(shown, claim[1], claim[2])
    asked = _ASKED.search(shown.text)
    if asked is None:
        return "<think>I cannot tell.</think><answer>unknown</answer>"
    rng = np.random.default_rng(int(hashlib.sha256(draw_key.encode()).hexdigest()[:16], 16))
    return _reason(shown, asked[1], faults, rng)


def find_squares(jpeg: bytes) -> dict[str, tuple[int, int]]:
    """Colour -> the cell that holds most of it, for the colours that cover a third of a cell or more."""
    picture = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32)
    found = {}
    for colour, rgb in COLOURS.items():
        near = np.abs(picture - rgb).max(axis=2) < 60
        cells = near.reshape(3, CELL_PX, 3, CELL_PX).sum(axis=(1, 3))
        if cells.max() >= CELL_PX * CELL_PX / 3:
            row, column = np.unravel_index(cells.argmax(), cells.shape)
            found[colour] = (int(column), int(row))
    return found


def trace(colour: str, labels: Sequence[str], cells: Sequence[tuple[int, int]], way: str, said: str) -> str:
    """The form of every good trace: a sentence for each frame, the conclusion, the answer's letter."""
    sentences = [f"{label} {colour} {cell_name(cell)}." for label, cell in zip(labels, cells, strict=True)]
    thought = " ".join([*sentences, f"So {way}."])
    return f"<think>{thought}</think><answer>{'ABCD'[OPTIONS.index(said)]}</answer>"


def way_of(cells: Sequence[tuple[int, int]]) -> str | None:
    """From the first to the last cell; None where that is no way."""
    if len(cells) < 2:
        return None
    gap = (np.sign(cells[-1][0] - cells[0][0]), np.sign(cells[-1][1] - cells[0][1]))
    return next((way for way, step in WAYS.items() if step == gap), None)


def _reason(shown: Shown, colour: str, faults: Faults, rng: np.random.Generator) -> str:
    seen = [find_squares(frame) for frame in shown.frames]
    followed = colour
    others = sorted({each for squares in seen for each in squares} - {colour})
    if colour in ("blue", "yellow") and others and rng.random() < faults.other_square:
        followed = others[0]
    places = [
        (label, squares[followed])
        for label, squares in zip(shown.labels, seen, strict=True)
        if followed in squares
    ]
    labels, cells = [label for label, _ in places], [cell for _, cell in places]
    way = way_of(cells) or str(rng.choice(OPTIONS))
    said = way
    fault = rng.random()
    if fault < faults.wrong_cells:
        cells = [(int(rng.integers(3)), int(rng.integers(3))) for _ in cells]
    elif fault < faults.wrong_cells + faults.disagree:
        said = str(rng.choice([each for each in OPTIONS if each != way]))
    text = trace(colour, labels, cells, way, said)
    return text.replace("</think>", "") if rng.random() < faults.malformed else text


def _verify(shown: Shown, colour: str, cell: str) -> str:
    """Yes where any shown frame has the square there, no where none has, unknown without frames."""
    if not shown.frames:
        return "<answer>unknown</answer>"
    names = {
        cell_name(squares[colour]) for frame in shown.frames if colour in (squares := find_squares(frame))
    }
    return f"<answer>{'yes' if cell in names else 'no'}</answer>"
