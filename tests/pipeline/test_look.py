"""`reelproof look`: frames that no build kept, as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelproof.stages.footage.random_access import frames_by_scanning
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here

pytestmark = pytest.mark.real


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_film(
        tmp_path / "film.mp4", [Shot(1, 2.0), Shot(2, 2.0)], size=(320, 160), options={"g": "10"}
    )


def test_frames_of_a_stretch_are_written_with_their_times(path, tmp_path):
    stretch = ("--from", "1", "--to", "3", "--frames", "2")
    ran = reelproof_here("look", path, *stretch, "--out", tmp_path / "seen")
    assert ran.code == 0, ran.err
    files = [Path(line) for line in ran.out.splitlines()]
    assert [each.name for each in files] == ["film-00001.500.jpg", "film-00002.500.jpg"]
    for file, image in zip(files, frames_by_scanning(str(path), [1.5, 2.5], None), strict=True):
        assert np.abs(np.asarray(Image.open(file)).astype(int) - image).mean() < 5


def test_box_is_cut_out_at_full_size(path, tmp_path):
    ran = reelproof_here("look", path, "--frames", "1", "--box", "0.5,0,1,0.5", "--out", tmp_path / "seen")
    assert Image.open(ran.out.strip()).size == (160, 80)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--box", "0,0,1"], "expected four shares"),
        (["--box", "0.5,0,0.5,1"], "not a box"),
        (["--from", "3", "--to", "1"], "expected some of a stretch"),
    ],
)
def test_what_cannot_be_shown_is_refused(path, tmp_path, words, said):
    ran = reelproof_here("look", path, *words, "--out", tmp_path / "seen")
    assert ran.code == 2
    assert said in ran.err


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "film.mp4").write_text("no video")
    ran = reelproof_here("look", tmp_path / "film.mp4", "--out", tmp_path / "seen")
    assert ran.code == 2
    assert "not a video FFmpeg can open" in ran.err
