"""What can be wrong with a row of somebody's dataset: one table, each kind with what it takes to be found."""

from enum import StrEnum
from typing import NamedTuple


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

KINDS = (
    Kind("unreadable_row", "it cannot be read as a question about a video"),
    Kind("unreadable_answer", "its answer is missing, is none of its options, or no scorer can read it"),
    Kind("equal_options", "two of its options are the same"),
    Kind("misread_answer", "its answer is right to a person, and not in the form that a strict scorer reads"),
    Kind("conflicting_answer", "another row asks the same of the same video, and has another answer"),
    Kind("duplicate_row", "it repeats an earlier row"),
    Kind("duplicate_question", "it asks nearly what an earlier row asks of nearly the same frames"),
    Kind(
        "span_outside_film",
        "it is about, or its answer is, a stretch that lies outside the film",
        Need.LENGTH,
    ),
    Kind("contaminated", "a named set holds it", Need.NAMED_SETS),
    Kind("missing_video", "its video is not there", Need.ROOT),
    Kind("unusable_video", "its video is there and cannot be decoded", Need.FILM),
    Kind("damaged", "its film is damaged in the part that it asks about", Need.FILM),
    Kind("repeated_video", "its video shows what an earlier one shows", Need.FILM, drops=False),
    Kind("answered_blind", "it is answered right without a frame, more often than luck explains", Need.BLIND),
    Kind("answered_from_one_frame", "it is answered right from one frame", Need.ONE_FRAME),
    Kind("answered_shuffled", "it is answered right with its frames in another order", Need.SHUFFLED),
    Kind("lucky", "its right answers are no more than luck gives", Need.ROLLOUTS),
    Kind("malformed", "no answer can be read out of its trace", Need.THOUGHT),
    Kind("wrong_answer", "its trace does not come to its answer", Need.THOUGHT),
    Kind("disagrees", "its thought concludes something else than it answers", Need.THOUGHT),
    Kind("declares_guess", "its thought says that it guesses", Need.THOUGHT),
    Kind("leaked_answer", "its thought speaks of a given answer", Need.THOUGHT),
    Kind("repetitive", "its thought says the same again and again", Need.THOUGHT),
    Kind("foreign_script", "its thought is in a script that its question does not use", Need.THOUGHT),
    Kind("duplicate", "its thought says nearly what an earlier one of the same question says", Need.THOUGHT),
    Kind("cites_outside_clip", "its thought cites times outside the film", Need.SHOWN_THOUGHT),
    Kind(
        "unsound_boxes", "its thought names boxes outside the frame, or around all of it", Need.SHOWN_THOUGHT
    ),
    Kind("ungrounded", "a verifier does not believe what its thought claims to see", Need.VERIFIER),
    Kind("control_believed", "what its thought claims is as true of other frames", Need.VERIFIER),
    Kind("misplaced", "a verifier does not see in its boxes what its thought puts there", Need.VERIFIER),
)
"""In the order in which they are told."""

OF_QUESTION = (
    *("duplicate_question", "contaminated", "damaged", "answered_blind", "answered_from_one_frame"),
    *("answered_shuffled", "lucky"),
)
"""Reasons of the policy's that hold for a question, whoever answered it."""
OF_THOUGHT = tuple(
    kind.name for kind in KINDS if kind.need in (Need.THOUGHT, Need.SHOWN_THOUGHT, Need.VERIFIER)
)
"""Reasons of the policy's that hold for a trace."""
