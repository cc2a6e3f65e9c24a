"""Claims whose truth is known, as verifiers judged them -> what a verifier's beliefs are worth, if anything.

A curve is fitted for each verifier and subject; where more belief is truth no more often, steps are one
(isotonic regression by pooling adjacent violators, Ayer et al. 1955). Its error is told of claims that it was
fitted without.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from reelproof.schemas.answers.subjects import FRAMES_SHOW, Subject
from reelproof.schemas.calibration import BINS, Calibration, KnownClaim, Plant, ReliabilityBin, Step, worth
from reelproof.schemas.intervals import wilson

VERSION = 1

LEAST = 10
"""So many true and so many false claims must have been judged, at least."""
LUCK = 0.6
"""Who tells a true claim from a false one no more surely than so is of no use; tosses of a coin do at 0.5."""
_FOLDS = 5


class _Said(NamedTuple):
    belief: float
    is_true: bool


class _Block(NamedTuple):
    """Beliefs that are worth the same."""

    from_belief: float
    true: int
    claims: int

    @property
    def probability(self) -> float:
        return (self.true + 0.5) / (self.claims + 1)


def calibrate(known: Iterable[KnownClaim]) -> Iterator[Calibration]:
    """One for each verifier and subject in turn; for `other` by all together that it was asked of frames.

    Who was asked of one subject only, as a reader is, judges nothing else.
    """
    by_verifier = defaultdict[str, dict[Subject, list[KnownClaim]]](lambda: defaultdict(list))
    for each in known:
        by_verifier[each.verifier][each.subject].append(each)
    for verifier, claims in sorted(by_verifier.items()):
        seen = [each for subject in FRAMES_SHOW for each in claims.get(subject, ())]
        if len(claims) > 1:
            claims[Subject.OTHER] = seen
        for subject in sorted(claims):
            yield _calibration(verifier, subject, claims[subject])


def _calibration(verifier: str, subject: Subject, claims: Sequence[KnownClaim]) -> Calibration:
    said = [_Said(each.belief, each.plant is Plant.TRUE) for each in claims if each.belief is not None]
    true = sum(each.is_true for each in said)
    false = len(said) - true
    apart = told_apart(said) if true and false else None
    low = None if apart is None else wilson(apart * min(true, false), min(true, false)).low
    is_able = min(true, false) >= LEAST and low is not None and low > LUCK
    return Calibration(
        verifier=verifier,
        subject=subject,
        true_claims=true,
        false_claims=false,
        unknown=len(claims) - len(said),
        told_apart=apart,
        told_apart_low=low,
        is_able=is_able,
        steps=fitted(said) if is_able else (),
        reliability=_reliability(said) if is_able else (),
    )


def told_apart(said: Sequence[_Said]) -> float:
    """Chance that a true claim is believed more than a false one, ties counting half: the area under the ROC
    curve (Mann and Whitney 1947).
    """
    above, below = 0.0, 0
    for _, here in groupby(sorted(said), key=lambda each: each.belief):
        held = [each.is_true for each in here]
        true, false = sum(held), len(held) - sum(held)
        above += true * (below + false / 2)
        below += false
    return above / (below * (len(said) - below))


def fitted(said: Sequence[_Said]) -> tuple[Step, ...]:
    """The steps from belief to probability, which rise."""
    blocks: list[_Block] = []
    for belief, here in groupby(sorted(said), key=lambda each: each.belief):
        true = [each.is_true for each in here]
        blocks.append(_Block(belief, sum(true), len(true)))
        while len(blocks) > 1 and blocks[-2].probability >= blocks[-1].probability:
            last, before = blocks.pop(), blocks.pop()
            blocks.append(_Block(before.from_belief, before.true + last.true, before.claims + last.claims))
    return tuple(Step(from_belief=each.from_belief, probability=each.probability) for each in blocks)


def _reliability(said: Sequence[_Said]) -> tuple[ReliabilityBin, ...]:
    """Of each fifth of the claims, by the curve of the others."""
    in_turn = sorted(said, key=lambda each: each.is_true)  # a fold has its share of true and of false ones
    folds = [in_turn[turn::_FOLDS] for turn in range(_FOLDS)]
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for turn, fold in enumerate(folds):
        steps = fitted([each for other, held in enumerate(folds) if other != turn for each in held])
        for each in fold:
            probability = worth(steps, each.belief)
            bins[min(BINS - 1, int(probability * BINS))].append((probability, each.is_true))
    return tuple(
        ReliabilityBin(
            claims=len(held),
            believed=sum(probability for probability, _ in held),
            true=sum(is_true for _, is_true in held),
        )
        for held in bins
    )
