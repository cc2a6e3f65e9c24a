"""What can be wrong with a row of somebody's dataset: one table, each kind with what it takes to be found."""

from enum import StrEnum
from typing import NamedTuple

from reelproof.stages.policy import PolicyConfig, meanings


class Need(StrEnum):
    """What must be there for a row to be looked at, and how to have it."""

    ROW = "no row could be read"
    NAMED_SETS = "no set was named: `--against NAME=FILE`"
    LENGTH = "no film is there, and no column `duration` tells its length"
    ROOT = "no video is there: `--videos FOLDER` says where they are"
    FILM = "no video was looked at: `--videos FOLDER` says where they are"
    BLIND = "nobody was asked: `--model MODEL` names who answers without frames"
    ONE_FRAME = "nobody was asked about films: `--model MODEL`, with the videos there"
    SHUFFLED = ONE_FRAME + " and several frames a question"
    ROLLOUTS = "no question has two answers: `--set teachers=…` names who answers them, with the videos there"
    THOUGHT = "no row brings a thought"
    SHOWN_THOUGHT = "no row brings a thought about a film that was looked at"
    VERIFIER = "no claim was judged: `--set claims.verifier=…` names who looks, with the videos there"


class Kind(NamedTuple):
    """One thing that may be wrong with a row."""

    name: str
    """Where it is a reason of the policy's, its name there."""
    says: str
    need: Need = Need.ROW
    drops: bool = True
    """Whether `--fix` leaves such rows out."""

    @property
    def is_estimate(self) -> bool:
        """Whether a model's draws decide it, so that its share has an interval."""
        return self.need in _DRAWN


_DRAWN = (Need.BLIND, Need.ONE_FRAME, Need.SHUFFLED, Need.ROLLOUTS, Need.VERIFIER)

_MEANINGS = meanings(PolicyConfig())


def _reason(name: str, need: Need = Need.ROW) -> Kind:
    return Kind(name, _MEANINGS[name], need)


KINDS = (
    Kind("unreadable_row", "it cannot be read as a question about a video"),
    Kind("unreadable_answer", "its answer is missing, is none of its options, or no scorer can read it"),
    Kind("equal_options", "two of its options are the same"),
    Kind("misread_answer", "its answer is right to a person, and not in the form that a strict scorer reads"),
    _reason("conflicting_answer"),
    Kind("duplicate_row", "it repeats an earlier row"),
    _reason("duplicate_question"),
    Kind(
        "span_outside_film",
        "it is about, or its answer is, a stretch that lies outside the film",
        Need.LENGTH,
    ),
    _reason("contaminated", Need.NAMED_SETS),
    Kind("missing_video", "its video is not there", Need.ROOT),
    Kind("unusable_video", "its video is there and cannot be decoded", Need.FILM),
    _reason("damaged", Need.FILM),
    Kind("repeated_video", "its video shows what an earlier one shows", Need.FILM, drops=False),
    _reason("answered_blind", Need.BLIND),
    _reason("answered_from_one_frame", Need.ONE_FRAME),
    _reason("answered_shuffled", Need.SHUFFLED),
    _reason("lucky", Need.ROLLOUTS),
    _reason("malformed", Need.THOUGHT),
    _reason("wrong_answer", Need.THOUGHT),
    _reason("disagrees", Need.THOUGHT),
    _reason("declares_guess", Need.THOUGHT),
    _reason("leaked_answer", Need.THOUGHT),
    _reason("repetitive", Need.THOUGHT),
    _reason("foreign_script", Need.THOUGHT),
    _reason("duplicate", Need.THOUGHT),
    _reason("cites_outside_clip", Need.SHOWN_THOUGHT),
    _reason("unsound_boxes", Need.SHOWN_THOUGHT),
    _reason("ungrounded", Need.VERIFIER),
    _reason("claim_denied", Need.VERIFIER),
    _reason("observation_denied", Need.VERIFIER),
    _reason("control_believed", Need.VERIFIER),
    _reason("misplaced", Need.VERIFIER),
)
"""In the order in which they are told."""

OF_QUESTION = (
    *("conflicting_answer", "duplicate_question", "contaminated", "damaged"),
    *("answered_blind", "answered_from_one_frame", "answered_shuffled", "lucky"),
)
"""Reasons of the policy's that hold for a question, whoever answered it."""
OF_THOUGHT = tuple(
    kind.name for kind in KINDS if kind.need in (Need.THOUGHT, Need.SHOWN_THOUGHT, Need.VERIFIER)
)
"""Reasons of the policy's that hold for a trace."""
