"""A thought and its answer -> does its conclusion agree? What filter, reward and evaluation share.

The thought's last concluding statement ("so …", "the answer is …", "there are …") is read as leniently as
the answer is, and both are compared.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.citing import in_plain_times, without_citations
from reelproof.schemas.answers.concluding import explicit_tail, tails
from reelproof.schemas.answers.letters import denied_letters, lenient_letters
from reelproof.schemas.answers.opposites import cannot_mean
from reelproof.schemas.answers.orders import is_backwards
from reelproof.schemas.answers.prose import spoken_for
from reelproof.schemas.answers.scores import GRADED_TASKS, lenient_score, unread
from reelproof.schemas.answers.truths import asserted_truth
from reelproof.schemas.answers.wording import DENIAL, sentences, words
from reelproof.schemas.question import Task

_NAMES_A_LETTER = re.compile(
    r"(?:options?\s)?(?:\(?[A-Z]\)?)(?:\s?[.,:)]|\s?$|\s(?:and|or|is|because|since)\b)"
    r"|not\s(?:option\s)?\(?[A-Z]\)?,?\s(?:but|rather)\s"
    r"|.{0,80}\b(?:is|be|choose|pick|select|leaving|to|for|with)\s\(?[A-Z]\)?"
    r"(?:$|\s(?:instead|then|after all)\b|,\s(?:and )?not\b)"
)
_OPTION_LETTER = re.compile(r"\b(?:[Oo]ption|[Cc]hoice)\s\(?([A-Z])\b(?!['’])|\(([A-Z])\)")
_TRUTH = {True: "yes", False: "no"}
_BEGINS_WITH_TRUTH = re.compile(r"(?:yes|no)[,.!]", re.IGNORECASE)
_HAS_A_WORD = re.compile(r"[^\W\d_]{3,}|[぀-ヿ㐀-䶿一-鿿]")
_ASKS_FOR_THE_ODD_ONE = re.compile(r"\b(?:not|false|wrong|incorrect|except|least)\b|n['’]t\b", re.IGNORECASE)
_NUMBER_LIST = re.compile(r"\d{1,4}(?:\s?(?:, and|, then|[,，、;>→-]|->|then|and)\s?\d{1,4}){1,40}")
_LISTED_NUMBER = re.compile(r"\d+")
_CLAUSE_END = re.compile(
    r"[,;]\s(?=(?:but|he|she|it|they|this|that|so|rather|instead)\b)|\sbut\b", re.IGNORECASE
)
_NO_DENIAL = re.compile(
    r"\b(?:only|just|merely|simply|until|because|when|whether|if|unless)\b", re.IGNORECASE
)
"""What is beside one of these is not denied."""
_RETRACTS = re.compile(
    r"(?:but\s|hmm,?\s|oh,?\s)?(?:wait|hold on|actually|no,|on second thought|correction)\b", re.IGNORECASE
)


class Posed(NamedTuple):
    """What of a question decides how a conclusion is read."""

    task: Task
    text: str
    options: Sequence[str] = ()
    tolerance: float | None = None


class Conclusions(NamedTuple):
    """When conclusion and answer are the same."""

    min_graded_score: float = 0.9
    """Score of the answer against the conclusion from which they are, for tasks whose score is a degree."""
    sentences: int = 4
    """How many sentences from the end a conclusion is looked for in."""


class _Concluded(NamedTuple):
    """What a thought concludes, and whether it says in so many words that this is its answer."""

    text: str
    explicit: bool


def agreement(thought: str, answer: str | None, question: Posed, how: Conclusions) -> bool | None:
    """Whether the thought's last readable conclusion is the answer; None where one of them is missing."""
    if not answer:
        return None
    if question.task in (Task.OPEN_ENDED, Task.OCR):
        return _words_agree(thought, answer, question, how)
    if unread(question.task, answer, question.options):
        return None
    concluded = _last_conclusion(thought, question, how.sentences)
    same = None if concluded is None else _is_same(answer, concluded.text, question, how)
    if question.task is not Task.MULTIPLE_CHOICE or same or (concluded and concluded.explicit):
        return same
    spoken = _option_spoken_for(thought, question)
    if spoken is not None and _is_same(answer, spoken, question, how):
        return True
    if _ASKS_FOR_THE_ODD_ONE.search(question.text):
        return None
    if concluded is None:
        return False if _is_denied(thought, answer, question) else None
    # Words for another option are no proof: they contradict only where the conclusion says the same.
    return None if spoken and not _is_same(spoken, concluded.text, question, how) else False


