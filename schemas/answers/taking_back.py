"""Two sentences of a thought -> whether the second takes back what the first says: `Wait, no: it's a cat.`"""

import re

_TAKES_BACK = re.compile(
    r"^\W*(?:(?:wait|hmm+|oh|hold on|actually)\W+)+no\b"
    r"|^(?:\W|\b(?:wait|hmm+|oh|hold on|but|well|sorry|however)\b)*(?:no\W{1,3}(?:wait|that)\b|actually\b"
    r"|scratch that|correction\b|on second thought|not quite|i (?:misread|misjudged|was (?:wrong|mistaken))"
    r"|(?:that|this|it)(?:['’]s|\s(?:is|was))?"
    r"(?:\s(?:wrong|incorrect|mistaken)|(?:\s(?:is|was))?(?:\snot|n['’]t)\s(?:quite\s)?(?:right|correct|true)))\b"
    r"|^\W*(?:(?:moment|warte|halt|doch)\W+)*nein\b|^\W*(?:等等|不)[，,]|^\W*不对",
    re.IGNORECASE,
)
_IS_UNSURE = re.compile(
    r"\b(?:might|may|maybe|perhaps|probably|possibly|looks? like|looked like|seem(?:s|ed)"
    r"|appear(?:s|ed)\s(?:to|that|as)|at first|initially|i (?:first )?thought|i assumed)\b",
    re.IGNORECASE,
)
_SAYS_NO = re.compile(
    r"^\W*(?:no(?=\W*[,.;:!—–])|but (?:no|then|at|in|when)\b|looking (?:again|closer|more closely)\b"
    r"|wait\W+(?!(?:let|is|are|was|were|do|does|did|has|have|i|we|so|maybe|what|where|why|how)\b)\w)",
    re.IGNORECASE,
)


def takes_back(following: str, before: str) -> bool:
    """Whether who says so no longer states what was said right before: by a word for it, or, where that was
    unsure, by a no.
    """
    if _TAKES_BACK.search(following):
        return True
    return _SAYS_NO.search(following) is not None and _IS_UNSURE.search(before) is not None
