"""A claim -> what it speaks of. Verifiers are calibrated for each apart: who sees a cut may read nothing."""

import re
from enum import StrEnum

from reelproof.schemas.answers.citing import without_citations
from reelproof.schemas.answers.quotes import quotes_in, speaks_of_speech

_PICTURE = r"\b(?:picture|camera|view|frames?)\b"
_MOTION = re.compile(
    rf"{_PICTURE}[^.]{{0,60}}\b(?:mov(?:es?|ed|ing)|stands? still|stood still|pans?|panning)\b"
    r"|\b(?:more|less|most|least|much|no|any) (?:motion|movement)\b|\bmotion (?:is|stops?|starts?)\b",
    re.IGNORECASE,
)
_SCENE = re.compile(
    rf"\b(?:cuts?|scenes?|shot) (?:changes?|between|begins?|ends?|to|from|at)\b"
    r"|\b(?:new|next|another) (?:scene|shot)\b"
    rf"|{_PICTURE}[^.]{{0,60}}\b(?:changes?|looks? (?:like|unlike)|differs?|(?:is|are) the same)\b"
    rf"|\b(?:it|that) changes sharply\b",
    re.IGNORECASE,
)


_MOVES = re.compile(r"\b(?:motion|movements?|mov(?:es?|ing))\b", re.IGNORECASE)


def is_motion(label: str) -> bool:
    """Whether what a box is said to show takes two pictures to be seen."""
    return _MOVES.search(label) is not None


class Subject(StrEnum):
    """What a claim speaks of."""

    SCENE = "scene"
    """Cuts, and whether pictures are alike."""
    MOTION = "motion"
    """How much the picture moves, and whether it stands still."""
    WRITING = "writing"
    """What is written in it."""
    QUOTE = "quote"
    """What is said."""
    OTHER = "other"
    """All else; a verifier's calibration for it is that of all subjects together."""


FRAMES_SHOW = (Subject.SCENE, Subject.MOTION, Subject.WRITING)
"""Of what there are known claims for whoever looks at frames."""


def subject_of(claim: str) -> Subject:
    """Told by its words: quotation marks first, then what it says of the picture as a whole."""
    if quotes_in(claim):
        return Subject.QUOTE if speaks_of_speech(claim) else Subject.WRITING
    said = without_citations(claim)
    if _MOTION.search(said):
        return Subject.MOTION
    return Subject.SCENE if _SCENE.search(said) else Subject.OTHER