def _is_denied(thought: str, answer: str, question: Posed) -> bool:
    """Whether the last sentence says that the very option that is answered is not right."""
    chosen = lenient_letters(answer, question.options)
    for sentence in _last_sentences(thought, 1):
        letters = {denied_letters(tail.text) for tail in tails(sentence, question.text)}
        clauses = (_CLAUSE_END.split(sentence[each.end() :])[0] for each in DENIAL.finditer(sentence))
        texts = {
            frozenset(_option_named(each, question.options) or ())
            for each in clauses
            if not _NO_DENIAL.search(each)
        }
        return chosen in letters | texts
    return False


def _is_same(answer: str, conclusion: str, question: Posed, how: Conclusions) -> bool:
    enough = how.min_graded_score if question.task in GRADED_TASKS else 1.0
    tolerance = 0.0 if question.task is Task.NUMERICAL else question.tolerance
    return lenient_score(question.task, answer, conclusion, question.options, tolerance) >= enough


def _option_spoken_for(thought: str, question: Posed) -> str | None:
    """By the option that the last sentence names by its letter or its text, else by the words of all."""
    for last in _last_sentences(thought, 1):
        for named in (*_letters_named(last), *_options_named(last, question.options)):
            return named
    if _ASKS_FOR_THE_ODD_ONE.search(question.text):
        return _option_denied(thought, question.options)
    place = spoken_for(thought, question.options, question.text)
    return None if place is None or place > 25 else chr(ord("A") + place)


def _option_denied(thought: str, options: Sequence[str]) -> str | None:
    """The only option that the last sentence with a denial of one names."""
    for sentence in reversed(_last_sentences(thought, 2)):
        if denial := DENIAL.search(sentence):
            for named in _options_named(sentence[: denial.start()], options):
                return named
            for named in _options_named(sentence[denial.end() :], options):
                return named
    return None


def conclude(thought: str, question: Posed, sentences: int) -> str | None:
    """The last conclusion of a thought that reads as an answer to the question, as the text that does."""
    concluded = _last_conclusion(thought, question, sentences)
    return None if concluded is None else concluded.text


def _last_conclusion(thought: str, question: Posed, sentences: int) -> _Concluded | None:
    """None also where a later sentence takes back what was concluded, and concludes nothing that is read."""
    last = _last_sentences(thought, sentences)
    if question.task is Task.BOOLEAN and last and (truth := _told_at_last(last[-1], question)):
        return _Concluded(truth, explicit=True)
    for sentence in reversed(last):
        for tail in tails(sentence, question.text):
            for text in _spellings(tail.text, question):
                if not unread(question.task, text, question.options):
                    return _Concluded(text, tail.is_explicit)
        if _RETRACTS.match(sentence):
            return None
    return None


def _told_at_last(sentence: str, question: Posed) -> str | None:
    """`Yes, it stops.`, or what is asked as a statement: the last sentence needs no word to conclude."""
    if _BEGINS_WITH_TRUTH.match(sentence):
        return None if unread(Task.BOOLEAN, sentence) else sentence
    truth = asserted_truth(without_citations(sentence), question.text)
    return None if truth is None else _TRUTH[truth]


