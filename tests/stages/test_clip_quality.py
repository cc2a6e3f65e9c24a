import hashlib
import io
from dataclasses import astuple

import cv2
import numpy as np
import pytest
from PIL import Image

from reelproof.stages.checks.clip_quality import ClipQualityConfig, measure_clip_quality
from reelproof.stages.footage.clip_quality import (
    Motion,
    blur,
    colourfulness,
    measure_clips,
    shown_part,
    static_share,
)
from tests.cases import made_case
from tests.views import made_clip

RNG = np.random.default_rng(5)


def scenery() -> np.ndarray:
    """Shapes of many sizes in many colours, (216, 384, 3) uint8: detail at each scale, as footage has."""
    image = np.full((216, 384, 3), 120, np.uint8)
    for radius in (40, 25, 12, 6, 3, 2):
        for _ in range(400 // radius):
            at = RNG.integers((0, 0), (384, 216)).tolist()
            cv2.circle(image, at, radius, RNG.integers(30, 256, 3).tolist(), -1, cv2.LINE_AA)
    return image


SCENERY = scenery()
LUMA = cv2.cvtColor(SCENERY, cv2.COLOR_RGB2GRAY)


def plain(*rgb: int) -> np.ndarray:
    return np.full((40, 60, 3), rgb, np.uint8)


def barred(top: int, left: int, level: int = 0) -> np.ndarray:
    """Scenery with bars above and below, left and right."""
    return cv2.copyMakeBorder(SCENERY, top, top, left, left, cv2.BORDER_CONSTANT, value=(level,) * 3)


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=85)
    return file.getvalue()


def clip_of(images: list[np.ndarray]):
    """A clip with these keyframes, and their bytes by their hashes."""
    files = {hashlib.sha256(each).hexdigest(): each for each in map(jpeg, images)}
    clip = made_clip("film", 20.0)
    frames = tuple(clip.timeline[0].model_copy(update={"sha256": sha256}) for sha256 in files)
    return clip.model_copy(update={"keyframes": frames}), files


def test_blur_grows_with_what_is_blurred_in_either_direction():
    found = [blur(cv2.GaussianBlur(LUMA, (0, 0), deviation)) for deviation in (0.5, 1, 2, 4)]
    assert blur(LUMA) < 0.4 < 0.6 < found[2]
    assert [blur(LUMA), *found] == sorted([blur(LUMA), *found])
    for size in ((1, 9), (9, 1)):  # as a camera that shakes up and down, or that pans
        assert blur(cv2.blur(LUMA, size)) > blur(LUMA) + 0.2
    assert blur(np.full((40, 60), 90, np.uint8)) is None


def test_colourfulness_is_that_of_the_paper():
    assert colourfulness(plain(90, 90, 90)) == 0
    assert colourfulness(plain(255, 0, 0)) == pytest.approx(0.3 * np.hypot(255, 127.5))
    halves = np.concatenate([plain(200, 100, 150), plain(100, 200, 150)])  # rg is ±100, and yb 0
    assert colourfulness(halves) == pytest.approx(100)
    washed_out = (SCENERY * 0.3 + 90).astype(np.uint8)
    assert 0 < colourfulness(washed_out) < colourfulness(SCENERY)


@pytest.mark.parametrize(
    ("image", "part"),
    [
        (SCENERY, (0, 0, 1, 1)),
        (barred(54, 0), (0, 1 / 6, 1, 5 / 6)),
        (barred(0, 64, level=16), (1 / 8, 0, 7 / 8, 1)),
        (barred(54, 64), (1 / 8, 1 / 6, 7 / 8, 5 / 6)),
        (barred(54, 0, level=60), (0, 0, 1, 1)),
    ],
)
def test_bars_are_told_to_the_line(image, part):
    assert astuple(shown_part(image)) == pytest.approx(part)


def test_dark_colours_are_no_bars_and_a_black_picture_shows_nothing():
    wall = barred(54, 0)
    wall[:54] = (8, 12, 60)
    assert shown_part(wall).top == 0
    assert shown_part(plain(5, 5, 5)) is None


def test_a_clip_is_barred_where_all_its_frames_are():
    both, below = barred(54, 0), barred(54, 0)
    below[:54] = 200
    clip, files = clip_of([both, below, np.zeros_like(both)])
    (found,) = measure_clips([clip], {}, files)
    assert found.bar_share == pytest.approx(1 / 6, abs=0.01)  # what is black throughout tells nothing
    black, files = clip_of([np.zeros_like(both)])
    (found,) = measure_clips([black], {}, files)
    assert (found.bar_share, found.blur, found.static_share) == (1.0, None, None)


def test_frames_of_several_clips_are_decoded_once_and_clips_have_their_median():
    sharp, files = clip_of([SCENERY, SCENERY[::-1], cv2.GaussianBlur(SCENERY, (0, 0), 3)])
    reads: list[str] = []

    class Counted(dict):
        def __getitem__(self, key):
            reads.append(key)
            return super().__getitem__(key)

    blurred = sharp.model_copy(update={"keyframes": sharp.keyframes[2:]})
    one, other = measure_clips([sharp, blurred], {}, Counted(files))
    assert len(reads) == 3
    assert one.blur < 0.4 < 0.6 < other.blur
    assert one.colourfulness > other.colourfulness


def test_standstill_counts_by_time_and_within_the_clip():
    clip = made_clip("film", 20.0).model_copy(update={"start_s": 2.0, "end_s": 8.0})
    time_s = np.asarray([0, 1, 2, 3, 4, 7, 7.5, 8, 9], np.float32)
    motion = np.asarray([0, 9, 9, 0.2, 5, 0.1, 5, 0, 0], np.float32)
    assert static_share(clip, Motion(time_s, motion)) == pytest.approx(4 / 5.5, abs=1e-4)
    assert static_share(clip, Motion(time_s[:3], motion[:3])) is None


def test_every_rollout_has_its_clips_quality_or_nulls():
    clip, files = clip_of([SCENERY])
    (measured,) = measure_clips([clip], {}, files)
    case = made_case(["", ""], clip=clip)
    seen, unseen = (
        list(measure_clip_quality([case._replace(quality=each)], ClipQualityConfig()))
        for each in (measured, None)
    )
    assert [each.blur for each in seen] == [measured.blur] * 2
    assert {each.colourfulness for each in unseen} == {None}
