"""What stands out, what is an event, and in which order answers may come."""

import base64
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.event import UNUSUAL, TickAnswer
from reelproof.schemas.tick import MEASURES, Tick, TickMeasures
from reelproof.stages.footage.watched import motion_of
from reelproof.stages.watching.folding import Fold
from reelproof.stages.watching.gate import Gate, GateConfig
from reelproof.stages.watching.hysteresis import HysteresisConfig, Scored, Stretch, step

CFG = HysteresisConfig(open_at=0.6, keep_at=0.4, quiet_s=2, longest_s=20)


def scored(scores: list[float]) -> list[Scored]:
    return [Scored(number, number, number + 1, score) for number, score in enumerate(scores)]


def events_of(scores: list[float]) -> list[Stretch]:
    """Those of a finished stream, in order."""
    open_, events = None, []
    for tick in scored(scores):
        open_, _, closed = step(open_, tick, CFG)
        events += [closed] if closed else []
    return [*events, *([open_] if open_ else [])]


@pytest.mark.parametrize(
    ("scores", "events"),
    [
        ([], []),
        ([0.5, 0.5, 0.5], []),
        ([0, 0.6, 0, 0], [(1, 2)]),
        ([0, 0.5, 0.7, 0.5, 0.4, 0, 0], [(2, 5)]),
        ([0.7, 0, 0.7], [(0, 3)]),  # a pause shorter than quiet_s
        ([0.7, 0, 0, 0.7], [(0, 1), (3, 4)]),
        ([0.9] * 45, [(0, 20), (20, 40), (40, 45)]),
    ],
)
def test_events_open_high_and_end_after_quiet(scores, events):
    found = [(each.start_s, each.end_s) for each in events_of(scores)]
    assert found == events


@given(st.lists(st.floats(0, 1), max_size=60))
def test_events_lie_apart_and_hold_every_high_tick(scores):
    events = events_of(scores)
    assert all(before.end_s <= after.start_s for before, after in pairwise(events))
    for number, score in enumerate(scores):
        inside = any(each.start_s <= number < each.end_s for each in events)
        assert inside or score < CFG.open_at
    assert all(each.score == max(scores[each.first : each.last + 1]) for each in events)


def moves(random: np.random.Generator, backwards: bool = False, share: float = 1.0) -> str:
    """Two lanes, one to the right and one to the left; in each, some cells have traffic."""
    lanes = np.zeros((8, 10, 2))
    lanes[2, :, 0], lanes[5, :, 0] = 60, -60
    lanes *= random.random((8, 10, 1)) < 0.7
    pushed = share * (-lanes if backwards else lanes) + random.normal(0, 1, lanes.shape)
    return base64.b64encode(pushed.round().astype(np.int8).tobytes()).decode()


def measures(random: np.random.Generator, **changed: object) -> TickMeasures:
    """Of a street: some motion to the right, the same picture with a little noise."""
    picture = np.linspace(40, 200, 144) + random.normal(0, 1, 144)
    usual: dict[str, object] = {
        "motion": 0.5 + random.normal(0, 0.2),
        "jolt": 1.0 + random.normal(0, 0.2),
        "unrest": -3 + random.normal(0, 0.2),
        "luminance": 120 + random.normal(0, 2),
        "contrast": 40 + random.normal(0, 1),
        "sharpness": 5 + random.normal(0, 0.1),
        "flow": tuple(np.tile([0.5, 0.0], 16) + random.normal(0, 0.05, 32)),
        "moves": moves(random),
        "picture": base64.b64encode(picture.clip(0, 255).astype(np.uint8).tobytes()).decode(),
    }
    return TickMeasures.model_validate(usual | changed)


def taught(seconds: int, seed: int = 0) -> tuple[Gate, np.random.Generator]:
    gate, random = Gate(GateConfig(learn_s=60)), np.random.default_rng(seed)
    for second in range(seconds):
        each = measures(random)
        gate.look(each, 1.0)
        gate.learn(each, second + 1.0)
    return gate, random


FOREIGN = base64.b64encode(np.linspace(200, 40, 144).astype(np.uint8).tobytes()).decode()


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"motion": -3.0}, "motion"),
        ({"motion": 3.0}, "motion"),
        ({"jolt": 4.0}, "jolt"),
        ({"unrest": 0.0}, "unrest"),
        ({"luminance": 5.0}, "luminance"),
        ({"sharpness": 2.0}, "sharpness"),
        ({"picture": FOREIGN}, "picture"),
        ({"flow": tuple(np.tile([-0.5, 0.0], 16))}, "direction"),
    ],
)
def test_what_is_unlike_the_past_stands_out_for_its_reason(changed, because):
    gate, random = taught(150)
    standing = gate.look(measures(random, **changed), 1.0)
    assert standing.because == because
    assert MEASURES[because]
    assert standing.stands_out > 2
    assert standing.is_asked


@pytest.mark.parametrize(("share", "stands_out"), [(1.0, True), (0.0, False)])
def test_lanes_that_go_backwards_stand_out_and_empty_ones_do_not(share, stands_out):
    gate, random = taught(150)
    standing = gate.look(measures(random, moves=moves(random, backwards=True, share=share)), 1.0)
    assert (standing.stands_out > 2) == stands_out
    assert standing.because == "reversal" or not stands_out
    assert MEASURES["reversal"]


