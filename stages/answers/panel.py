"""What claims say -> beliefs: each claim goes to the first of a panel that can judge it, and knows."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import Step, worth
from reelproof.schemas.chat import ChatRequest, Message
from reelproof.stages.answers.verdicts import ask_all, belief_of
from reelproof.stages.teachers.protocol import Teacher

Messages = tuple[Message, ...]


class Matter(NamedTuple):
    """One thing to be judged, as it is put to whoever judges it."""

    groups: tuple[Sequence[Messages], ...] = ()
    """With what is to bear it out, then with each of what it is held against; a group has one belief."""
    subject: Subject = Subject.OTHER


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
    calibrated: Mapping[tuple[str, Subject], Sequence[Step]] | None = None
    """What beliefs of a verifier in claims of a subject are worth, of those that are able; None where nobody
    measured it, and beliefs are as they come."""

    def is_able(self, verifier: str, subject: Subject) -> bool:
        """Whether its beliefs are worth anything."""
        return self.calibrated is None or bool(self.calibrated.get((verifier, subject)))

    def weighed(self, judged: Judged, subject: Subject) -> Judged:
        """The same with beliefs as probabilities; unknown where the verifier is unable."""
        if self.calibrated is None:
            return judged
        steps = self.calibrated.get((judged.verifier, subject), ())
        known = [None if each is None or not steps else worth(steps, each) for each in judged.beliefs]
        return judged._replace(beliefs=tuple(known))


def as_panel(verifier: Teacher | Panel) -> Panel:
    """One verifier is a panel of one."""
    return verifier if isinstance(verifier, Panel) else Panel((verifier,))


def judge(
    matters: Sequence[Matter],
    panel: Panel,
    requests_for: Callable[[Messages, str], list[ChatRequest]],
    frames: Mapping[str, bytes],
) -> list[Judged]:
    """Each by the first that is able, and knows what the first group comes to; by the last where none does.

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
        known: dict[str, ChatRequest] = {}  # rollouts say the same: it is held and asked once
        asked = {
            place: [
                [
                    known.setdefault(request.request_id, request)
                    for messages in group
                    for request in requests_for(messages, member.model)
                ]
                for group in matters[place].groups
            ]
            for place in waiting
            if panel.is_able(member.model, matters[place].subject)
        }
        completions = ask_all(known.values(), member, frames)
        for place, groups in asked.items():
            found = Judged(member.model, tuple(belief_of(group, completions) for group in groups))
            judged[place] = panel.weighed(found, matters[place].subject)
        waiting = [place for place in waiting if judged[place].beliefs[0] is None]
    return judged
