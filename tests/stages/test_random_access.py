import numpy as np
import pytest

from reelproof.stages.footage import random_access, seeking
from reelproof.stages.footage.crops import Box
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import (
    frames_at,
    frames_by_decord,
    frames_by_scanning,
    look,
    zoom,
)
from tests.films import Shot, make_film
from tests.sound_films import SOUND, film

TIMES_S = (3.2, 0.0, 1.0, 1.0, 2.999)
SHOTS = [Shot(1, 2.0), Shot(2, 2.0)]


@pytest.fixture
def path(tmp_path):
    return str(make_film(tmp_path / "film.mp4", SHOTS, options={"g": "12"}))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b).mean()) < 4


def test_decord_shows_the_same_frames_where_it_is_asked_for(path):
    with Reel(path) as reel:
        times_s = [timed.time_s for timed in reel.frames(exact=True)][::7]
    read = frames_by_decord(path, times_s, None)
    assert read is not None
    assert all(close(*pair) for pair in zip(read, frames_by_scanning(path, times_s, None), strict=True))
    assert all(map(close, frames_at(path, times_s, reader="decord"), read))


def test_frames_come_in_the_order_asked(path):
    got = frames_at(path, TIMES_S)
    single = [frames_at(path, [time_s])[0] for time_s in TIMES_S]
    assert all(close(*pair) for pair in zip(got, single, strict=True))
    assert not close(got[0], got[1])


def test_time_past_the_end_gives_the_last_frame(path):
    assert close(frames_at(path, [99.0])[0], frames_at(path, [3.96])[0])


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_decords_frames_are_upright(rotation_deg, tmp_path):
    path = str(make_film(tmp_path / "film.mp4", SHOTS, rotation_deg=rotation_deg))
    read = frames_by_decord(path, [1.0], 80)
    assert read is not None
    assert close(read[0], frames_by_scanning(path, [1.0], 80)[0])


@pytest.mark.parametrize(
    ("name", "codec"), [("film.mkv", "libsvtav1"), ("film.avi", "ffv1"), ("film.ts", "libx264")]
)
def test_file_that_decord_may_not_read_is_read_all_the_same(name, codec, tmp_path):
    path = str(make_film(tmp_path / name, SHOTS, codec=codec))
    first, second = frames_at(path, [1.0, 3.0])
    assert not close(first, second)


def test_text_is_no_video(tmp_path):
    (tmp_path / "film.mp4").write_text("no video")
    with pytest.raises(UnusableVideoError):
        frames_at(str(tmp_path / "film.mp4"), [0.0])


def test_look_takes_the_middles_of_equal_shares(path):
    seen = look(path, 1.0, 3.0, 4, 64)
    assert [each.time_s for each in seen] == [1.25, 1.75, 2.25, 2.75]
    for each in seen:
        assert close(each.image, frames_by_scanning(path, [each.time_s], 64)[0])


@pytest.mark.parametrize("rotation_deg", [0, 90])
def test_zoom_is_the_part_of_the_upright_frame_at_full_size(rotation_deg, tmp_path):
    path = str(make_film(tmp_path / "film.mp4", SHOTS, size=(320, 160), rotation_deg=rotation_deg))
    (whole,) = frames_by_scanning(path, [1.0], None)
    height, width = whole.shape[:2]
    seen = zoom(path, 1.0, Box(0.5, 0.25, 1.0, 0.75))
    assert close(seen.image, whole[height // 4 : height * 3 // 4, width // 2 :])
    assert max(zoom(path, 1.0, Box(0, 0, 1, 1), 40).image.shape) == 40
    assert zoom(path, 1.0, Box(0.9999, 0.9999, 1.0, 1.0)).image.shape == (1, 1, 3)


@pytest.mark.parametrize(
    "box", [(0.5, 0, 0.5, 1), (0, 0.6, 1, 0.5), (-0.1, 0, 1, 1), (0, 0, 1.1, 1), (np.nan, 0, 1, 1)]
)
def test_box_that_is_none_is_refused(path, box):
    with pytest.raises(ValueError, match="not a box"):
        zoom(path, 1.0, Box(*box))


@pytest.mark.parametrize(
    ("start_s", "end_s", "count"), [(2.0, 2.0, 4), (3.0, 1.0, 4), (-1.0, 1.0, 4), (0.0, 1.0, 0)]
)
def test_look_at_nothing_is_refused(path, start_s, end_s, count):
    with pytest.raises(ValueError, match="expected some of a stretch"):
        look(path, start_s, end_s, count)


ODD_PICTURES = {
    "untagged HD": film("a.mp4", size=(1280, 536)),
    "many groups": film("a.mp4", options={"g": "5"}),
    "turned": film("a.mp4", rotation_deg=270, options={"g": "5"}),
    "turned, one group": film("a.mp4", rotation_deg=90, options={"g": "1000", "sc_threshold": "0"}),
    "hevc of short groups": film(
        "a.mp4", codec="libx265", options={"x265-params": "log-level=none:keyint=12"}
    ),
}


@pytest.mark.parametrize("name", [*SOUND, *ODD_PICTURES])
def test_frames_are_those_of_the_scan_to_the_pixel(name, tmp_path):
    path = str({**SOUND, **ODD_PICTURES}[name](tmp_path))
    with Reel(path) as reel:
        shown_s = [timed.time_s for timed in reel.frames(exact=True)]
    times_s = [*shown_s[::9], 0.333, 1.777, shown_s[-1] + 5]
    got, scanned = frames_at(path, times_s, 96), frames_by_scanning(path, sorted(times_s), 96)
    for time_s, image in zip(times_s, got, strict=True):
        assert np.array_equal(image, scanned[sorted(times_s).index(time_s)]), time_s


def test_only_what_lies_behind_a_key_frame_is_decoded(tmp_path, monkeypatch):
    path = str(make_film(tmp_path / "film.mp4", [Shot(1, 8.0)], options={"g": "25", "sc_threshold": "0"}))
    monkeypatch.setattr(random_access, "frames_by_scanning", lambda *_: pytest.fail("scanned"))
    decoded = []
    monkeypatch.setattr(seeking, "_time_s", count_calls(seeking._time_s, decoded))
    frames_at(path, [0.1, 4.1, 7.1])
    assert len(set(decoded)) < 20


def count_calls(call, stamps):
    def counted(frame, first_stamp, tick_s):
        stamps.append(frame.pts)
        return call(frame, first_stamp, tick_s)

    return counted