def test_ticks_of_a_version_that_measured_less_teach_nothing_and_the_rest_is_learned_anew():
    older, new = Gate(GateConfig(learn_s=60)), Gate(GateConfig(learn_s=60))
    random = np.random.default_rng(0)
    for number in range(150):
        older.recall(tick(number, 5.0, measures=measures(random, moves="")), 1.0)
    told = []
    for second in range(150, 300):
        each = measures(random)
        told.append(older.look(each, 1.0))
        assert told[-1] == new.look(each, 1.0)
        for gate in (older, new):
            gate.learn(each, second + 1.0)
    assert [bool(each.because) for each in told] == [False] * 60 + [True] * 90


def test_the_usual_does_not_stand_out_and_is_asked_about_by_its_share():
    gate, random = taught(150)
    seen = [gate.look(measures(random), 1.0) for _ in range(200)]
    assert np.mean([each.stands_out > 2 for each in seen]) < 0.01
    assert 0.15 < np.mean([each.is_asked for each in seen[50:]]) < 0.35


def test_one_sided_measures_do_not_stand_out_by_their_other_end():
    gate, random = taught(150)
    assert gate.look(measures(random, jolt=-3.0, unrest=-9.0), 1.0).stands_out < 2


def test_nothing_stands_out_while_it_learns_and_old_times_are_forgotten():
    gate, random = taught(30)
    assert gate.look(measures(random, luminance=5.0), 1.0).stands_out == 0
    gate = Gate(GateConfig(learn_s=20, memory_s=100))
    for second in range(400):
        each = measures(random, luminance=120.0 if second < 200 else 60.0)
        gate.look(each, 1.0)
        gate.learn(each, second + 1.0)
    standing = gate.look(measures(random, luminance=120.0), 1.0)
    assert (standing.because, standing.stands_out > 2) == ("luminance", True)


def test_a_gate_that_recalls_is_as_one_that_saw():
    gate, random = Gate(GateConfig(learn_s=20)), np.random.default_rng(1)
    again = Gate(GateConfig(learn_s=20))
    for number in range(80):
        each = measures(random)
        standing = gate.look(each, 1.0)
        gate.learn(each, number + 1.0)
        again.recall(tick(number, standing.stands_out, measures=each, because=standing.because), 1.0)
    last = measures(random, motion=2.0)
    assert again.look(last, 1.0) == gate.look(last, 1.0)


@pytest.mark.parametrize(
    ("move", "along"), [((2, 0), (2, 0)), ((-1, 0), (-1, 0)), ((0, 2), (0, 2)), ((0, 0), (0, 0))]
)
def test_flow_tells_where_a_picture_moves(move, along):
    y, x = np.mgrid[0:64, 0:112]
    picture = (120 + 60 * np.sin(x / 6) * np.cos(y / 5)).astype(np.uint8)
    motion = motion_of(picture, np.roll(picture, move, axis=(1, 0)))
    middle = motion.flow.reshape(4, 4, 2)[1:3, 1:3].mean(axis=(0, 1))
    assert middle == pytest.approx(along, abs=0.5)
    pushed = motion.push.reshape(8, 10, 2)[2:6, 2:8].mean(axis=(0, 1))
    assert np.sign(pushed.round()).tolist() == np.sign(along).tolist()


def tick(number: int, stands_out: float, is_asked: bool = False, **more: object) -> Tick:
    return Tick.model_validate(
        {
            "number": number,
            "start_s": number,
            "end_s": number + 1,
            "film": 0,
            "frame_count": 1,
            "measures": measures(np.random.default_rng(0)),
            "stands_out": stands_out,
            "because": "motion",
            "is_usual": True,
            "is_asked": is_asked,
            "frames": (),
            "arrived_at": 0.0,
            "seen_at": 0.0,
        }
        | more
    )


def answer(number: int, belief: float, is_borne_out: bool = True) -> TickAnswer:
    return TickAnswer(
        tick=number,
        question="Why?",
        answer="yes",
        votes=("yes",),
        belief=belief,
        margin=1.0,
        is_borne_out=is_borne_out,
        thought="",
        claims=(),
        shown=(),
        model="m",
        answered_at=0.0,
    )


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=25), st.randoms(use_true_random=False))
def test_events_are_the_same_in_whatever_order_answers_come(beliefs, random):
    def changes(order: list[int]) -> list[object]:
        fold = Fold(None, {"Why?": CFG}, window_s=1, needs_evidence=True)
        told = [
            change for number in range(len(beliefs)) for change in fold.see(tick(number, 0.0, is_asked=True))
        ]
        told += [change for number in order for change in fold.hear(answer(number, beliefs[number]))]
        return [*told, *fold.end()]

    shuffled = list(range(len(beliefs)))
    random.shuffle(shuffled)
    assert changes(shuffled) == changes(list(range(len(beliefs))))


def test_unusual_and_asked_events_are_told_apart_and_evidence_counts():
    fold = Fold(CFG, {"Why?": CFG}, window_s=3, needs_evidence=True)
    opened = [change.question for change in fold.see(tick(5, 1.0, is_asked=True))]
    assert opened == [UNUSUAL]
    assert fold.oldest == 5
    assert list(fold.hear(answer(5, 1.0, is_borne_out=False))) == []
    assert list(fold.see(tick(6, 0.0, is_asked=True))) == []
    (change,) = fold.hear(answer(6, 1.0))
    assert (change.question, change.stretch.start_s, change.is_over) == ("Why?", 4.0, False)
    assert fold.open_questions == (UNUSUAL, "Why?")
    assert [each.question for each in fold.end()] == [UNUSUAL, "Why?"]
