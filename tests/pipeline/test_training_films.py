"""`tts --videos`: more frames of a row's clip, from the very film that it was cut from."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from reelproof.pipeline.commands.training_films import FolderOfFilms
from reelproof.pipeline.errors import UsageError
from reelproof.stages.footage.random_access import frames_by_scanning
from reelproof.training.frames import with_frames
from reelproof.training.shards import example_of
from tests.films import Shot, make_film
from tests.tiny_training import rl_row

TIMES_S = [0.5, 1.5]


@pytest.fixture
def film(tmp_path):
    (tmp_path / "below").mkdir()
    return make_film(tmp_path / "below" / "film.mp4", [Shot(1, 1.0), Shot(2, 1.0)], options={"g": "10"})


def row_of(film, name="film.mp4"):
    row = {**rl_row(0, side_px=48).model_dump(), "video": name}
    return example_of({**row, "video_id": hashlib.sha256(film.read_bytes()).hexdigest()})


def test_frames_are_those_of_the_scan_and_as_large_as_the_rows(film):
    more = with_frames(row_of(film), 2, FolderOfFilms(film.parent.parent))
    scanned = frames_by_scanning(str(film), TIMES_S, 48)
    for jpeg, image in zip(more.images, scanned, strict=True):
        seen = np.asarray(Image.open(io.BytesIO(jpeg)))
        assert seen.shape == image.shape
        assert np.abs(seen.astype(int) - image).mean() < 6


def test_another_film_of_that_name_is_not_taken(film, tmp_path):
    row = row_of(film)
    make_film(tmp_path / "film.mp4", [Shot(3, 2.0)])
    assert FolderOfFilms(tmp_path).frames(row, TIMES_S) is not None
    film.unlink()
    assert FolderOfFilms(tmp_path).frames(row, TIMES_S) is None
    assert FolderOfFilms(tmp_path).frames(row_of(tmp_path / "film.mp4", "other.mp4"), TIMES_S) is None


def test_folder_without_films_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no video is in"):
        FolderOfFilms(tmp_path)
    with pytest.raises(UsageError, match="--videos"):
        FolderOfFilms(tmp_path / "nowhere")
