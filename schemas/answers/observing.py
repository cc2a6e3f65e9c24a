"""A thought -> what it observes, without what it concludes; how much of that cites a time."""

import re
from collections.abc import Iterator

from reelproof.schemas.answers.placed import in_tags
from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.answers.wording import sentences, words

_CONCLUDES = re.compile(
    r"^\W*(?:so|therefore|thus|hence|consequently|accordingly|in conclusion|to conclude|overall|in total"
    r"|altogether|in all|(?:that|this|which) makes)\b"
    r"|\b(?:answer|option|choice)s?\s?(?:is|are|must be|should be|would be|:|=)|<answer",
    re.IGNORECASE,
)


def observations(thought: str) -> tuple[str, ...]:
    """The sentences of a thought that state no conclusion, in order."""
    return tuple(each for each in sentences(thought) if not _CONCLUDES.search(each))


def cited_share(thought: str) -> float | None:
    """Share of the words of what a thought observes that stand in what it says of times that it cites.

    None where it observes nothing. What a run-on sentence says after its first 1,000 characters is in no
    claim, and so counts as not cited.
    """
    text = in_tags(thought)
    claims = [each.text for each in cited_statements(thought)]
    cited = sum(len(words(each)) for each in claims)
    uncited = sum(len(words(each)) for between in _between(text, claims) for each in observations(between))
    return cited / (cited + uncited) if cited + uncited else None


def _between(text: str, claims: list[str]) -> Iterator[str]:
    """What stands before, between and after the claims, which come in the text's order."""
    place = 0
    for each in claims:
        start = text.index(each, place)
        yield text[place:start]
        place = start + len(each)
    yield text[place:]
