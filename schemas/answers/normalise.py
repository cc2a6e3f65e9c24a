"""A question as its set words it -> task, option texts without letters, and the gold in strict form."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from reelproof.schemas.answers.amounts import UNITS, Amount, lenient_amount, strict_amount
from reelproof.schemas.answers.orders import lenient_order, strict_order
from reelproof.schemas.answers.places import lenient_boxes, lenient_spans, strict_boxes, strict_spans
from reelproof.schemas.answers.scores import gold_fault
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.question import Task

_LETTERED = re.compile(r"\s*(?:\(([A-Z])\)|([A-Z])\s*[.):])\s*(.*)", re.DOTALL)
_LETTER_ANSWER = re.compile(r"\(?([A-Za-z])\)?\s*[.):]?")
_LETTER_LIST = re.compile(r"[A-Z](?:\s*(?:,|;|/|&|\band\b|\s)\s*[A-Z])+|[A-Z]{2,}")
_NUMBER = re.compile(r"[-+−–‑]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-+−–‑]?\.\d+")
_NESTED = re.compile(r"\[\s*(\[.*\])\s*\]", re.DOTALL)
_TIMED = re.compile(r"\d\s?s(?:ec(?:ond)?s?)?\b|\d:\d\d")


class GoldError(ValueError):
    """The answer that a set holds to be right is none that a scorer can read, or names no option."""


class EqualOptionsError(GoldError):
    """Two of the options are the same, and the answer is both."""


class Normalised(NamedTuple):
    """What is left once a set's own ways of writing are taken away."""

    task: Task
    options: tuple[str, ...]
    answer: str


def normalise(question: str, options: Sequence[str], answer: Any, task: Task | None = None) -> Normalised:
    """The question in our forms; `answer` is text, a number, a truth value or (nested) lists of numbers.

    Raises ValueError with what is wrong: no question, an option that is empty; GoldError for an answer that
    is missing, not among the options or two of them, or that its task's scorer cannot read.
    """
    if not question.strip():
        raise ValueError("the question is empty")
    said = answer_text(answer)
    if not said:
        raise GoldError("the answer is empty")
    texts = option_texts(options)
    if any(not text for text in texts):
        raise ValueError(f"an option is empty, got {list(options)}")
    task = task or infer_task(texts, said)
    if task is Task.MULTIPLE_CHOICE:
        gold = _option_letters(said, tuple(options), texts)
    else:
        gold = strict_form(task, said)
    if fault := gold_fault(task, gold, texts):
        raise GoldError(fault)
    return Normalised(task, texts, gold)


def infer_task(options: Sequence[str], answer: str) -> Task:
    """The task that the answer's form speaks for; text that has no other form is `open_ended`.

    Options make it multiple choice. Pairs of numbers are spans only in brackets or with a unit of time; four
    numbers in brackets are a box; a permutation of 1 … n (n > 2) is an order. The question's wording is not
    looked at: it misleads more often than the answer's form.
    """
    plain = _NESTED.sub(r"\1", answer.strip())
    if options:
        return Task.MULTIPLE_CHOICE
    if plain.casefold().rstrip(".") in ("yes", "no", "true", "false"):
        return Task.BOOLEAN
    if _NUMBER.fullmatch(plain):
        return Task.NUMERICAL
    if _is_order(lenient_order(plain, 0)):
        return Task.ORDERING
    if strict_spans(plain) or (_TIMED.search(plain) and lenient_spans(plain)):
        return Task.TEMPORAL_GROUNDING
    if strict_boxes(plain):
        return Task.SPATIAL_GROUNDING
    return Task.OPEN_ENDED


