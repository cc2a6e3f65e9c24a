import numpy as np
import pytest

from reelproof.stages.footage.decode import Reel, UnusableVideoError
from reelproof.stages.footage.random_access import frames_at, frames_by_scanning, frames_by_seeking
from tests.films import Shot, make_film

TIMES_S = (3.2, 0.0, 1.0, 1.0, 2.999)
SHOTS = [Shot(1, 2.0), Shot(2, 2.0)]


@pytest.fixture
def path(tmp_path):
    return str(make_film(tmp_path / "film.mp4", SHOTS, options={"g": "12"}))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b).mean()) < 4


def test_seeking_and_scanning_show_the_same_frames(path):
    with Reel(path) as reel:
        times_s = [timed.time_s for timed in reel.frames(exact=True)][::7]
    sought = frames_by_seeking(path, times_s, None, worth=np.inf)
    assert sought is not None
    assert all(close(*pair) for pair in zip(sought, frames_by_scanning(path, times_s, None), strict=True))


def test_frames_come_in_the_order_asked(path):
    got = frames_at(path, TIMES_S)
    single = [frames_at(path, [time_s])[0] for time_s in TIMES_S]
    assert all(close(*pair) for pair in zip(got, single, strict=True))
    assert not close(got[0], got[1])


def test_time_past_the_end_gives_the_last_frame(path):
    assert close(frames_at(path, [99.0])[0], frames_at(path, [3.96])[0])


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_frames_are_upright_either_way(rotation_deg, tmp_path):
    path = str(make_film(tmp_path / "film.mp4", SHOTS, rotation_deg=rotation_deg))
    sought = frames_by_seeking(path, [1.0], 80, worth=np.inf)
    assert sought is not None
    assert close(sought[0], frames_by_scanning(path, [1.0], 80)[0])


@pytest.mark.parametrize(
    ("name", "codec"), [("film.mkv", "libsvtav1"), ("film.avi", "ffv1"), ("film.ts", "libx264")]
)
def test_file_that_decord_may_not_read_is_read_all_the_same(name, codec, tmp_path):
    path = str(make_film(tmp_path / name, SHOTS, codec=codec))
    first, second = frames_at(path, [1.0, 3.0])
    assert not close(first, second)


def test_one_group_of_pictures_is_scanned(tmp_path):
    path = str(make_film(tmp_path / "film.mp4", SHOTS, options={"g": "1000", "sc_threshold": "0"}))
    assert frames_by_seeking(path, [0.5, 1.5, 3.5], None) is None


def test_text_is_no_video(tmp_path):
    (tmp_path / "film.mp4").write_text("no video")
    with pytest.raises(UnusableVideoError):
        frames_at(str(tmp_path / "film.mp4"), [0.0])
