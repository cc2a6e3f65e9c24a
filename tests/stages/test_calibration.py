"""What beliefs are worth: against verifiers whose reliability is known, because the test makes them."""

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import (
    Calibration,
    KnownClaim,
    Plant,
    ReliabilityBin,
    Step,
    added_bins,
    expected_calibration_error,
    worth,
)
from reelproof.stages.answers.calibration import LEAST, _Said, calibrate, fitted, told_apart

beliefs = st.sampled_from((0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0))
saids = st.lists(st.builds(_Said, beliefs, st.booleans()), min_size=2, max_size=60)


def known(belief: float | None, is_true: bool, subject: Subject = Subject.SCENE) -> KnownClaim:
    plant = Plant.TRUE if is_true else Plant.OTHER_TIME
    return KnownClaim(verifier="v@1", subject=subject, plant=plant, clip_id="c", text="It is.", belief=belief)


def simulated(claims: int, says: Callable[[bool, random.Random], float | None], seed: int = 0):
    rng = random.Random(seed)
    return [known(says(place % 2 == 0, rng), place % 2 == 0) for place in range(claims)]


def of(claims: list[KnownClaim], subject: Subject = Subject.SCENE) -> Calibration:
    return next(each for each in calibrate(claims) if each.subject is subject)


def votes(true_yes: float, false_yes: float) -> Callable[[bool, random.Random], float]:
    """Five votes, each yes with a probability that hangs on the truth."""
    return lambda is_true, rng: sum(rng.random() < (true_yes if is_true else false_yes) for _ in range(5)) / 5


def test_beliefs_of_a_verifier_become_how_often_it_is_right():
    """An overconfident one: five votes of yes are truth only so often. Held against fresh claims of it."""
    says = votes(0.9, 0.45)
    calibration = of(simulated(400, says))
    assert calibration.is_able
    bins = [[0, 0.0, 0] for _ in range(10)]
    raw = [[0, 0.0, 0] for _ in range(10)]
    for each in simulated(20_000, says, seed=1):
        for held, belief in ((bins, worth(calibration.steps, each.belief)), (raw, each.belief)):
            bin_ = held[min(9, int(belief * 10))]
            bin_[0], bin_[1], bin_[2] = bin_[0] + 1, bin_[1] + belief, bin_[2] + (each.plant is Plant.TRUE)
    error, before = (
        expected_calibration_error(ReliabilityBin(claims=n, believed=b, true=t) for n, b, t in held)
        for held in (bins, raw)
    )
    assert error <= 0.05 < before
    assert expected_calibration_error(calibration.reliability) <= 0.05


@pytest.mark.parametrize(
    ("says", "able"),
    [
        (votes(0.5, 0.5), False),
        (votes(0.9, 0.9), False),  # believes whatever it is told
        (lambda is_true, rng: 1.0, False),
        (lambda is_true, rng: float(not is_true), False),  # surely wrong
        (lambda is_true, rng: float(is_true), True),
        (lambda is_true, rng: float(is_true) if rng.random() < 0.75 else None, True),
        (lambda is_true, rng: None, False),
        (votes(0.9, 0.2), True),
    ],
)
def test_who_cannot_tell_true_from_false_is_unable(says, able):
    for seed in range(5):
        calibration = of(simulated(64, says, seed))
        assert calibration.is_able is able
        assert bool(calibration.steps) is bool(calibration.reliability) is able
    assert calibration.true_claims + calibration.false_claims + calibration.unknown == 64


def test_few_claims_show_nobody_to_be_able():
    def right(count: int) -> Calibration:
        return of([known(float(is_true), is_true) for is_true in (True, False) for _ in range(count)])

    assert not right(LEAST - 1).is_able
    assert right(LEAST).is_able


def test_all_else_goes_by_all_that_frames_show():
    claims = [
        known(float(is_true), is_true, subject)
        for subject in (Subject.SCENE, Subject.WRITING, Subject.QUOTE)
        for is_true in (True, False)
        for _ in range(6)
    ]
    found = {each.subject: each for each in calibrate(claims)}
    assert found[Subject.OTHER].true_claims == found[Subject.OTHER].false_claims == 12
    assert [subject for subject, each in found.items() if each.is_able] == [Subject.OTHER]


@given(saids)
def test_steps_rise_and_stay_within(said):
    steps = fitted(said)
    probabilities = [each.probability for each in steps]
    assert all(a < b for a, b in itertools.pairwise(probabilities))
    assert all(0 < each < 1 for each in probabilities)
    assert steps[0].from_belief == min(each.belief for each in said)


@given(saids)
def test_true_claims_above_false_ones_are_counted_as_by_hand(said):
    true = [each.belief for each in said if each.is_true]
    false = [each.belief for each in said if not each.is_true]
    if true and false:
        pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(true, false)]
        assert told_apart(said) == pytest.approx(sum(pairs) / len(pairs))


def test_a_belief_is_worth_the_step_that_it_stands_on():
    steps = [Step(from_belief=0.2, probability=0.1), Step(from_belief=0.8, probability=0.9)]
    assert [worth(steps, each) for each in (0.0, 0.2, 0.79, 0.8, 1.0)] == [0.1, 0.1, 0.1, 0.9, 0.9]


def test_the_error_of_a_curve_by_hand():
    curve = [
        ReliabilityBin(claims=3, believed=0.6, true=1),
        ReliabilityBin(claims=0, believed=0.0, true=0),
        ReliabilityBin(claims=1, believed=0.9, true=1),
    ]
    assert expected_calibration_error(curve) == pytest.approx((0.4 + 0.1) / 4)
    assert expected_calibration_error(added_bins([curve, curve])) == pytest.approx((0.4 + 0.1) / 4)
    assert expected_calibration_error([]) is None
