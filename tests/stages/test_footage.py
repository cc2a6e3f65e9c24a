import io
import itertools

import cv2
import numpy as np
import pytest
from PIL import Image
from scenedetect.common import FrameTimecode
from scenedetect.detectors import ContentDetector

from reelproof.schemas.footage import FLAT_HASH, Footage, joined
from reelproof.stages.footage.cuts import Meter
from reelproof.stages.footage.decode import LocalVideo, Reel
from reelproof.stages.footage.keyframes import perceptual_hash
from reelproof.stages.footage.pictures import RgbConverter
from reelproof.stages.footage.scan import (
    FootageConfig,
    rows_of,
    scan_footage,
    scan_in_pieces,
)
from tests.films import FOOTAGE, Shot, erase, make_film


def scan(path, **cfg) -> Footage:
    (footage,) = scan_footage([LocalVideo(str(path), "v", path.name, 1)], FootageConfig(**cfg))
    return footage


def test_same_file_gives_same_record_whatever_the_threads(tmp_path):
    source = LocalVideo(str(make_film(tmp_path / "a.mp4")), "v", "a", 1)
    assert list(scan_footage([source], FootageConfig())) == list(
        scan_footage([source], FootageConfig(), threads=3)
    )


def test_content_is_what_pyscenedetect_computes():
    random = np.random.default_rng(3)
    images = [random.integers(0, 256, (90, 160, 3), dtype=np.uint8) for _ in range(4)]
    meter, detector = Meter(), ContentDetector()
    for index, image in enumerate(images):
        detector.process_frame(FrameTimecode(index, fps=25.0), image)
        assert meter.content(image) == pytest.approx(detector._frame_score, abs=1e-6)


def test_every_window_has_a_candidate(tmp_path):
    footage = scan(make_film(tmp_path / "a.mp4", [Shot(look, 1.3) for look in range(1, 6)]))
    times_s = [0.0, *(each.frame.time_s for each in footage.candidates), footage.duration_s]
    assert max(b - a for a, b in itertools.pairwise(times_s)) <= 2.0


@pytest.mark.parametrize("exact", [False, True])
def test_every_shot_has_a_candidate_however_short(exact, tmp_path):
    lengths_s = [0.6, 0.4, 1.2, 0.4, 0.52, 2.0, 0.4]
    shots = [Shot(look, seconds) for look, seconds in enumerate(lengths_s, start=1)]
    footage = scan(make_film(tmp_path / "a.mp4", shots), exact=exact)
    ends_s = list(itertools.accumulate(lengths_s))
    for start_s, end_s in itertools.pairwise([0.0, *ends_s]):
        assert any(start_s <= each.frame.time_s < end_s for each in footage.candidates)


def test_candidates_are_the_frames_of_their_times(tmp_path):
    path = make_film(tmp_path / "a.mp4", [Shot(1, 2.0), Shot(2, 2.0)])
    footage = scan(path, jpeg_quality=95)
    with Reel(str(path)) as reel:
        shown = {timed.time_s: RgbConverter().convert(timed.frame) for timed in reel.frames(exact=True)}
    for each in footage.candidates:
        image = np.asarray(Image.open(io.BytesIO(each.jpeg))).astype(int)
        assert np.abs(image - shown[each.frame.time_s]).mean() < 4
        assert each.frame.width, each.frame.height == image.shape[:2]


def test_no_candidate_is_black_where_another_frame_is_not(tmp_path):
    footage = scan(make_film(tmp_path / "a.mp4", [Shot(1, 2.0), Shot(2, 3.0, fade="black")]))
    assert all(each.luminance > 24 for each in footage.candidates)


