"""A sentence with option letters -> those of which it says that they are the answer.

A letter in a sentence need not be one: `I reject B`, `Plan B fails` and `B contradicts the video` name it,
too. So it has to stand where an answer stands.
"""

import re

_LETTER = r"[\[(]?(?P<letter>[A-Z])(?![A-Za-z0-9'])[\])]?"
_OTHER = _LETTER.replace("letter", "other")
_ALONE = r"(?<![A-Za-z0-9'])"
_SIGNS = re.compile(r"\\boxed|\\text|[$#{}*\"“”`✅✓✔]")
_CJK = r"[぀-ヿ㐀-䶿一-鿿가-힣]"
_END = (
    rf"(?=\s*(?:$|[.,;:)(\]-]|!(?!=)|{_CJK}|(?:and|or|because|since|as|given|instead|rather|not|then)\b))"
    r"|(?=\s(?:[A-Z][a-z]|I think))"
)
_LEAD = (
    rf"(?:^|[:,;.(-]\s?|(?<![!≠¬])=\s?|{_CJK}\s?|\b(?i:answer|option|choice|letter|alternative|be|is|was|est|ist|es"
    r"|choose|chose|pick|picked|select|selected|(?:go|went|going)\swith|say|guess|think|believe|conclude|prefer"
    r"|answered|chosen|so|therefore|thus|hence|then|but|only|probably|likely|definitely|clearly|surely|certainly"
    r"|leaving|leaves|namely|for|to|and|with|(?:match|support|confirm|suggest|indicate|mean|fit)(?:s|es)?|of|both"
    r")\s)"
)
_OPTION = r"(?:(?i:option|choice|answer|letter)\s)?"
_STANDS = re.compile(rf"{_LEAD}(?:the\s)?{_OPTION}{_LETTER}(?:{_END})")
_HOW = (
    r"(?:(?:the|my|a|most|clearly|definitely|therefore|thus|indeed|also|probably|likely|actually|obviously"
    r"|certainly|surely)\s){0,3}"
)
_IS_RIGHT = re.compile(
    rf"{_ALONE}{_LETTER}\s(?:is|was|must be|has to be|should be|would be|seems|looks|appears(?: to be)?)\s"
    rf"{_HOW}"
    r"(?:correct|right|true|best|answer|choice|option|likely|accurate|plausible|fitting|suitable|consistent|match"
    r"|one|it)\b"
    rf"|{_ALONE}{_OTHER}\s(?:(?:fits|matches|describes|applies|aligns|corresponds|agrees|works|holds)\b"
    r"(?!\s(?:less|worse|only))|for sure\b|it is\b)"
)
_OUTRIGHT = re.compile(
    rf"\b(?i:answer|option|choice)(?:\s(?i:is|must be|should be)\s?:?|:)\s{_OPTION}{_LETTER}(?:{_END})"
    rf"|{_ALONE}{_OTHER}\s(?:is|must be)\s(?:clearly\s|definitely\s|therefore\s)?"
    r"(?:the\s(?:correct|right|best)?\s?(?:answer|option|choice)|correct|right)\b"
)
_CLAUSE_END = re.compile(r"[,;.]\s")
_DENIES = re.compile(
    r"\b(?:not|never|no|neither|nor|cannot|hardly|was|thought|wrong|incorrect)\b|n't\b", re.IGNORECASE
)


def affirmed(sentence: str) -> frozenset[str]:
    """Letters that stand where an answer does, or of which it is said that they are right."""
    plain = " ".join(_SIGNS.sub(" ", sentence).split())
    stands = {found["letter"] for found in _STANDS.finditer(plain)}
    return frozenset(stands | {found["letter"] or found["other"] for found in _IS_RIGHT.finditer(plain)})


def outright(sentence: str) -> str | None:
    """The only letter that a clause without a denial says outright to be the answer, if it is named last."""
    told = {
        found["letter"] or found["other"]
        for clause in _CLAUSE_END.split(sentence)
        if not _DENIES.search(clause)
        for found in _OUTRIGHT.finditer(clause)
    }
    named = re.findall(rf"{_ALONE}[A-Z](?![A-Za-z0-9'])", sentence)
    return named[-1] if len(told) == 1 and named[-1] in told else None
