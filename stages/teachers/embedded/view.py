"""What one rollout of `signals` looks at and goes by, and what it says."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reelproof.stages.teachers.embedded.measure import WHOLE, Differences, Region
from reelproof.stages.teachers.embedded.read import AskedQuestion


class View(NamedTuple):
    """One rollout's look at one question."""

    asked: AskedQuestion
    measured: Differences
    sharp: float
    """This rollout's own threshold."""
    rng: np.random.Generator
    greedy: bool
    region: Region = WHOLE
    """What of the pictures was looked at."""


class Said(NamedTuple):
    """What is answered and why."""

    thought: str
    answer: str


def said(view: View, seen: Sequence[str], answer: str) -> Said:
    """Sentences on what was seen, and the answer; where a part of the pictures was looked at, which."""
    looked = [f"I go by the {view.region.name} of the picture."] if len(view.asked.shown) > 1 else []
    at = looked if view.region != WHOLE else []
    return Said(" ".join((*at, *seen, f"So the answer is {answer}.")), answer)
