"""What is asked in rounds -> each next round as soon as its own answers are there, whatever else is open."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.stages.teachers.protocol import Teacher, complete_on


class Rounds(Protocol):
    """What is asked of one teacher, until its answers say enough."""

    def following(self) -> Sequence[ChatRequest]:
        """The next round's requests, by what came so far; none where nothing more is to be asked."""
        ...

    def take(self, completions: Sequence[Completion]) -> None:
        """The round's answers, in the order of its requests."""
        ...


def round_ends(first: int, most: int) -> tuple[int, ...]:
    """How often something was asked after its first round, after its second, …, each as large as all before.

    Rounds that double are few where much is asked, and ask little in vain where little is enough. The last
    ends at `most`, or with the first where that is more.
    """
    ends = [first]
    while ends[-1] < most:
        ends.append(min(2 * ends[-1], most))
    return tuple(ends)


@dataclass
class _Round:
    of: Rounds
    requests: Sequence[ChatRequest]
    came: dict[str, Completion] = field(default_factory=dict)


def ask_rounds(teacher: Teacher, every: Iterable[Rounds], frames: Mapping[str, bytes]) -> None:
    """Ask all of them to their ends; none waits for another one's answers where the teacher can be asked on.

    Raises RuntimeError where the teacher left requests unanswered.
    """
    waiting = defaultdict[str, list[_Round]](list)

    def begin(one: Rounds) -> list[ChatRequest]:
        begun = _Round(one, one.following())
        new = {each.request_id: each for each in begun.requests if each.request_id not in waiting}
        for request_id in {each.request_id for each in begun.requests}:
            waiting[request_id].append(begun)
        return list(new.values())

    def more(completion: Completion) -> list[ChatRequest]:
        following: list[ChatRequest] = []
        for each in waiting.pop(completion.request_id):
            each.came[completion.request_id] = completion
            if all(request.request_id in each.came for request in each.requests):
                each.of.take([each.came[request.request_id] for request in each.requests])
                following += begin(each.of)
        return following

    first = [request for one in every for request in begin(one)]
    for _ in complete_on(teacher, first, frames, more):
        pass
    if waiting:
        raise RuntimeError(
            f"teacher {teacher.model} left {len(waiting)} of its requests unanswered; expected one "
            f"completion each, the first without is {next(iter(waiting))}"
        )
