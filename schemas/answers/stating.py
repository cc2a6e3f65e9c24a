"""A thought -> what it states of the film as a whole, without a time: claims for who sees all frames.

Left out is whatever a verifier could deny though the thought is sound: what it plans, supposes or infers,
what it takes back, what it says of the question and repeats of its options, and what it denies of one
place alone. Such sentences are not lost whole: their clauses that state something count. Every pattern is
for one sentence of at most 1,000 characters.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import partial

from reelproof.schemas.answers.observing import SUMS_UP, between, concludes
from reelproof.schemas.answers.statements import LONGEST_CLAIM, SAYS_NOTHING, Statement
from reelproof.schemas.answers.taking_back import takes_back
from reelproof.schemas.answers.wording import sentences, words

_ASKS = (
    r"\b(?:questions?(?!\s(?:an?|the|him|her|them|his)\b)|options?|choices?|candidates?|prompt"
    r"|answers?(?!\s(?:an?|the|his|her|their|its)\s(?:\w+\s){0,2}(?:phone|telephone|call|door|doorbell|radio)\b)"
    r"|users?(?:['’]s?)?\s(?:asks?|asked|is asking|wants?|needs?)|(?:task|goal|aim) is to"
    r"|frage|antwort(?:en)?|optione?n?|opci[oó]n(?:es)?|pregunta|respuesta)\b|选项|選項|问题|問題|答案"
    r"|\b(?:order|sequence)\s?(?:(?:is|must be|should be)\b|[:=])"
    r"|^\W*(?:the\s)?(?:possible|potential|likely)\s\w+s\b"
    r"|\b(?:the claim|statements?|assertions?|hypothes[ie]s)\b"
    r"|^\W*(?:it|they)\s(?:only\s|also\s)?(?:say|state|claim|mention|describe|suggest|refer|involve|contradict)s?\b"
)
"""It speaks of the question, its options, or what these say."""
_SEEN_QUESTION = re.compile(
    r"(?<!\bis )(?<!['’]s )\b(?:answer(?:s|ed|ing)?\s)?(?:an?|another|one|two|three|several|some|many|his|her"
    r"|their|\d+)\s(?:[\w-]+\s)?(?:questions?|answers?|prompts?)\b|\b(?:command|password|login)\sprompt\b",
    re.IGNORECASE,
)
"""Such questions are asked, and such prompts open, in the film: the thought's own is *the* question."""
_ON_SCREEN = re.compile(
    r"\b(?:menus?|dialog(?:ue)?s?|drop-?downs?|ribbon|toolbar|sidebar|settings|check-?box(?:es)?|pop-?ups?|buttons?)\b",
    re.IGNORECASE,
)
_ITS_OPTION = re.compile(r"\b(?:options?|choices?)\b(?!\s\(?(?-i:[A-H])\b)", re.IGNORECASE)
"""Where there is a menu, options may be its own."""
_HEDGES = (
    r"\b(?:could(?!\sbe\b)|must|would|should|(?:might|may)\shave|otherwise|means"
    r"|impl(?:y|ies)|suggests?|indicat(?:es?|ing) that|which indicates?|requires?"
    r"|consistent with|match(?:es)? (?:the )?(?:descriptions?|patterns?|\(?(?-i:[A-H])\b)"
    r"|(?:according to|based on)(?!\s(?:the|these|this)\s(?:\w+\s)?(?:video|clip|film|footage|frames?|scenes?"
    r"|images?|pictures?|visuals|screen|sign|caption)\b))\b|\w['’]d\s(?:be|have|need)\b"
)
"""It infers, or says what is not to be seen. What may be, or probably is, is: frames can deny it."""
_IFS = (
    r"[?？]\W*$|\b(?:if(?!\s(?:you|one)\slooks?\b)|whether|suppose|assum\w+|imagine|unless|wenn)\b|如果"
    r"|(?:^\W*|,\s)falls\s(?:der|die|das|ein\w*|er|sie|es|man|sich|dies\w*|kein\w*|nicht)\b"
)
"""It asks or supposes, and so do all of its clauses."""
_PLANS = (
    r"\blet(?:['’]?s| me| us)\b"
    r"|^\W*(?:(?:step|first|second|third|next(?!\sto\b)|then|now|finally)\b[\s\d,:.]*)*"
    r"(?:to\s(?!(?:the|an?|his|her|its|their|my|our|your)\b)"
    r"|(?:identify|analy[sz]e|determine|find|count|check|compare|look|examine|review|consider"
    r"|verify|track|focus|recall|start|begin|describe|(?:note|notice|observe)(?!\s(?:that|how)\b|:))\b)"
    r"|\b(?:i|we)(?:'ll|’ll|'d|’d)?\b(?! (?:can |do |also |then |now )?"
    r"(?:see|hear|notice|observe|know|saw|noticed|observed)\b)|让我|我需要|我们需要"
)
"""It says what is to be done, or what the writer thinks."""
_OF_ONE_PLACE = r"\b(?:here|(?:this|that) (?:scene|shot|frame|moment|point|part|segment|image))\b"
_DENIES = r"\b(?:no|not|none|nobody|nothing|no one|never|neither|only|alone|empty|without)\b|n['’]t\b"
_SUPPOSES = re.compile(
    rf"[:：]\W*$|{_IFS}|{_PLANS}|{_HEDGES}|{_ASKS}"
    r"|^\W*(?:(?:this|that)(?:(?:\s(?:is|was)|['’]s)\s(?!an?\b)"
    r"|\s(?!is\b|was\b|seems\b|appears\b|looks\b)\w+s\b(?!\s(?:is|was|has|had|can|\w{3,}s|\w{3,}ed)\b))"
    r"|(?:these|those)\s(?:are|were)\s(?:all|both|the|not)\b)"
    r"|\b(?-i:[A-H])\W*$"
    rf"|\b(?:because|since)\b|因为|因為"
    r"|\b(?:(?:in)?correct|wrong|plausible|eliminat\w+|rul(?:es?|ed|ing) out)\b"
    rf"|{_OF_ONE_PLACE}.*(?:{_DENIES})|(?:{_DENIES}).*{_OF_ONE_PLACE}",
    re.IGNORECASE,
)
"""What asks, intends, supposes, infers, or speaks of the question: its being false makes no thought false.
Nor does it where all frames deny what is said not to be in one of them.
"""
_SUPPOSES_ALL = re.compile(_IFS, re.IGNORECASE)
_IS_ASKED = re.compile(_ASKS, re.IGNORECASE)
_IS_PLAN = re.compile(_PLANS, re.IGNORECASE)
"""What may be said of all of a sentence, or of a clause of it by itself."""
_SUMMED_UP = re.compile(rf"^\W*{SUMS_UP}[\s,:]*", re.IGNORECASE)
_THINKS = re.compile(
    r"^\W*(?:i|we)(?:\s|['’]m\s|['’]d\s)(?:would\s|am\s|also\s|can\s)?(?:think|believe|guess|say"
    r"|(?:\w+\s)?(?:sure|certain|confident))\s(?:that\s)?",
    re.IGNORECASE,
)
"""The writer thinks what it says after this."""
_FOLLOWS = re.compile(
    r"\s?[,;—–-]\s(?:and\s)?(?:so|therefore|thus|hence|which (?:means|suggests|implies|indicates))\b"
    r"|(?:,|,?\s(?:and|so)|,\sand\sso)\s(?:the|my)\s(?:\w+\s)?answer\b",
    re.IGNORECASE,
)
"""From here on it says what follows."""
_REASON = re.compile(r"\b(?:because|since)\b(?!\sof\b)|因为|因為", re.IGNORECASE)
"""What it says before this rests on what it says after."""
_VERDICT = re.compile(
    r"\b(?:wrong|false|(?:in)?correct|not right|ruled? out|eliminated?|excluded?|implausible|unlikely"
    r"|answer is)\b|不对|錯|错",
    re.IGNORECASE,
)
"""What it thinks of an option: a reason for that speaks of the film."""
_WHERE = re.compile(r",\s(?:where|in which)\s", re.IGNORECASE)
_SEEN_THERE = re.compile(rf"{_WHERE.pattern}|:\s", re.IGNORECASE)
"""From here on a plan says what is seen where it looks, and after the former what asks says so as well, …"""
_SEEKS = re.compile(r"\b(?:for|find|determine|decide|verify|identify|need|want|think)\b", re.IGNORECASE)
"""… unless it says what for."""
_A_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)\b", re.IGNORECASE)
_REASONS_IN_NUMBERS = re.compile(r"\bframes?\s\d|\d\s?[+=×*]\s?\d|\b(?:plus|total|sum)\b", re.IGNORECASE)
"""Sums, and the order of frames that a question has shuffled."""
_FEWEST_TO_SUM_UP = 6
"""A summary of fewer words is the answer, which other checks hold against the key."""
_OPTION = re.compile(
    r"^[ \t*•-]*(?:[Oo]ption\s)?\(?[A-Z](?:\)|[.:](?!\w)|\s\([^()\n]{1,99}\):)[ \t*]*(?P<said>[^\n]*)",
    re.MULTILINE,
)
"""What begins with an option's letter says what the option does."""
_TOLD_OF = re.compile(
    r"\b(?:the|this|an?|his|her|their|one|two)\s(?:(?!the\b|this\b)[\w'’-]+\s){0,3}[\w'’-]+,\s(?:who|which)\s[^,.;:?!]{3,200}",
    re.IGNORECASE,
)
"""What a sentence that asks or plans says by the way of somebody or something."""
_ARTICLE = re.compile(r"^(?:an?|the)\s", re.IGNORECASE)
_FEWEST_WORDS = 3


