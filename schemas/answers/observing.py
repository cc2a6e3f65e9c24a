"""A thought -> what it observes, without what it concludes, and how much of that cites a time."""

import re
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.placed import in_tags
from reelproof.schemas.answers.statements import Statement, cited_statements
from reelproof.schemas.answers.wording import sentences, words

SUMS_UP = (
    r"(?:so|therefore|thus|hence|consequently|accordingly|in conclusion|to conclude|overall|in total"
    r"|altogether|in all)\b"
)
"""What a sentence begins with that concludes from those before it; a part of patterns."""
_CONCLUDES = re.compile(
    rf"^\W*(?:{SUMS_UP}|(?:that|this|which) makes\b)"
    r"|\b(?:answer|option|choice)s?\s?(?:is|are|must be|should be|would be|:|=)|<answer",
    re.IGNORECASE,
)


def observations(thought: str) -> tuple[str, ...]:
    """The sentences of a thought that state no conclusion, in order."""
    return tuple(each for each in sentences(thought) if not concludes(each))


def concludes(sentence: str) -> bool:
    """Whether it states a conclusion."""
    return _CONCLUDES.search(sentence) is not None


def cited_share(thought: str) -> float | None:
    """Share of the words of what a thought observes that stand in what it says of times that it cites.

    None where it observes nothing. What a run-on sentence says after its first 1,000 characters is in no
    claim, and so counts as not cited.
    """
    claims = cited_statements(thought)
    cited = sum(len(words(each.text)) for each in claims)
    uncited = sum(len(words(each)) for text in between(thought, claims) for each in observations(text))
    return cited / (cited + uncited) if cited + uncited else None


def between(thought: str, cited: Sequence[Statement]) -> Iterator[str]:
    """The text before, between and after the statements, which come in the thought's order."""
    text = in_tags(thought)
    place = 0
    for each in cited:
        start = text.index(each.text, place)
        yield text[place:start]
        place = start + len(each.text)
    yield text[place:]
