"""A thought -> what it observes, without what it concludes: how much of that cites a time, and the rest."""

import re
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.placed import in_tags
from reelproof.schemas.answers.statements import LONGEST_CLAIM, SAYS_NOTHING, Statement, cited_statements
from reelproof.schemas.answers.wording import sentences, words

_CONCLUDES = re.compile(
    r"^\W*(?:so|therefore|thus|hence|consequently|accordingly|in conclusion|to conclude|overall|in total"
    r"|altogether|in all|(?:that|this|which) makes)\b"
    r"|\b(?:answer|option|choice)s?\s?(?:is|are|must be|should be|would be|:|=)|<answer",
    re.IGNORECASE,
)

_SUPPOSES = re.compile(
    r"[?？:：]\W*$|\blet(?:['’]?s| me| us)\b"
    r"|^\W*(?:(?:step|first|second|third|next|then|now|finally)\b[\s\d,:.]*)*(?:to\s(?!the\b|an?\b|his\b|her\b"
    r"|its\b|their\b)|(?:identify|analy[sz]e|determine|find|count|check|compare|look|examine|review|consider"
    r"|verify|track|focus|recall|start|begin|describe|(?:note|notice|observe)(?!\s(?:that|how)\b))\b)"
    r"|^\W*(?:(?:this|that)\s(?:is|was|\w+s)|(?:these|those)\s(?:are|were))\b"
    r"|\b(?:if|whether|suppose|assum\w+|could|would|might|may|must|should|maybe|perhaps|probably|possibly|likely"
    r"|presumably|unless|otherwise|because|since|means|impl(?:y|ies)|suggests?|indicates?|match(?:es)?"
    r"|consistent with|according to|based on)\b"
    r"|\b(?:i|we)(?:'ll|’ll|'d|’d)?\b(?! (?:can |do |also |then |now )?(?:see|hear|notice|observe)\b)"
    r"|\b(?:questions?|options?|choices?|answers?|candidates?|prompt|user|(?:task|goal|aim) is to)\b"
    r"|\b(?:(?:in)?correct|wrong|plausible|eliminat\w+|rul(?:es?|ed|ing) out)\b",
    re.IGNORECASE,
)
"""What asks, intends, supposes, infers, or speaks of the question: its being false makes no thought false."""
_OPTION = re.compile(r"^[ \t*•-]*\(?[A-Z](?:\)|[.:](?!\w))[^\n]*", re.MULTILINE)
"""A line that begins with an option's letter says what the option does."""
_FEWEST_WORDS = 3


def observations(thought: str) -> tuple[str, ...]:
    """The sentences of a thought that state no conclusion, in order."""
    return tuple(each for each in sentences(thought) if not _CONCLUDES.search(each))


def cited_share(thought: str) -> float | None:
    """Share of the words of what a thought observes that stand in what it says of times that it cites.

    None where it observes nothing. What a run-on sentence says after its first 1,000 characters is in no
    claim, and so counts as not cited.
    """
    claims = cited_statements(thought)
    cited = sum(len(words(each.text)) for each in claims)
    uncited = sum(len(words(each)) for each in _uncited(thought, claims))
    return cited / (cited + uncited) if cited + uncited else None


def uncited_claims(thought: str, cited: Sequence[Statement]) -> tuple[str, ...]:
    """What a thought states of the film as a whole: its observations beside those that cite a time (`cited`).

    Headings, questions, plans, suppositions and inferences are none, nor is what is longer than 1,000
    characters: a verifier who denies such would deny nothing that the thought says it saw.
    """
    every = _uncited(thought, cited, besides=_OPTION)
    return tuple(each for each in every if len(each) <= LONGEST_CLAIM and _states(each))


def _states(sentence: str) -> bool:
    said = words(sentence)
    return len(said) >= _FEWEST_WORDS and not SAYS_NOTHING.issuperset(said) and not _SUPPOSES.search(sentence)


def _uncited(
    thought: str, cited: Sequence[Statement], besides: re.Pattern[str] | None = None
) -> Iterator[str]:
    """The observations before, between and after the statements, which come in the thought's order; none of
    what the pattern finds there.
    """
    text = in_tags(thought)
    place = 0
    for start, end in (*_places(text, cited), (len(text), len(text))):
        between = text[place:start]
        yield from observations(besides.sub(" ", between) if besides else between)
        place = end


def _places(text: str, cited: Sequence[Statement]) -> Iterator[tuple[int, int]]:
    end = 0
    for each in cited:
        start = text.index(each.text, end)
        end = start + len(each.text)
        yield start, end
