"""What a card says of its verifiers, by calibrations that the test writes down."""

from dataclasses import replace

import pytest

from reelproof.pipeline.dataset.card import CardConfig
from reelproof.pipeline.dataset.plots import draw_all
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.dataset.stats_files import known_stats
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import BINS, Calibration, ReliabilityBin, Step
from reelproof.schemas.manifest import BuildFacts
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.tables import to_table
from reelproof.stages.deciding import decide
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset


def calibration(verifier: str, subject: Subject, right: int | None) -> Calibration:
    """Twenty true claims believed 0.95, of which so many were true; None for a verifier that is unable."""
    bins = [ReliabilityBin(claims=0, believed=0.0, true=0)] * (BINS - 1)
    curve = (*bins, ReliabilityBin(claims=20, believed=19.0, true=right or 0))
    return Calibration(
        verifier=verifier, subject=subject, true_claims=20, false_claims=18, unknown=2,
        told_apart=None if right is None else 0.9, told_apart_low=None if right is None else 0.8,
        is_able=right is not None, steps=() if right is None else (Step(from_belief=0.0, probability=0.95),),
        reliability=() if right is None else curve,
    )  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(str(tmp_path_factory.mktemp("build")))
    parts = []
    for number, right in enumerate((20, 16, None)):
        name = f"parts/calibration-x/part-{number:05d}.parquet"
        found = [calibration("eyes@1", Subject.SCENE, right), calibration("eyes@1", Subject.MOTION, None)]
        store.write_table(name, to_table(found, Calibration))
        parts.append(replace(write_part(store, number), calibration=name))
    measured = read_measurements(store, parts)
    verdicts = decide(measured, PolicyConfig())
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, PolicyConfig(), ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    return store


def test_calibrations_of_all_parts_are_one(store):
    scene, motion = sorted(known_stats(store).build.verifiers, key=lambda each: each.subject, reverse=True)
    assert (scene.parts, scene.able_parts, scene.true_claims, scene.unknown) == (3, 2, 60, 6)
    assert scene.calibration_error == pytest.approx((38 - 36) / 40)
    assert scene.reliability[-1] == ReliabilityBin(claims=40, believed=38.0, true=36)
    assert (motion.able_parts, motion.calibration_error, motion.reliability) == (0, None, ())


def test_the_card_tells_how_far_each_verifier_can_be_believed(store):
    rows = [each for each in store.read_bytes("dataset/README.md").decode().splitlines() if "eyes" in each]
    assert [each.split(" | ")[1:] for each in rows] == [
        ["motion", "60", "54", "6", "unable", "–", " |"],
        ["scene", "60", "54", "6", "2 of 3", "0.050", "0.95 → 0.90 (40) |"],
    ]


def test_a_picture_shows_the_curves_of_those_that_are_able(store):
    stats = known_stats(store)
    drawn = {each.name: each.figure for each in draw_all(stats, [], PolicyConfig())}
    curve = drawn["reliability"].axes[0].lines[1]
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([0.95], [0.9])
    without = stats.model_copy(update={"build": stats.build.model_copy(update={"verifiers": ()})})
    assert "reliability" not in {each.name for each in draw_all(without, [], PolicyConfig())}