def test_long_film_comes_in_pieces_that_make_one_footage(tmp_path):
    path = make_film(tmp_path / "a.mp4", [Shot(1, 80.0)], fps=20, size=(160, 90))
    cfg = FootageConfig(candidate_every_s=0.1, min_window_s=0.1, exact=True)
    source = LocalVideo(str(path), "v", "a.mp4", path.stat().st_size)
    *pieces, last = scan_in_pieces(source, cfg)
    assert [len(piece.candidates) for piece in pieces] == [256, 256]
    assert 0 < len(last.candidates) < 256
    (whole,) = scan_footage([source], cfg)
    assert joined(list(rows_of(pieces, last))) == whole
    assert whole.frame_count == len(whole.signals.time_s) == len(whole.signals.motion)
    assert len(whole.signals.signature) == 9 * 16 * whole.frame_count
    assert np.diff(whole.signals.time_s).max() < 0.11
    assert np.diff([each.frame.time_s for each in whole.candidates]).max() < 0.41
    assert min(whole.signals.motion[1:]) > 0


def test_candidates_share_their_longer_side(tmp_path):
    for size in ((320, 96), (96, 320)):
        footage = scan(make_film(tmp_path / f"{size[0]}.mp4", size=size), long_side_px=128)
        assert {max(each.frame.width, each.frame.height) for each in footage.candidates} == {128}


def test_skipping_finds_the_length_that_decoding_all_finds(tmp_path):
    path = make_film(tmp_path / "a.mp4", [Shot(1, 3.0)])
    skipped, full = scan(path), scan(path, exact=True)
    assert skipped.frame_count < full.frame_count
    assert skipped.duration_s == pytest.approx(full.duration_s, abs=1e-6)


@pytest.mark.parametrize("options", [{"bf": "0"}, {"bf": "8", "b_strategy": "2", "b-pyramid": "none"}])
def test_nothing_is_skipped_where_it_would_leave_long_gaps(options, tmp_path):
    path = make_film(tmp_path / "a.mp4", [Shot(1, 3.0, motion_px=0)], options=options)
    assert np.diff(scan(path).signals.time_s).max() <= 3.01 / 25


def test_damage_is_in_the_record(tmp_path):
    whole = make_film(tmp_path / "a.mp4", [Shot(1, 4.0)], options={"g": "12"})
    footage = scan(erase(whole, tmp_path / "b.mp4", 0.3, 0.5))
    assert footage.damaged
    assert "damaged" in footage.salvage
    assert scan(whole).salvage is None


def test_perceptual_hash_outlives_jpeg_and_scale_but_not_another_picture(tmp_path):
    one, two = (scan(make_film(tmp_path / f"{look}.mp4", [Shot(look, 1.0)])).candidates[0] for look in (1, 2))
    image = np.asarray(Image.open(io.BytesIO(one.jpeg)))
    smaller = cv2.resize(image, (96, 60), interpolation=cv2.INTER_AREA)
    distance = lambda a, b: (int(a, 16) ^ int(b, 16)).bit_count()  # noqa: E731
    assert distance(one.frame.phash, perceptual_hash(smaller)) <= 4
    assert distance(one.frame.phash, two.frame.phash) >= 16
    assert not one.frame.is_flat


@pytest.mark.parametrize("level", [3, 128, 250])
def test_noise_on_one_grey_is_a_flat_picture_and_what_can_be_seen_is_none(level):
    noise = np.random.default_rng(level).normal(level, 6, (360, 640, 3))
    assert perceptual_hash(noise.clip(0, 255).astype(np.uint8)) == FLAT_HASH
    noise[100:260, 200:440] += 20 if level < 200 else -20
    assert perceptual_hash(noise.clip(0, 255).astype(np.uint8)) != FLAT_HASH


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "seconds", "salvaged"),
    [
        ("decord_corrupted.mp4", 5.0, True),
        ("no_duration.webm", 4.9, False),
        ("tree.avi", 29.6, False),
        ("fire_rotated180.mp4", 2.3, False),
        ("tc_av1_video.mkv", 5.0, False),
        ("tc_h265_10bits.mp4", 1.0, False),
    ],
)
def test_real_odd_footage_is_kept_whole(name, seconds, salvaged):
    if not (FOOTAGE / name).exists():
        pytest.skip(f"no {name} in {FOOTAGE}")
    footage = scan(FOOTAGE / name)
    assert footage.duration_s == pytest.approx(seconds, abs=0.1)
    assert bool(footage.salvage) is salvaged