def uncited_claims(thought: str, cited: Sequence[Statement], options: Sequence[str] = ()) -> tuple[str, ...]:
    """What a thought states of the film as a whole: its observations beside those that cite a time (`cited`).

    Headings, questions, plans, suppositions and inferences are none, nor is what is longer than 1,000
    characters: a verifier who denies such would deny nothing that the thought says it saw. What they rest on
    is: the reason that a sentence gives, what it infers from, what stands where it means to look.
    """
    beside = partial(_beside_option, options=options)
    texts = [
        [_OPTION.sub(beside, said).strip() for said in sentences(_OPTION.sub(beside, each))]
        for each in between(thought, cited)
    ]
    after = [*(each.text for each in cited), ""]
    return tuple(
        stated
        for text, then in zip(texts, after, strict=True)
        for saying, following in itertools.pairwise((*text, then))
        if len(saying) <= LONGEST_CLAIM and not takes_back(following, saying)
        for stated in _stated(saying)
    )


def _beside_option(line: re.Match[str], options: Sequence[str]) -> str:
    """What the line of an option says after its text; nothing where it says the option in other words."""
    said = _ARTICLE.sub("", line["said"])
    for option in options:
        told = _ARTICLE.sub("", option.strip(" ."))
        if told and said.casefold().startswith(told.casefold()):
            return " " + said[len(told) :].lstrip(" .:;,*—–->→✗✘❌✓✔✅")
    return " "


