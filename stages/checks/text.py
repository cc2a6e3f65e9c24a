"""Traces -> does the thought repeat itself, leave the question's script, or speak of a given answer?"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from schemas.scores import TextScore
from schemas.thought import repetition
from schemas.trace import Case

VERSION = 1

_THE_ANSWER = (
    r"(?:(?:correct|right|true|final|expected|target)\s)?(?:answer|solution|option|label|response)s?"
)
_LEAKS = re.compile(
    r"\b(?:given|provided|supplied|known|stated|listed|reference|official|gold|annotated|labell?ed|hidden)\s"
    rf"{_THE_ANSWER}\b"
    rf"|\b{_THE_ANSWER}\s(?:key|(?:that\s)?(?:is|was|are|were|has been|as)\s(?:already\s)?"
    r"(?:given|provided|supplied|known|stated|revealed|labell?ed))\b"
    r"|\bground[\s-]truth\b"
    r"|\b(?:i|we)\s(?:was|were|am|are|have been|already)\s(?:told|know|given)\s(?:that\s)?(?:the\s|which\s)?"
    rf"{_THE_ANSWER}\b"
    rf"|\b(?:to|must|should)\s(?:match|reach|arrive at|justify|support|agree with)\sthe\s{_THE_ANSWER}\b"
    r"|\b(?:the\s)?(?:prompt|hint|metadata|annotation|label)\s(?:says|states|tells|gives|reveals|mentions)\b",
    re.IGNORECASE,
)
_STARTS_FROM_ANSWER = re.compile(
    rf"\s*(?:since|because|given that|as|knowing)\s(?:that\s)?the\s{_THE_ANSWER}\s(?:is|was)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?]\s|\n")
_KEYWORD = re.compile(
    "answer|solution|option|label|response|truth|prompt|hint|metadata|annotation", re.IGNORECASE
)
"""Of one of them speaks every sentence that leaks; others need no closer look."""


class TextConfig(BaseModel):
    """How repetition is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


def foreign_script(thought: str, allowed: frozenset[str]) -> float:
    """Share of the thought's letters in scripts other than those allowed."""
    if not allowed or (thought.isascii() and "LATIN" in allowed):
        return 0.0
    letters = [script for script in map(_script, thought) if script]
    return sum(script not in allowed for script in letters) / len(letters) if letters else 0.0


def speaks_of_given_answer(thought: str) -> bool:
    """Whether the thought names an answer that it was given or knew, or quotes an answer block."""
    if "<answer" in thought:
        return True
    sentences = (" ".join(each.split()) for each in _SENTENCE_END.split(thought) if _KEYWORD.search(each))
    return any(_LEAKS.search(each) or _STARTS_FROM_ANSWER.match(each) for each in sentences)


def scripts(text: str) -> frozenset[str]:
    """Scripts of a text's letters, by the first word of their Unicode names: `LATIN`, `CYRILLIC`, `CJK`, …"""
    return frozenset(script for script in map(_script, text) if script)


@lru_cache(maxsize=65536)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "UNKNOWN").split()[0].removesuffix("-").replace("FULLWIDTH", "LATIN")
