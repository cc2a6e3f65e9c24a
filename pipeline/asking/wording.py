"""A question as it was typed -> what kind of answer it wants."""

import re
from collections.abc import Sequence

from reelproof.schemas.question import Task

_BY_WORDS: tuple[tuple[Task, str], ...] = (
    (Task.NUMERICAL, r"how (?:many|often)\b|what number of\b|count\b"),
    (Task.TEMPORAL_GROUNDING, r"from when\b|when does\b|when do\b|when is\b|when are\b|during which\b"),
    (Task.REGRESSION, r"at (?:what|which) (?:second|time)\b|how (?:long|fast|tall|far|old|much)\b"),
    (Task.OCR, r"what (?:text|word|words) (?:is|are|can|stands?)\b|what does the (?:sign|text|title) say\b"),
    (
        Task.BOOLEAN,
        r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\b(?!.*\bor\b)",
    ),
)
"""How a question begins, lower case, and the task that it is then taken for."""


def task_asked(question: str, options: Sequence[str]) -> Task:
    """Options make it multiple choice; else how it begins speaks for a task, and all others are open.

    Only who asks knows for sure: the command tells what it took the question for, and takes it from --task.
    """
    if options:
        return Task.MULTIPLE_CHOICE
    begins = question.strip().casefold()
    return next((task for task, words in _BY_WORDS if re.match(words, begins)), Task.OPEN_ENDED)
