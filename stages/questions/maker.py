"""What makes a computed question: a function of a clip and of the others in its part, and its settings."""

import hashlib
import random
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import ClaimKind
from reelproof.schemas.written import FrameText


class MakerConfig(Settings):
    """When the answers of computed questions count as certain, and how many are drawn."""

    repeats: int = Field(default=1, ge=1, le=64)
    """How often a kind is asked of a clip that draws its frames or their places anew each time."""
    seed: int = Field(default=0, ge=0)
    """All draws follow from it: orders, letters, places, foreign frames."""
    lone_scene_share: float = Field(default=0.34, ge=0, le=1)
    """Share of the clips without a cut whose scenes are counted: most footage has none, and 1 would nearly
    always be right."""
    ordered_frames: int = Field(default=4, ge=3, le=8)
    """So many frames are to be put in order."""
    odd_options: int = Field(default=4, ge=2, le=16)
    """The odd frame is one of so many."""
    sure_cut: float = Field(default=1.25, ge=1, le=10)
    """A cut is certain if its score is at least this; 1 is the detector's threshold."""
    calm_scene: float = Field(default=0.85, gt=0, le=10)
    """A scene with a sudden change of this size or more, 1 being a cut's, may hide a missed cut: cuts are
    then neither counted nor timed."""
    changed_bits: int = Field(default=6, ge=0, le=64)
    """Frames to be put in order differ from each other in at least so many bits."""
    foreign_bits: int = Field(default=18, ge=0, le=64)
    """A foreign frame differs from each of the clip's own in at least so many bits."""
    change_options: int = Field(default=4, ge=2, le=16)
    """Pairs of neighbouring frames to choose the largest change from."""
    largest_change_bits: int = Field(default=6, ge=1, le=64)
    """The perceptual hashes of that pair differ in at least so many bits more than those of any other
    option."""
    stretches: int = Field(default=4, ge=3, le=8)
    """So many stretches are to be put in order, or as many as there are pairs of frames."""
    stretch_options: int = Field(default=4, ge=2, le=8)
    """The stretch that is reversed, cut out or faster, or the pair that is swapped, is one of so many."""
    speed_up: int = Field(default=2, ge=2, le=4)
    """A faster stretch shows one frame in so many: 2 is harder to see than 4."""
    motion_ratio: float = Field(default=1.4, ge=1, le=100)
    """One half holds the most motion if it has at least so many times that of the other."""
    motion_floor: float = Field(default=0.5, ge=0, le=255)
    """One half holds the most motion if it has at least this much as well, in grey levels per frame."""


class Table(NamedTuple):
    """All that one question is made from."""

    clip: Clip
    part: Sequence[Clip]
    """Where foreign frames come from."""
    alike: Mapping[str, Collection[str]]
    """Of each video of the part, those that show some of its footage: nothing of theirs is foreign to it."""
    cfg: MakerConfig
    rng: random.Random
    texts: Mapping[str, FrameText] = MappingProxyType({})
    """sha256 -> what is written in that frame, where text was read."""


class Draft(NamedTuple):
    """What a kind decides; the rest of a question follows from its clip."""

    task: Task
    text: str
    answer: str
    frames: tuple[ShownFrame, ...]
    options: tuple[str, ...] = ()
    tolerance: float | None = None


class Maker(NamedTuple):
    """One kind of computed question."""

    make: Callable[[Table], Draft | None]
    """None where the clip does not allow it."""
    asks: str
    """What is asked, in words for the reference."""
    calibrates: tuple[ClaimKind, ...] = ()
    """Claims of which its answer tells whether they are true: who judges such can be held against it."""
    drawn: bool = False
    """Whether it draws its frames or their places, so that it may be asked several times."""
    usual: bool = True
    """Whether it is asked where a recipe names no kinds."""


class Lettered(NamedTuple):
    """Options as they are shown, and the letter of the right one."""

    letter: str
    options: tuple[str, ...]


def lettered(options: Sequence[str], right: int, rng: random.Random) -> Lettered:
    """Options in a random order, so that no letter is favoured."""
    order = list(range(len(options)))
    rng.shuffle(order)
    letter = string.ascii_uppercase[order.index(right)]
    return Lettered(letter, tuple(options[place] for place in order))


def choice(
    table: Table, text: str, options: Sequence[str], right: int, frames: tuple[ShownFrame, ...]
) -> Draft:
    """A question with options in a random order."""
    letter, shown = lettered(options, right, table.rng)
    return Draft(Task.MULTIPLE_CHOICE, text, letter, frames, options=shown)


def question_of(clip: Clip, kind: str, draft: Draft) -> Question:
    """A draft as a question about its clip."""
    return Question(
        question_id="",
        clip_id=clip.clip_id,
        video_id=clip.video_id,
        source=QuestionSource.COMPUTED,
        kind=kind,
        task=draft.task,
        text=draft.text,
        options=draft.options,
        answer=draft.answer,
        tolerance=draft.tolerance,
        frames=draft.frames,
    ).with_id()


def draws(*key: object) -> random.Random:
    """Draws that follow from the key alone."""
    text = "\x00".join(str(part) for part in key)
    return random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))  # noqa: S311
