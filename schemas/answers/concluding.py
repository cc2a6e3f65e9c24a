"""A sentence of a thought -> what follows the words by which it concludes, whatever language it is in."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from reelproof.schemas.answers.wording import words

_BE = r"(?:is|must be|should be|would be)\b(?!\s?n['’]t)"
_ANSWER_IS = (
    rf"(?:answer|option|choice)\s?(?:{_BE}|:|=)"
    r"|(?:antwort|antwoord|réponse|respuesta|resposta|risposta|ответ)(?:\s(?:correct[ae]|correta|corretta))?"
    r"\s?(?:(?:ist|lautet|is|est|es|é|è)\b|[:=—-])?(?=\s)"
)
_ANSWER_IS_CJK = r"答案\s?(?:应该|應該)?\s?(?:是|为|為|[:：])|(?:答え|正解)は|(?:정답|답)은"
_FITS_IS = (
    r"(?:the|a)\s(?:most|least|best|only|(?:in)?correct|right|wrong|false)\s[^.,;:]{1,90}?"
    rf"\s(?:{_BE}|(?:seems|appears) to be\b)"
)
"""The most plausible explanation is …: it need not say what is asked for, unless a letter follows."""
_POINTS_AT = (
    r"(?:corresponds? to|matches|(?:is )?consistent with|aligns? with|fits|supports?|confirms?|points? to)"
    r"\s(?=(?:the\s)?(?:option|choice|answer)\s\(?[A-Z]\b|\([A-Z]\))"
)
_LETTER_STANDS = (
    r"(?i:it|this|that)(?:['’]s| is| must be| should be| has to be)\s"
    r"(?=(?:option\s|choice\s)?\(?[A-Z]\)?(?:\s?[.!]?$|,?\s(?:instead|then|not|and not|rather)\b))"
    r"|(?:choose|pick|select|go with)\s"
    r"(?=(?:option\s)?\(?[A-Z]\)?(?:\s?[.,!]|$|\s(?:since|because|as|instead)\b))"
    r"|(?=(?:option\s|choice\s)?\(?[A-Z]\)?\s(?:is|must be|seems)\s(?:therefore\s|thus\s|clearly\s|the\s)?"
    r"(?:correct|right|true|best)\b)"
)
_CONCLUDES = re.compile(
    rf"\b(?:{_ANSWER_IS}|{_FITS_IS}|(?:order|sequence)\s?(?:is\b|[:=]))"
    r"|\b(?:so|therefore|thus|hence|consequently|accordingly|in conclusion|to conclude|i conclude(?: that)?"
    r"|(?:this|which|that) means(?: that)?|in total|altogether|in all|overall"
    r"|daher|deshalb|somit|folglich|donc|par conséquent|por (?:lo )?tanto|así que|portanto|quindi|dunque"
    r"|daarom|поэтому|следовательно|значит|итак)\b"
    rf"|{_ANSWER_IS_CJK}|因此|所以|综上所述|综上|顺序(?:应该)?(?:是|为|為|[:：])|そのため|したがって|よって|따라서|그러므로",
    re.IGNORECASE,
)
_MAY_CONCLUDE = re.compile(
    r"\b(?:makes?|gives?|leaves?|yields?|count|choose|pick|select|go with|i(?:['’]d| would)? say)\b"
    r"|\bthere (?:are|is|were|must be)\b"
    r"|\b(?:total|sum|count|number of [^.,;:]{1,60}?)\s?(?:(?:is|comes to)\b|[:=])",
    re.IGNORECASE,
)
_SUMS_UP_AT_LAST = re.compile(r"\b(?:in total|altogether|in all)[\s.!]*$", re.IGNORECASE)
_EXPLICIT = re.compile(
    rf"\b(?i:{_ANSWER_IS}|{_FITS_IS}(?=\s\(?[A-Z]\b))\s?|(?i:{_ANSWER_IS_CJK})"
    rf"|\b(?:{_POINTS_AT}|{_LETTER_STANDS})"
)
_SUPPOSES = re.compile(r"\b(?:if|whether|not|no|nothing|never|neither|nor|would|could)\b|n['’]t\b", re.I)
_WOULD, _IF = re.compile(r"\bwould\b", re.I), re.compile(r"\b(?:if|unless|had|were)\b", re.I)
_CLAUSE_END = re.compile(r"[,;:]|\b(?:and|but)\b")


class Tail(NamedTuple):
    """What follows concluding words, and whether they say outright that it is the answer."""

    text: str
    is_explicit: bool


def tails(sentence: str, question: str) -> Iterator[Tail]:
    """What follows the concluding words of a sentence, the last of them first; or stands before `in all`.

    Words that need not conclude ("there are …") do where what follows is short or speaks of what is asked.
    """
    explicit = [each.end() for each in _EXPLICIT.finditer(sentence) if not _is_supposed(sentence, each)]
    found = {each.end(): True for each in _CONCLUDES.finditer(sentence) if not _would_be(sentence, each)}
    found |= dict.fromkeys(explicit, True)
    if summed_up := _SUMS_UP_AT_LAST.search(sentence):
        yield Tail(sentence[: summed_up.start()].strip(" ,:;"), bool(explicit))
    found = {each.end(): False for each in _MAY_CONCLUDE.finditer(sentence)} | found
    for end in sorted(found, reverse=True)[:8]:
        tail = sentence[end:].strip(" ,:;.。，：")
        if found[end] or _is_asked_for(tail, question):
            yield Tail(tail, bool(explicit))


def explicit_tail(sentence: str) -> str | None:
    """What a sentence says outright to be the answer; None where it says so of nothing."""
    found = [each for each in _EXPLICIT.finditer(sentence) if not _is_supposed(sentence, each)]
    return sentence[found[-1].end() :] if found else None


def _is_supposed(sentence: str, found: re.Match[str]) -> bool:
    """Whether words before it, in its clause, make it no statement: `if`, `does not match option B`."""
    before = _CLAUSE_END.split(sentence[: found.start()])[-1]
    return _SUPPOSES.search(before) is not None or _would_be(sentence, found)


def _would_be(sentence: str, found: re.Match[str]) -> bool:
    """`If it were red, the answer would be B`."""
    return _WOULD.search(found[0]) is not None and _IF.search(sentence, 0, found.start()) is not None


def _is_asked_for(tail: str, question: str) -> bool:
    said = words(tail)
    asked = {word for word in words(question) if len(word) > 3}
    return len(said) <= 2 or not asked.isdisjoint(said)
