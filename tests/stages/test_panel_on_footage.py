import pytest

from tests.films import FOOTAGE

NAMES = ("chaplin.mp4", "sam2_02_cups.mp4")


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
    able = {(each.verifier.partition("@")[0], str(each.subject)) for each in calibrations if each.is_able}
    assert {("rapidocr-onnxruntime", "writing"), ("speech", "quote"), ("signals", "scene")} <= able
    assert {each.plant for each in told} >= {"true", "other_time", "other_place", "other_words", OTHER_BOX}
    for subject in ("writing", "quote", "scene"):
        mine = [each for each in told if each.subject == subject]
        found = believed(mine)
        right = sum(each.is_true for each in found)
        assert right >= 0.9 * len(found), subject
        assert right >= 0.9 * sum(each.is_true for each in mine), subject
        assert error_of(mine) <= 0.05, subject
