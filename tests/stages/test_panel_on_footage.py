import pytest

from tests.films import FOOTAGE

NAMES = ("bikes.mp4", "bigbuckbunny.mp4")


@pytest.mark.real
@pytest.mark.skipif(not (FOOTAGE / NAMES[0]).exists(), reason=f"no footage in {FOOTAGE}")
def test_a_panel_without_a_model_finds_planted_claims_on_real_footage():
    pytest.importorskip("rapidocr_onnxruntime")
    from tests.panel_on_footage import (  # it needs the extra `ocr`
        OTHER_BOX,
        believed,
        error_of,
        measure,
        scan,
    )

    told, calibrations = measure(scan(FOOTAGE / name for name in NAMES), claims=16, taught=16)
    able = {str(each.subject) for each in calibrations if each.is_able}
    assert {"writing", "quote"} <= able
    assert {each.plant for each in told} >= {"true", "other_time", "other_place", "other_words", OTHER_BOX}
    for subject in {each.subject for each in told}:
        mine = [each for each in told if each.subject == subject]
        if subject not in able:  # so little moves, and so few cuts there are, that nothing shows who can tell
            assert all(each.belief is None for each in mine), subject
            continue
        right = sum(each.is_true for each in believed(mine))
        assert right >= 0.9 * len(believed(mine)), subject
        assert right >= 0.9 * sum(each.is_true for each in mine), subject
        assert error_of(mine) <= 0.05, subject