def _stated(sentence: str) -> Iterator[str]:
    """The sentence, or those of its clauses that state something, where it does more than that."""
    if _states(sentence):
        yield sentence
    elif not _SUPPOSES_ALL.search(sentence):
        clauses = [*filter(_states, _clauses(sentence))]
        yield from clauses or filter(_states, _TOLD_OF.findall(sentence))


def _states(clause: str) -> bool:
    said = words(clause)
    is_said = len(said) >= _FEWEST_WORDS and not SAYS_NOTHING.issuperset(said)
    return is_said and not concludes(clause) and not _SUPPOSES.search(_without_seen(clause))


def _without_seen(clause: str) -> str:
    """Without the questions, prompts and options that are part of what the film shows."""
    rest = _SEEN_QUESTION.sub("it", clause)
    return _ITS_OPTION.sub("it", rest) if _ON_SCREEN.search(rest) else rest


def _clauses(sentence: str) -> Iterator[str]:
    """What an inference rests on, the reason and what it is one for, what is seen where a plan looks, what is
    thought.
    """
    sentence = _THINKS.sub("", sentence)
    lead = _SUMMED_UP.match(sentence)
    rest = sentence[lead.end() :] if lead else sentence
    rest = _bare(_FOLLOWS.split(rest, maxsplit=1)[0])
    if lead and not _says_more(rest):
        return
    first, *reasons = _REASON.split(rest)
    if not reasons:
        is_asked = _IS_ASKED.search(rest) is not None
        plan, *seen = (_WHERE if is_asked else _SEEN_THERE).split(rest, maxsplit=1)
        if seen and (is_asked or (_IS_PLAN.search(plan) and not _SEEKS.search(plan))):
            yield _bare(seen[0])
        else:
            yield rest
    elif not _IS_ASKED.search(first) or _VERDICT.search(first):
        if not words(first):
            reasons = [*reasons[0].split(",", 1), *reasons[1:]]
        yield from map(_bare, (first, *reasons))


def _bare(clause: str) -> str:
    return clause.strip(" \t,;，；—–-")


def _says_more(summary: str) -> bool:
    """Than the answer, which other checks hold against the key."""
    if len(words(summary)) < _FEWEST_TO_SUM_UP or _REASONS_IN_NUMBERS.search(summary):
        return False
    return "," in summary or not _A_NUMBER.search(summary)
