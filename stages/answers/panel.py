"""What claims say -> beliefs: each claim goes to the first of a panel that can judge it, and knows."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reelproof.schemas.chat import ChatRequest, Message
from reelproof.stages.answers.verdicts import ask_all, belief_of
from reelproof.stages.teachers.protocol import Teacher

Messages = tuple[Message, ...]


class Matter(NamedTuple):
    """One thing to be judged, as it is put to whoever judges it."""

    groups: tuple[Sequence[Messages], ...] = ()
    """With what is to bear it out, then with each of what it is held against; a group has one belief."""


class Judged(NamedTuple):
    """Who judged a matter, and the belief of each of its groups; None where it does not know."""

    verifier: str
    beliefs: tuple[float | None, ...]


class Panel(NamedTuple):
    """Who judges claims."""

    members: tuple[Teacher, ...]
    """In turn: a claim of which one says that it cannot know is put to the next."""
    reads_text: bool = False
    """Whether what a claim quotes as written is first held against the text that was read."""


def as_panel(verifier: Teacher | Panel) -> Panel:
    """One verifier is a panel of one."""
    return verifier if isinstance(verifier, Panel) else Panel((verifier,))


def judge(
    matters: Sequence[Matter],
    panel: Panel,
    requests_for: Callable[[Messages, str], list[ChatRequest]],
    frames: Mapping[str, bytes],
) -> list[Judged]:
    """Each by the first that knows what the first group comes to; by the last one where none does.

    Args:
        matters: What is judged; one without groups is put to nobody.
        panel: Who judges.
        requests_for: (messages, model) -> the requests for their verdicts.
        frames: sha256 -> JPEG bytes of all that the messages show.

    Raises:
        RuntimeError: One of them left requests unanswered.
    """
    last = panel.members[-1].model if panel.members else "nobody"
    judged = [Judged(last, (None,) * len(matter.groups)) for matter in matters]
    waiting = [place for place, matter in enumerate(matters) if matter.groups]
    for member in panel.members:
        asked = {
            place: [
                [request for messages in group for request in requests_for(messages, member.model)]
                for group in matters[place].groups
            ]
            for place in waiting
        }
        requests = [request for groups in asked.values() for group in groups for request in group]
        completions = ask_all(requests, member, frames)
        for place, groups in asked.items():
            judged[place] = Judged(member.model, tuple(belief_of(group, completions) for group in groups))
        waiting = [place for place in waiting if judged[place].beliefs[0] is None]
    return judged
