"""How far a verifier can be believed, by what it says of claims whose truth is known."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum

from pydantic import Field

from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.record import Record

BINS = 10
"""Of a reliability curve: equal parts of 0 … 1."""


class Plant(StrEnum):
    """How a claim whose truth is known was made."""

    TRUE = "true"
    """It is true: the pipeline made what it speaks of, or the film's signals tell it."""
    OTHER_TIME = "other_time"
    """A true one that cites another time."""
    OTHER_PLACE = "other_place"
    """A true one that names another box."""
    OTHER_WORDS = "other_words"
    """A true one that quotes something else."""


class KnownClaim(Record):
    """A claim whose truth is known, and what one verifier made of it."""

    verifier: str
    """`name@revision`"""
    subject: Subject
    plant: Plant
    clip_id: str
    text: str
    belief: float | None = Field(ge=0, le=1)
    """As the verifier has it; null where it says that it cannot know."""


class Step(Record):
    """A step of a calibration: beliefs from here on are worth this."""

    from_belief: float
    probability: float
    """That a claim so believed is true, among known ones, of which half are."""


class ReliabilityBin(Record):
    """Known claims whose calibrated beliefs, by curves fitted without them, lie in a tenth of 0 … 1."""

    claims: int
    believed: float
    """The sum of their calibrated beliefs."""
    true: int
    """How many of them are true."""


class Calibration(Record):
    """What a verifier's beliefs in claims of one subject are worth on a part's footage."""

    verifier: str
    subject: Subject
    true_claims: int
    """Known claims that it judged and that are true, …"""
    false_claims: int
    """… that are false, …"""
    unknown: int
    """… and those of which it said that it cannot know."""
    told_apart: float | None
    """Chance that it believes a true one more than a false one, ties counting half; null without both."""
    told_apart_low: float | None
    """The lower end of that chance's 95 % interval."""
    is_able: bool
    """Whether it can tell them apart on this footage. The verdicts of one that cannot are unknown."""
    steps: tuple[Step, ...]
    """From beliefs to probabilities, in order; none where it is unable."""
    reliability: tuple[ReliabilityBin, ...]
    """Ten, from 0 to 1; none where it is unable."""


def worth(steps: Sequence[Step], belief: float) -> float:
    """The probability that a belief stands for; what lies below the first step is worth as much as that."""
    place = bisect_right([each.from_belief for each in steps], belief)
    return steps[max(0, place - 1)].probability


def expected_calibration_error(bins: Iterable[ReliabilityBin]) -> float | None:
    """Mean distance of beliefs from how often they are true, weighted by claims; None without any.

    Source: Guo et al. 2017, arXiv 1706.04599, eq. 3.
    """
    filled = [each for each in bins if each.claims]
    claims = sum(each.claims for each in filled)
    return sum(abs(each.believed - each.true) for each in filled) / claims if claims else None


def added_bins(curves: Iterable[Sequence[ReliabilityBin]]) -> tuple[ReliabilityBin, ...]:
    """Reliability curves as one."""
    return tuple(
        ReliabilityBin(
            claims=sum(each.claims for each in bins),
            believed=sum(each.believed for each in bins),
            true=sum(each.true for each in bins),
        )
        for bins in zip(*curves, strict=True)
    )