def answer_text(answer: Any) -> str:
    """The text of an answer that a file holds as text, number, truth value or list."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, float) and answer.is_integer():
        return str(int(answer))
    if isinstance(answer, (list, dict)):
        return json.dumps(answer, ensure_ascii=False)
    return "" if answer is None else str(answer).strip()


def option_texts(options: Sequence[str]) -> tuple[str, ...]:
    """Options without the letters before them, where all have theirs, in order from A; else as they are."""
    matches = [_LETTERED.fullmatch(option) for option in options]
    letters = [(match[1] or match[2]) if match else None for match in matches]
    if letters != [chr(ord("A") + index) for index in range(len(options))]:
        return tuple(option.strip() for option in options)
    return tuple(match[3].strip() for match in matches if match)


def _option_letters(said: str, options: tuple[str, ...], texts: tuple[str, ...]) -> str:
    if len(texts) < 2:
        raise ValueError(f"multiple choice needs two options or more, got {list(texts)}")
    if len(texts) > 26:
        raise ValueError(f"multiple choice takes at most 26 options, got {len(texts)}")
    by_text = [index for index, text in enumerate(texts) if _same(text, said)]
    by_text = by_text or [index for index, option in enumerate(options) if _same(option, said)]
    by_letter = _named_letters(said, texts)
    if by_text and by_letter and by_text != by_letter and options == texts:
        raise GoldError(
            f"the answer {said!r} is one option's letter and another's text; give the full text of one"
        )
    found = by_letter or by_text
    if not found:
        by_number = "; one that is told by its number is given by its letter or text" * said.isdecimal()
        raise GoldError(f"the answer {said!r} is not among the options {_lettered(texts)}{by_number}")
    if found == by_text and len(by_text) > 1:
        raise EqualOptionsError(f"the answer {said!r} is more than one of the options {_lettered(texts)}")
    return ", ".join(_letter(index) for index in sorted(set(found)))


def _named_letters(said: str, texts: tuple[str, ...]) -> list[int]:
    """Indices of the options that an answer names by letter: `B`, `(b)`, `B.`, `B. red`, `A, C`, `AC`."""
    if _LETTER_ANSWER.fullmatch(said):
        letters = re.findall("[A-Z]", said.upper())
    elif _LETTER_LIST.fullmatch(said):
        letters = re.findall("[A-Z]", said)
    else:
        match = _LETTERED.fullmatch(said)
        letters = [match[1] or match[2]] if match else []
        known = [ord(letter) - ord("A") for letter in letters if ord(letter) - ord("A") < len(texts)]
        return [index for index in known if match and _same(texts[index], match[3])]
    indices = [ord(letter) - ord("A") for letter in letters]
    return indices if all(index < len(texts) for index in indices) else []


def strict_form(task: Task, said: str) -> str:
    """The answer as its task's strict form spells it, or as it is where it cannot be read at all."""
    plain = _NESTED.sub(r"\1", said)
    if task is Task.BOOLEAN:
        truth = lenient_truth(plain)
        return said if truth is None else ("yes" if truth else "no")
    if task in (Task.NUMERICAL, Task.REGRESSION) and strict_amount(plain) is None:
        amount = lenient_amount(plain)
        return said if amount is None or _is_measured(amount) else f"{amount.value:.12g}"
    if task is Task.ORDERING and strict_order(plain) is None:
        order = lenient_order(plain, 0)
        return said if order is None else ", ".join(order)
    if task is Task.TEMPORAL_GROUNDING and strict_spans(plain) is None:
        spans = lenient_spans(plain) or ()
        return ", ".join(f"[{span.start_s:.12g}, {span.end_s:.12g}]" for span in spans) or said
    if task is Task.SPATIAL_GROUNDING and strict_boxes(plain) is None:
        boxes = lenient_boxes(plain) or ()
        return (
            ", ".join(
                ("" if box.time_s is None else f"[{box.time_s:.12g} s] ")
                + f"[{box.left:.12g}, {box.top:.12g}, {box.right:.12g}, {box.bottom:.12g}]"
                for box in boxes
            )
            or said
        )
    return plain


def _is_measured(amount: Amount) -> bool:
    """Whether its number alone would say something else: `50 %` is 0.5 as well, and `2 min` are 120 s."""
    return amount.percent or (amount.unit is not None and amount.unit != UNITS["s"])


def _is_order(items: Sequence[str] | None) -> bool:
    places = sorted(items or ())
    return len(places) > 2 and places == sorted(str(place) for place in range(1, len(places) + 1))


def plain_option(text: str) -> str:
    """What two options have in common that are the same to a reader."""
    return " ".join(text.split()).casefold().rstrip(".")


def _same(one: str, other: str) -> bool:
    return plain_option(one) == plain_option(other)


def _letter(index: int) -> str:
    return chr(ord("A") + index)


def _lettered(texts: Sequence[str]) -> str:
    return ", ".join(f"{_letter(index)}. {text}" for index, text in enumerate(texts))