def _last_sentences(thought: str, count: int) -> list[str]:
    """From the last 4,000 characters: nobody concludes for longer."""
    return sentences(thought[-4000:])[-count:]


def _spellings(tail: str, question: Posed) -> Iterator[str]:
    """Ways to read a tail: without citations, with them as plain times, by the part that has the form."""
    bare = " ".join(without_citations(tail).split()).strip(" ,:;.")
    plain = in_plain_times(tail)
    if question.task is Task.ORDERING:
        if is_backwards(bare):
            return
        yield from reversed(list(_lists(re.sub(r"\bframe\s", "", bare, flags=re.IGNORECASE))))
    elif question.task is Task.MULTIPLE_CHOICE:
        if _NAMES_A_LETTER.match(bare) or len(words(bare)) <= 3:
            yield bare
        yield from _letters_named(tail)
        yield from _options_named(tail, question.options)
    elif question.task in (Task.TEMPORAL_GROUNDING, Task.SPATIAL_GROUNDING):
        yield tail
        yield plain
    else:
        yield bare
        yield plain
        if question.task is Task.BOOLEAN and (truth := asserted_truth(bare, question.text)) is not None:
            yield _TRUTH[truth]


def _lists(tail: str) -> Iterator[str]:
    """Lists of distinct numbers that nothing between the one before and them denies."""
    start = 0
    for found in _NUMBER_LIST.finditer(tail):
        listed = _LISTED_NUMBER.findall(found[0])
        if not DENIAL.search(tail, start, found.start()) and len({*listed}) == len(listed):
            yield found[0]
        start = found.end()


def _letters_named(tail: str) -> Iterator[str]:
    """The only letter that is called an option, unless the tail denies it."""
    named = {one or other for one, other in _OPTION_LETTER.findall(tail)}
    if len(named) == 1 and not DENIAL.search(tail):
        yield named.pop()


def _options_named(tail: str, options: Sequence[str]) -> Iterator[str]:
    """The letter of the only option whose text occurs in the tail, unless words before it, in its clause,
    deny it.

    An option that is a part of another's text (`O(n)` of `O(n^2)`) is not meant by that.
    """
    for part in (tail, *reversed(_CLAUSE_END.split(tail))):
        if (letter := _option_named(part, options)) is not None:
            yield letter
            return


def _option_named(tail: str, options: Sequence[str]) -> str | None:
    said = f" {' '.join(words(tail))} "
    texts = [f" {' '.join(words(option))} " for option in options]
    held = [text for text in texts if text in said]
    named = [
        (place, said.index(text))
        for place, text in enumerate(texts)
        if text in held
        and not any(text != other and text in other for other in held)
        and (_HAS_A_WORD.search(options[place]) or text == said)
    ]
    if len(named) != 1 or DENIAL.search(said[: named[0][1]]):
        return None
    return chr(ord("A") + named[0][0])


def _words_agree(thought: str, answer: str, question: Posed, how: Conclusions) -> bool | None:
    """Free text agrees where the conclusion holds the answer's words, and disagrees where it holds half of
    them and means something else; of other words only an explicit conclusion can disagree.
    """
    said = words(answer)
    for sentence in reversed(_last_sentences(thought, how.sentences)):
        for tail in tails(sentence, question.text):
            concluded = words(tail.text)
            if said and set(said) <= set(concluded):
                return None if _denies_first(tail.text, said) else True
            if (
                said
                and 2 * len(set(said) & set(concluded)) >= len(set(said))
                and cannot_mean(answer, tail.text)
            ):
                return False
        if (told := explicit_tail(sentence)) is not None:
            return lenient_score(Task.OPEN_ENDED, answer, told) >= 0.5
    return None


def _denies_first(tail: str, said: Sequence[str]) -> bool:
    """Whether a denial stands before the first of these words."""
    before = f" {' '.join(words(tail))} ".partition(f" {said[0]} ")[0]
    return DENIAL.search(before) is not None
