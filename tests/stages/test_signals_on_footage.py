import pytest

from tests.films import FOOTAGE
from tests.signals_on_footage import accuracy_by_kind, scan

NAMES = ("chaplin.mp4", "sam2_02_cups.mp4", "sam2_03_blocks.mp4", "sam2_05_default_juggle.mp4")


@pytest.mark.real
@pytest.mark.skipif(not (FOOTAGE / NAMES[0]).exists(), reason=f"no footage in {FOOTAGE}")
def test_signals_is_often_but_not_always_right_on_real_footage():
    accuracy = accuracy_by_kind(scan(FOOTAGE / name for name in NAMES), range(4))
    assert accuracy["odd_frame"].sampled > 0.8
    assert accuracy["foreign_span"].sampled > 0.6
    assert accuracy["reversed"].sampled < 0.8  # nothing that it measures tells: a coin
    assert accuracy["frame_order"].sampled < 0.6  # the direction is a coin as well
    assert any(each.mixed > 0.3 for each in accuracy.values())
