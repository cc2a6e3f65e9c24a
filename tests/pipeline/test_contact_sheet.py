import io
import unicodedata

import numpy as np
import pytest
from PIL import Image

from reelproof.pipeline.commands import contact_sheet
from reelproof.pipeline.commands.contact_sheet import draw_contact_sheet, draw_frames
from reelproof.schemas.footage import Span
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from tests.films import Shot, make_film

RED = (217, 48, 37)


@pytest.mark.parametrize("size", [(160, 96), (96, 320)])
def test_sheet_shows_cuts_and_keyframes(size, tmp_path):
    path = make_film(tmp_path / "film.mp4", [Shot(look, 1.5) for look in range(1, 5)], size=size)
    (footage,) = scan_footage([LocalVideo(str(path), "v", "film.mp4", 1)], FootageConfig())
    (board,) = cut_scenes([footage], StoryboardConfig())
    sheet = np.asarray(Image.open(io.BytesIO(draw_contact_sheet(footage, board))))
    columns = (sheet[150] == RED).all(axis=1)
    assert np.count_nonzero(np.diff(columns.astype(int)) == 1) == len(board.scenes) - 1 == 3
    damaged = footage.model_copy(update={"damaged": (Span(start_s=1, end_s=2),), "salvage": "a hole"})
    assert draw_contact_sheet(damaged, board) != draw_contact_sheet(footage, board)


@pytest.mark.parametrize("text", ["Fahrräder", "3–4 s", "Привет", "a · b … c"])
def test_letters_beyond_english_are_drawn_and_none_is_a_box(text):
    drawn = draw_frames(text, [], [])
    for letter in filter(lambda each: not each.isascii(), text):
        assert draw_frames(text.replace(letter, "\uffff"), [], []) != drawn
    assert draw_frames(unicodedata.normalize("NFD", text), [], []) == drawn


def test_without_a_font_that_has_them_letters_lose_their_marks(monkeypatch):
    monkeypatch.setattr(contact_sheet, "_font_with_more_letters", lambda size: None)
    assert draw_frames("Fahrräder", [], []) == draw_frames("Fahrrader", [], [])
