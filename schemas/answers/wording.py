"""Text -> the same without what people overlook: wrapping, lead-ins, kinds of dashes, case, punctuation."""

import json
import re
import unicodedata
from typing import Any

LONGEST_VALUE = 2000
"""Characters. No value that a task asks for needs as many; longer texts are rambling or hostile and are not
read.
"""

_LEAD_IN = re.compile(
    r"^(?:(?:so|therefore|thus|hence|ok|okay|sure|well)\b[,:\s]{0,4})?"
    r"(?:(?:(?:my|the|your)\s)?(?:(?:final|correct|right|best|chronological|temporal|proper)\s){0,2}"
    r"(?:answer|option|choice|result|order|sequence)\b"
    r"(?:\s(?:is|would be|should be|must be|was)\b(?!\s?n't))?|"
    r"(?:i\s(?:choose|pick|select|say|would say|think|believe|count)(?:\sthat)?)|"
    r"(?:it|that)(?:\sis|'s)\b(?!\s?n't)|"
    r"(?:答案|答|故选|选|应选|回答|(?:正确的?|正確的?)?(?:顺序|順序)|정답은|정답|답은|답|答えは|答え|正解は|正解|ответ|respuesta|réponse|antwort|resposta)"
    r"\s?(?:是|为|為|es|est|ist|é)?)"
    r"\s{0,4}[:=]?\s{0,4}",
    re.IGNORECASE,
)
DENIAL = re.compile(
    r"\b(?:not|neither|nor|except|cannot|wrong|incorrect|unlikely|irrelevant|unless"
    r"|eliminat(?:es?|ed|ing)|exclud(?:es?|ed|ing)|rul(?:es?|ed|ing) out|no (?:sign|indication|evidence)"
    r"|opposite of|nicht|keine?r?|falsch|pas|faux|niet|geen|não|errad[oa]|не|неверн\w+|no es"
    r"|(?:is|was|are|were|do|does|did|has|have|had|ca|could|wo|would|should|ai)\s?n['’ ]?t)\b"
    r"|不(?:是|选|選|对|對|正确|正確|可能)|错|錯|除了|以外|非(?=\s?[A-Z])|では(?:な|あり)|じゃ(?:な|あり)|아니|아닙"
    r"|[❌✗✘]|~~",
    re.IGNORECASE,
)
"""What says that the value beside it is not meant; `isn t` is how `isn't` reads without its punctuation."""
_TOKEN = re.compile(r"<\|[^|<>]{0,40}\|>")
_FENCE = re.compile(r"^\s*```[a-z]{0,12}\s*\n?(.*?)\n?```\s*$", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-z][a-z0-9]{0,9}>|\*\*|`|\\\(|\\\)", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|text|mathrm|mathbf)\{([^{}]{0,500})\}")
_DASHES = re.compile("[‐‑‒–—―−﹘﹣－]")
_OTHER_COMMAS = str.maketrans({"、": ",", "。": ".", "’": "'", "；": ";"})
_JSON_KEYS = ("answer", "final_answer", "choice", "option", "order", "value", "result")
_QUOTES = "\"'“”‘*_ "


def tidy(text: str) -> str:
    """Without the wrapping that people overlook: markup, JSON around one value, quotes, lead-ins such as "The
    answer is". Every kind of dash is `-`, every comma `,`.
    """
    plain = _unwrapped(in_plain_signs(text))
    plain = _MARKUP.sub("", _BOXED.sub(r"\1", plain))
    plain = " ".join(plain.split()).strip(_QUOTES)
    for _ in range(3):
        shorter = _LEAD_IN.sub("", plain, count=1)
        if shorter == plain or not shorter:
            break
        plain = shorter
    return plain.strip(_QUOTES)


def in_plain_signs(text: str) -> str:
    """Compatibility forms, dashes and commas as ASCII has them, without tokens of a model's own."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", _TOKEN.sub(" ", text[: 2 * LONGEST_VALUE])))
    plain = _DASHES.sub("-", plain).translate(_OTHER_COMMAS)
    fenced = _FENCE.match(plain)
    return fenced[1] if fenced else plain


def as_json(text: str) -> Any:
    """The value that a text spells as JSON, or as Python prints it; None where it spells none."""
    plain = text.strip()
    if plain[:1] not in ("{", "["):
        return None
    for spelt in (plain, plain.replace("'", '"').replace("(", "[").replace(")", "]")):
        try:
            return json.loads(spelt)
        except (ValueError, RecursionError):
            continue
    return None


def _unwrapped(text: str) -> str:
    """`{"answer": "B"}` is `B`, `["A", "C"]` is `A, C`; other JSON stays as it is."""
    value = as_json(text)
    if isinstance(value, dict):
        held = [value[name] for name in value if str(name).casefold() in _JSON_KEYS]
        value = held[0] if len(held) == 1 else None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, list) and value and all(type(each) is int for each in value):
        return ", ".join(map(str, value))
    return text


_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n+")


def sentences(text: str) -> list[str]:
    """In their order, stripped; lines end one, too."""
    return [each.strip() for each in _SENTENCE_END.split(text) if each.strip()]


_LONE = "぀-ヿ㐀-䶿一-鿿豈-﫿"
WORD = rf"[{_LONE}]|[^\W_{_LONE}]+"
"""One word as a regular expression for Python and Rust: letters and digits, or one character of a script that
has no spaces.
"""


def words(text: str) -> list[str]:
    """Casefolded words without punctuation; each character of a script without spaces is a word."""
    return re.findall(WORD, unicodedata.normalize("NFKC", text).casefold())
