"""Traces -> does the thought repeat itself, leave the question's script, or speak of a given answer?"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pydantic import Field

from reelproof.schemas.answers.citing import without_citations
from reelproof.schemas.answers.thought import repetition
from reelproof.schemas.scores import TextScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check

VERSION = 2

_THE_ANSWER = (
    r"(?:(?:(?:correct|right|true|final|expected|target)\s)?(?:answer|solution)"
    r"(?!\s(?:options|choices|candidates)\b)|correct\soption)"
)
"""Not options and labels: thoughts speak of those that the question gives and the scene shows."""
_LEAKS = re.compile(
    r"\b(?:given|provided|supplied|known|stated|listed|reference|official|gold|annotated|labell?ed|hidden)\s"
    rf"{_THE_ANSWER}\b"
    rf"|\b{_THE_ANSWER}\s(?:key|(?:that\s)?(?:is|was|has been|as)\s(?:already\s)?"
    r"(?:given|provided|supplied|known|stated|revealed|labell?ed))\b"
    r"|\bground[\s-]truth\b"
    r"|\b(?:i|we)\s(?:was|were|am|are|have been|already)\s(?:told|know|given)\s(?:that\s)?(?:the\s|which\s)?"
    rf"{_THE_ANSWER}\b"
    rf"|\b(?:to|must|should)\s(?:match|reach|arrive at|justify|support|agree with)\sthe\s{_THE_ANSWER}\b"
    r"|\b(?:prompt|hint|metadata)\s(?:says|states|tells|gives|reveals|mentions)\b",
    re.IGNORECASE,
)
_STARTS_FROM_ANSWER = re.compile(
    rf"\s*(?:since|because|given that|as|knowing)\s(?:that\s)?the\s{_THE_ANSWER}\s(?:is|was)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_OPTION_LETTER = re.compile(r"(?<![A-Za-z])[A-Z](?![A-Za-z])")
_SAME_SCRIPT = {
    "HIRAGANA": "KANA",
    "KATAKANA": "KANA",
    "KATAKANA-HIRAGANA": "KANA",
    "IDEOGRAPHIC": "CJK",
}
"""First words of the Unicode names of one script's letters: `ー` is of both kana, `々` an ideograph."""
_KEYWORD = re.compile("answer|solution|option|truth|prompt|hint|metadata", re.IGNORECASE)
"""Of one of them speaks every sentence that leaks; others need no closer look."""


class TextConfig(Settings):
    """How repetition is measured."""

    gram_words: int = Field(default=4, ge=1, le=16)
    """Words of a run that may be said again."""


def measure_text(cases: Iterable[Case], cfg: TextConfig) -> Iterator[TextScore]:
    """One score a trace, in order."""
    for case in cases:
        question = case.question
        allowed = scripts(" ".join((question.text, *question.options, question.answer)))
        for trace in case.traces:
            yield TextScore(
                trace_id=trace.trace_id,
                repetition=repetition(trace.thought, cfg.gram_words),
                foreign_script=foreign_script(trace.thought, allowed),
                leak=speaks_of_given_answer(trace.thought),
            )


CHECK = Check("text", VERSION, measure_text, TextConfig, TextScore, "traces")


def foreign_script(thought: str, allowed: frozenset[str]) -> float:
    """Share of the thought's letters in scripts other than those allowed, citations and option letters apart.

    Where kana are allowed so are ideographs, which Japanese is written with as well.
    """
    if not allowed or (thought.isascii() and "LATIN" in allowed):
        return 0.0
    allowed = allowed | {"CJK"} if "KANA" in allowed else allowed
    said = _OPTION_LETTER.sub(" ", without_citations(thought))
    letters = [script for script in map(_script, said) if script]
    return sum(script not in allowed for script in letters) / len(letters) if letters else 0.0


def speaks_of_given_answer(thought: str) -> bool:
    """Whether the thought names an answer that it was given or knew, or quotes an answer block."""
    if "<answer" in thought:
        return True
    sentences = (" ".join(each.split()) for each in _SENTENCE_END.split(thought) if _KEYWORD.search(each))
    return any(_LEAKS.search(each) or _STARTS_FROM_ANSWER.match(each) for each in sentences)


def scripts(text: str) -> frozenset[str]:
    """Scripts of a text's letters, by their Unicode names: `LATIN`, `CYRILLIC`, `CJK`, `KANA`, …"""
    return frozenset(script for script in map(_script, text) if script)


@lru_cache(maxsize=65536)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "UNKNOWN").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    first = name.split()[0].removesuffix("-")
    return _SAME_SCRIPT.get(first, first)
