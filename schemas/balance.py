"""What is told of a build's answer key: letters, constant answers, and evaluation sets that it touches."""

from typing import Literal

from pydantic import Field

from reelproof.schemas.question import Task
from reelproof.schemas.record import Record


class LetterCount(Record):
    """How often one option letter is the right one."""

    letter: str
    right: int = Field(ge=0)
    expected: float = Field(ge=0)
    """As often as chance would have it, given how many options each question has."""


class KeyBalance(Record):
    """The answer key of one task: can it be guessed without looking?"""

    task: Task
    questions: int = Field(ge=1)
    letters: tuple[LetterCount, ...]
    """Multiple choice with one right letter only; empty for other tasks."""
    chi_square: float | None
    """Of the letters against chance; null without letters."""
    p_value: float | None
    """Chance of a chi-square at least so large where no letter is favoured."""
    constant_answer: str
    """The answer that is right most often."""
    constant_score: float = Field(ge=0, le=1)
    """Share of questions that it answers right."""
    constant_low: float = Field(ge=0, le=1)
    """Lower end of the Wilson 95 % interval of that share."""
    chance: float | None
    """Share that a guess answers right; null where the answers are not a closed set."""
    constant_p_value: float | None
    """Chance that the best of as many constant answers would do as well by chance; null without `chance`."""
    alarm: bool
    """Letters are favoured, or the constant answer beats chance, by more than chance explains."""


class Contamination(Record):
    """One question that a named evaluation set holds too, and how that shows."""

    question_id: str
    evaluation_set: str
    how: Literal["words", "video", "frames"]
    """Runs of words of its text, its video's id or name, or what its clip's frames look like."""
    overlap: float = Field(ge=0, le=1)
    """Share of the runs of words, or of the frames, that the set holds; 1 for videos."""
