"""Sentences of a thought -> the option that they speak for most, where none is named by its letter.

Real thoughts seldom say "so the answer is B": they say what they see, in an option's words. Each clause
that denies nothing counts for the options whose words it holds, later ones more, concluding ones twice.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from reelproof.schemas.answers.overlap import stem
from reelproof.schemas.answers.wording import sentences, words

_LONGEST_THOUGHT = 6000
"""Characters from the end; nobody concludes for longer."""
_LEAST_SUPPORT = 0.2
_LATER = 0.95
"""How much a clause counts less for each clause after it."""
_CLAUSE_END = re.compile(r";|,?\s\b(?:but|however|whereas|while|although|though)\b", re.IGNORECASE)
_GOES_THROUGH = re.compile(
    r"\s*(?:[-*•]\s*)?(?:\*\*)?(?:option\s)?\(?[A-J]\)?(?:\*\*)?\s?[.:)]", re.IGNORECASE
)
"""One option of a list that the thought goes through."""
_DENIES = re.compile(
    r"\b(?:not|no|none|cannot|neither|nor|never|unlikely|incorrect|wrong|false|without|irrelevant|lacks?"
    r"|rul(?:es?|ed) out|eliminat\w{1,6}|exclud\w{1,6}|less (?:\w{3,12}))\b|n['’]t\b",
    re.IGNORECASE,
)
_CONTRAST = re.compile(
    r"\b(?:rather than|instead of|unlike|as opposed to|compared (?:to|with)|(?<=, )not)\b[^,.;:]*",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"\b(?:therefore|thus|hence|so|consequently|given|based on|considering|suggest\w*|indicat\w*"
    r"|impl(?:y|ies)|align\w*|consistent|characteristic|typical\w*|best|most|likely|appears?|seems?|represent\w*|match\w*"
    r"|demonstrat\w*|illustrat\w*|correspond\w*|resembl\w*|known as|called|correct|this is|which is|means"
    r"|conclu\w+|reasonable|due to|refers? to|depict\w*|show\w*)\b",
    re.IGNORECASE,
)
_EMPTY = frozenset(
    words(
        "a an the of to in on at by for with and or is are was were be been being it its this that these "
        "those as from which who what when where how why will would can could should may might must do does "
        "did has have had then there their they them he she his her i we you our so such into during due "
        "because more also both each any all some other one about up down out if after before used using "
        "video shown show option answer"
    )
)
"""Words that say nothing for one option."""


def spoken_for(thought: str, options: Sequence[str], question: str) -> int | None:
    """Index of the option that the thought's clauses support most; None for a tie, or none."""
    held = [_stems(option) or frozenset(words(option)) for option in options]
    weights = _weights(held, _stems(question))
    clauses = list(_clauses(thought))
    support = [0.0] * len(options)
    for age, clause in enumerate(reversed(clauses)):
        counts = (2 if _CONCLUDES.search(clause) else 1) * _LATER**age
        said = _stems(clause)
        for place, option in enumerate(held):
            support[place] += counts * _share(said, option, weights)
    best = max(support, default=0.0)
    leads = best >= _LEAST_SUPPORT and support.count(best) == 1
    return support.index(best) if leads else None


def _clauses(thought: str) -> Iterator[str]:
    """What the thought asserts: without lists of options and without denials."""
    for sentence in sentences(thought[-_LONGEST_THOUGHT:]):
        if not _GOES_THROUGH.match(sentence):
            clauses = (each for each in _CLAUSE_END.split(_CONTRAST.sub(" ", sentence)) if each.strip())
            yield from (each for each in clauses if not _DENIES.search(each))


def _weights(options: Sequence[frozenset[str]], asked: frozenset[str]) -> dict[str, float]:
    """A word counts by how few options hold it, and less where the question holds it as well."""
    holders = Counter(word for option in options for word in option)
    return {
        word: math.log((len(options) + 0.5) / count) * (0.4 if word in asked else 1.0)
        for word, count in holders.items()
    }


def _share(said: frozenset[str], option: frozenset[str], weights: dict[str, float]) -> float:
    whole = sum(weights[word] for word in option)
    return sum(weights[word] for word in option & said) / whole if whole > 0 else 0.0


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(text) if word not in _EMPTY)
