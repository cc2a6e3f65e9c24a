"""A completion in whatever form it came -> which form that is, and the same in the form that is asked for."""

from collections.abc import Collection, Sequence
from itertools import combinations

from reelproof.schemas.answers.amounts import lenient_amount
from reelproof.schemas.answers.letters import lenient_letters, strict_letters
from reelproof.schemas.answers.normalise import strict_form
from reelproof.schemas.answers.orders import lenient_order
from reelproof.schemas.answers.reading import AnswerForm, Reading, read_completion
from reelproof.schemas.answers.scores import unread
from reelproof.schemas.answers.truths import lenient_truth
from reelproof.schemas.question import Task

AS_ASKED, UNREADABLE = "as_asked", "unreadable"
"""What a form is called that is just as asked, and one whose thought or answer cannot be made out."""


def form_name(reading: Reading, task: Task, options: Sequence[str] = ()) -> str:
    """The form in which a completion answers a question of such a task: `AnswerForm`s, joined by `+`."""
    if as_asked(reading.thought, reading.stated, task, options) is None:
        return UNREADABLE
    written = reading.stated if reading.answer is None else reading.answer
    worded = spelt_as_asked(task, reading.stated or "", options) != written
    forms = (*reading.forms, *((AnswerForm.WORDED,) if worded else ()))
    return "+".join(forms) or AS_ASKED


def accepted_names(forms: Collection[AnswerForm]) -> list[str]:
    """Every name of a form that is as asked, or differs from that in some of these ways."""
    ordered = [form for form in AnswerForm if form in forms]
    several = (each for size in range(1, len(ordered) + 1) for each in combinations(ordered, size))
    return [AS_ASKED, *("+".join(each) for each in several)]


def as_asked(thought: str, answer: str | None, task: Task, options: Sequence[str] = ()) -> str | None:
    """`<think>thought</think><answer>answer</answer>`; None where these would not be read from it again."""
    spelt = spelt_as_asked(task, answer or "", options)
    if spelt is None:
        return None
    text = f"<think>{thought}</think><answer>{spelt}</answer>"
    return text if read_completion(text).well_formed else None


def spelt_as_asked(task: Task, said: str, options: Sequence[str] = ()) -> str | None:
    """An answer in its task's strict form, as it is where it has that; None where it is not one answer."""
    if unread(task, said, options):
        return None
    if task is not Task.MULTIPLE_CHOICE:
        return strict_form(task, said.strip())
    if strict_letters(said, options) is not None:
        return said.strip()
    return ", ".join(sorted(lenient_letters(said, options) or ())) or None


def as_choice(task: Task, said: str | None, options: Sequence[str] = ()) -> str | None:
    """`B`, `A, C`, `yes`, `2, 1, 3`, `4`: an answer that is one of some, in one spelling; None for what is
    none of them, and for tasks whose answers are a degree.
    """
    if said is None:
        return None
    match task:
        case Task.MULTIPLE_CHOICE:
            return ", ".join(sorted(lenient_letters(said, options) or ())) or None
        case Task.BOOLEAN:
            truth = lenient_truth(said)
            return None if truth is None else ("yes" if truth else "no")
        case Task.ORDERING:
            return ", ".join(lenient_order(said, 0) or ()) or None
        case Task.NUMERICAL:
            amount = lenient_amount(said)
            return None if amount is None else f"{amount.value:.12g}"
        case _:
            return None
