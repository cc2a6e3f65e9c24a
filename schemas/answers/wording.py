"""Text -> the same without what people overlook: markup, lead-ins, case, punctuation."""

import re
import unicodedata

LONGEST_VALUE = 2000
"""Characters. No value that a task asks for needs as many; longer texts are rambling or hostile and are not
read.
"""

_LEAD_IN = re.compile(
    r"^(?:(?:so|therefore|thus|hence|ok|okay|sure|well)\b[,:\s]{0,4})?"
    r"(?:(?:(?:my|the|your)\s)?(?:(?:final|correct|right|best)\s)?"
    r"(?:answer|option|choice|result|order|sequence)\b"
    r"(?:\s(?:is|would be|should be|must be|was)\b(?!\s?n't))?|"
    r"(?:i\s(?:choose|pick|select|say|think|believe)(?:\sthat)?)|"
    r"(?:it|that)(?:\sis|'s)\b(?!\s?n't))\s{0,4}[:=]?\s{0,4}",
    re.IGNORECASE,
)
DENIAL = re.compile(
    r"\b(?:not|neither|nor|except|cannot|wrong|unless"
    r"|(?:is|was|are|were|do|does|did|has|have|had|ca|could|wo|would|should|ai)\s?n['’ ]?t)\b",
    re.IGNORECASE,
)
"""What says that the value beside it is not meant; `isn t` is how `isn't` reads without its punctuation."""
_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,9}>|\*\*|`|\\\(|\\\)", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|text|mathrm|mathbf)\{([^{}]{0,500})\}")


def tidy(text: str) -> str:
    """Without the wrapping that people overlook: markup, quotes, lead-ins such as "The answer is"."""
    plain = unicodedata.normalize("NFKC", text[: 2 * LONGEST_VALUE]).replace("−", "-").replace("’", "'")
    plain = _MARKUP.sub("", _BOXED.sub(r"\1", plain))
    plain = " ".join(plain.split()).strip("\"'“”‘*_ ")
    for _ in range(3):
        shorter = _LEAD_IN.sub("", plain, count=1)
        if shorter == plain or not shorter:
            break
        plain = shorter
    return plain.strip("\"'“”‘*_ ")


_LONE = "぀-ヿ㐀-䶿一-鿿豈-﫿"
WORD = rf"[{_LONE}]|[^\W_{_LONE}]+"
"""One word as a regular expression for Python and Rust: letters and digits, or one character of a script that
has no spaces.
"""


def words(text: str) -> list[str]:
    """Casefolded words without punctuation; each character of a script without spaces is a word."""
    return re.findall(WORD, unicodedata.normalize("NFKC", text).casefold())
