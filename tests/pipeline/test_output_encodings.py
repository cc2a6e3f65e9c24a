"""What is printed where the terminal's encoding lacks some of it."""

import os

from tests.pipeline.conftest import reelproof


def test_what_an_encoding_lacks_is_spelt_out_by_every_command(tmp_path):
    (tmp_path / "recipe.yaml").write_text("sources: {videos: /nowhere/filmé-日本}\n", encoding="utf-8")
    told = reelproof("doctor", tmp_path / "recipe.yaml", PYTHONIOENCODING="ascii").out
    assert "/nowhere/film\\xe9-\\u65e5\\u672c does not exist" in told
    help_ = reelproof("recipe", "--help", PYTHONIOENCODING="iso8859-5").out
    assert "[SECTION]\\u2026" in help_


def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xe9")
    (tmp_path / "film.mp4").write_text("no film")
    for command in (("status", folder), ("build", tmp_path / "film.mp4", "--out", folder)):
        ran = reelproof(*command)
        assert ran.code == 2
        assert "its name is not UTF-8 here" in ran.err
