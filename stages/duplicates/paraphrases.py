"""Two questions about the same frames -> whether one can be the other in other words.

How near their vectors come does not tell: `before` and `after` the glass drops, 3 dogs and 4, come nearer
each other than most paraphrases. So what is asked twice must differ in more than one place, but in no number,
no denial, no side and no answer.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from reelproof.schemas.answers.amounts import spelt_as_digits
from reelproof.schemas.answers.letters import strict_letters
from reelproof.schemas.answers.opposites import OPPOSED
from reelproof.schemas.answers.overlap import stem
from reelproof.schemas.answers.scores import lenient_score
from reelproof.schemas.answers.wording import words
from reelproof.schemas.question import Task

_SAME_ANSWER = 0.5
"""Of two answers whose likeness is a degree: free text, spans."""
_EMPTY = frozenset(
    (
        *("a", "an", "the", "what", "which", "this", "that", "in", "of", "video", "clip", "film"),
        *("do", "does", "did", "is", "are", "was", "were", "be", "been", "being"),
        *("has", "have", "had", "can", "could", "will"),
    )
)
"""Words that come and go with the form of a question."""
_NUMBER = re.compile(r"\d+(?:[.:]\d+)*|\b(?:second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\b")
_DENIED = re.compile(r"\b(?:not|no|never|nor|neither|none|nobody|nothing|without|except)\b|n['’]t\b")


class Posed(NamedTuple):
    """A question, and what is held to be right."""

    text: str
    task: Task
    options: Sequence[str]
    answer: str
    """In the strict form of its task."""

    def right_texts(self) -> Sequence[str]:
        """The answer as anybody would give it: the text of each right option, or the answer itself."""
        if self.task is not Task.MULTIPLE_CHOICE:
            return (self.answer,)
        letters = strict_letters(self.answer, self.options) or ()
        return [self.options[ord(letter) - ord("A")] for letter in sorted(letters)]


def can_ask_the_same(one: Posed, other: Posed) -> bool:
    """Whether nothing in their words or answers shows that they ask different things."""
    mine, theirs = _words_that_tell(one.text), _words_that_tell(other.text)
    said = ", ".join(one.right_texts())
    return (
        not _is_one_thing_changed(mine, theirs)
        and _numbers(one.text) == _numbers(other.text)
        and _is_denied(one.text) == _is_denied(other.text)
        and not any(_are_opposed(mine, theirs, *sides) for sides in OPPOSED)
        and lenient_score(other.task, said, other.answer, other.options) >= _SAME_ANSWER
    )


def _words_that_tell(text: str) -> list[str]:
    """Stems, in order."""
    told = (word for word in words(text) if word not in _EMPTY)
    return ["who" if word == "whom" else stem(word) for word in told]


def _is_one_thing_changed(one: list[str], other: list[str]) -> bool:
    """Who keeps all other words as they are means what is changed: a word, what is added, or who does it."""
    if one == other:
        return False
    matched = SequenceMatcher(None, one, other, autojunk=False)
    places = [kind for kind, *_ in matched.get_opcodes() if kind != "equal"]
    return len(places) == 1 or sorted(one) == sorted(other)


def _numbers(text: str) -> list[str]:
    return sorted(_NUMBER.findall(spelt_as_digits(re.sub(r"\bone\b", " ", text.casefold()))))


def _is_denied(text: str) -> bool:
    return len(_DENIED.findall(text.casefold())) % 2 == 1


def _are_opposed(one: list[str], other: list[str], side: frozenset[str], opposite: frozenset[str]) -> bool:
    mine, theirs = {*one} - {*other}, {*other} - {*one}
    return bool((mine & side and theirs & opposite) or (mine & opposite and theirs & side))
