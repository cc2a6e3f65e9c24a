"""What questions about edited frames are made with: a clip's pictures, edits of them, what a kind decides."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from reelproof.schemas.edited import PLAIN
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.question import Task
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import ClaimKind
from reelproof.stages.footage.edits import Shape, with_shapes


class EditConfig(Settings):
    """How edited frames are made, and how hard it is to find what was done to them."""

    seed: int = Field(default=0, ge=0)
    """All draws follow from it: places, letters, shapes."""
    jpeg_quality: int = Field(default=85, ge=20, le=100)
    """Every frame of such a question is encoded in it, whether it is edited or not."""
    options: int = Field(default=4, ge=2, le=8)
    """The frame that was mirrored, or the part that was enlarged, is one of so many."""
    changed_bits: int = Field(default=8, ge=1, le=64)
    """An edited frame, or an enlarged part, differs in at least so many bits of its perceptual hash from the
    frame it was made of, or from the other parts."""
    hue_turn_deg: float = Field(default=60.0, ge=15, le=180)
    """Colours are moved on by so much: 180 turns each into its opposite, 30 is hard to see."""
    least_colour: float = Field(default=6.0, ge=0, le=100)
    """Frames must be at least so far from grey on average for their colours to be asked about."""
    shape_share: float = Field(default=0.09, ge=0.03, le=0.2)
    """Size of what is pasted over frames, as a share of their shorter side."""
    pasted: int = Field(default=16, ge=12, le=64)
    """So many shapes are pasted over the frames of a question, those that are counted and others."""
    zoom: int = Field(default=2, ge=2, le=3)
    """The picture is divided into so many rows and columns, one part of which is enlarged."""


class Shot(NamedTuple):
    """A frame as it will be shown."""

    picture: np.ndarray
    made_of: FrameRef
    shown_s: float | None
    edit: str = PLAIN
    """What was done to it."""


class Spot(NamedTuple):
    """A place in a picture, as shares of its width and height."""

    x: float
    y: float


class Bench(NamedTuple):
    """All that one question about edited frames is made from."""

    frames: Sequence[FrameRef]
    """The clip's timeline."""
    pictures: Sequence[np.ndarray]
    """The same as pictures, already shrunk. (H, W, 3) uint8 RGB each, all of one size"""
    looks: Sequence[int]
    """… and as perceptual hashes."""
    cfg: EditConfig
    rng: random.Random

    def plain(self) -> list[Shot]:
        """The timeline under its times."""
        return [Shot(each, of, of.time_s) for each, of in zip(self.pictures, self.frames, strict=True)]

    def edited(self, places: range, edit: Callable[[np.ndarray], np.ndarray], name: str) -> tuple[Shot, ...]:
        """The same, the frames at some places edited."""
        shots = self.plain()
        for place in places:
            shots[place] = shots[place]._replace(picture=edit(self.pictures[place]), edit=name)
        return tuple(shots)

    def with_shapes(self, shapes: Mapping[int, Sequence[Shape]]) -> tuple[Shot, ...]:
        """The same, shapes pasted over the frames at some places."""
        shots = self.plain()
        for place, pasted in shapes.items():
            named = ", ".join(each.name for each in pasted)
            picture = with_shapes(self.pictures[place], pasted)
            shots[place] = shots[place]._replace(picture=picture, edit=f"pasted over: {named}")
        return tuple(shots)

    def spots(self) -> list[Spot]:
        """Places in a picture at which shapes do not touch each other, moved about a little."""
        columns, rows, size = 4, 3, self.cfg.shape_share
        room = [(1 / columns - size) / 2, (1 / rows - size) / 2]
        return [
            Spot(
                (column + 0.5) / columns + self.rng.uniform(-1, 1) * max(0.0, room[0]),
                (row + 0.5) / rows + self.rng.uniform(-1, 1) * max(0.0, room[1]),
            )
            for column in range(columns)
            for row in range(rows)
        ]

    def shape(self, name: str, spot: Spot) -> Shape:
        """Of a colour and a form, such as `red cross`."""
        colour, form = name.split()
        return Shape(form, colour, spot.x, spot.y, self.cfg.shape_share)


class EditDraft(NamedTuple):
    """What a kind decides; its frames are not encoded yet."""

    task: Task
    text: str
    answer: str
    shots: tuple[Shot, ...]
    options: tuple[str, ...] = ()


class EditMaker(NamedTuple):
    """One kind of question about edited frames."""

    make: Callable[[Bench], EditDraft | None]
    """None where the clip does not allow it."""
    asks: str
    """What is asked, in words for the reference."""
    calibrates: tuple[ClaimKind, ...]
    """Claims of which its answer tells whether they are true."""
