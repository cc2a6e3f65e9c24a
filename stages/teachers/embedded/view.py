"""What one rollout of `signals` looks at and goes by, and what it says."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.quotes import quotes_in
from reelproof.schemas.written import TextLine
from reelproof.stages.teachers.embedded.eye import Eye
from reelproof.stages.teachers.embedded.measure import WHOLE, Differences, Region
from reelproof.stages.teachers.embedded.read import AskedQuestion


class View(NamedTuple):
    """One rollout's look at one question."""

    asked: AskedQuestion
    eye: Eye
    measured: Differences
    sharp: float
    """This rollout's own threshold."""
    rng: np.random.Generator
    greedy: bool
    region: Region = WHOLE
    """What of the pictures was looked at."""

    def lines_at(self, place: int) -> list[TextLine]:
        """What is written in a frame, as far as its middle lies in what was looked at."""
        lines = self.eye.read(self.asked.shown[place])
        return [
            line
            for line in lines
            if self.region.holds((line.left + line.right) / 2, (line.top + line.bottom) / 2)
        ]

    def motion_in(self, first: int, second: int) -> str:
        """Where most of the motion between two frames is, to go on in a sentence; empty where that is in no
        one place, or the frames have no times.
        """
        shown = self.asked.shown[first]
        part = self.eye.moving_part(shown, self.asked.shown[second], self.region)
        if part is None or shown.time_s is None:
            return ""
        return f", with most {boxed('motion', part, shown.time_s)}"


def boxed(label: str, part: Region, time_s: float) -> str:
    """Something in a part of the frame of that time, in the form of Open-o3-Video (arXiv 2510.20579)."""
    corners = ",".join(f"{each:.2f}" for each in (part.left, part.top, part.right, part.bottom))
    return f"<obj>{label}</obj><box>[{corners}]</box>at<t>{time_s:.1f}</t>s"


class Said(NamedTuple):
    """What is answered and why."""

    thought: str
    answer: str


def said(view: View, seen: Sequence[str], answer: str) -> Said:
    """Sentences on what was seen and what is said then, and the answer; which part of the pictures was looked
    at, where it was one.
    """
    looked = [f"I go by the {view.region.name} of the picture."] if len(view.asked.shown) > 1 else []
    at = looked if view.region != WHOLE else []
    return Said(" ".join((*at, *seen, *_heard(view, seen), f"So the answer is {answer}.")), answer)


def _heard(view: View, seen: Sequence[str]) -> list[str]:
    """What someone says at the first of the moments that were told, where someone does."""
    for span in cited_spans(" ".join(seen)):
        for line in view.asked.lines:
            words = line.text.replace('"', "'")  # the marks of the quote itself
            told = f'Someone says "{words}" at [{line.start_s:.1f}-{line.end_s:.1f} s].'
            if line.start_s <= span.end_s and span.start_s <= line.end_s and quotes_in(told):
                return [told]
    return []
