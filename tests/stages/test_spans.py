from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reelproof.schemas.footage import Footage
from reelproof.schemas.span import SpanEnd, SpanRow, Survey
from reelproof.schemas.tables import from_table, to_table
from reelproof.stages.footage import spans
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, PicturedConfig, rows_of, scan_in_pieces
from reelproof.stages.footage.span_scan import can_join, join_spans, scan_span, survey_film
from tests.films import Shot, flip_bits, make_film
from tests.sound_films import SOUND

JOINED = (
    "h264.mp4",
    "h264.ts",
    "h264.flv",
    "h264 open groups",
    "h264 open groups in ts",
    "h264 interlaced",
    "h264 pyramid",
    "h264 with sound in ts",
    "hevc.mp4",
    "hevc open groups",
    "vp8 hidden frames",
    "vp9.webm",
    "av1.mkv",
    "mpeg4.avi",
    "mpeg2.mpg",
    "a camera's unsteady beat",
    "slow, then fast",
    "frames left out of hevc",
    "times kept",
)
IN_ONE_PASS = ("h264 intra refresh", "h264.avi", "h264.h264", "ffv1.mkv", "two streams end to end")


@pytest.fixture(autouse=True)
def short_spans(monkeypatch):
    monkeypatch.setattr(spans, "SPAN_S", 1.0)


def film(path: Path) -> LocalVideo:
    return LocalVideo(str(path), "v", path.name, path.stat().st_size)


def in_one_pass(source: LocalVideo, cfg: FootageConfig) -> list[Footage]:
    *pieces, last = scan_in_pieces(source, cfg)
    return list(rows_of(pieces, last))


def span_by_span(source: LocalVideo, cfg: FootageConfig, survey: Survey) -> list[list[SpanRow]]:
    """The last span first, each written down and read."""
    found = [list(scan_span(source, cfg, survey, cut)) for cut in reversed(survey.spans)]
    return [list(from_table(to_table(rows, SpanRow), SpanRow)) for rows in reversed(found)]


def ends_of(found: list[list[SpanRow]]) -> list[SpanEnd | None]:
    return [rows[-1].end for rows in found]


@pytest.mark.parametrize("exact", [False, True], ids=["skipping", "exact"])
@pytest.mark.parametrize("name", JOINED)
def test_spans_joined_are_one_pass_to_the_byte(name, exact, tmp_path):
    source, cfg = film(SOUND[name](tmp_path)), FootageConfig(exact=exact)
    survey = survey_film(source, cfg)
    assert survey is not None
    found = span_by_span(source, cfg, survey)
    assert can_join(survey, ends_of(found), cfg)
    joined = list(join_spans(ends_of(found), lambda place: found[place], cfg))
    assert to_table(joined, Footage).equals(to_table(in_one_pass(source, cfg), Footage))


def test_spans_joined_hold_the_pictures_that_one_pass_keeps(tmp_path):
    source, cfg = film(SOUND["h264 pyramid"](tmp_path)), PicturedConfig()
    survey = survey_film(source, cfg)
    found = span_by_span(source, cfg, survey)
    joined = list(join_spans(ends_of(found), lambda place: found[place], cfg))
    assert to_table(joined, Footage).equals(to_table(in_one_pass(source, cfg), Footage))
    assert all(row.signals.pictures for row in joined)


@pytest.mark.parametrize("name", IN_ONE_PASS)
def test_film_whose_spans_cannot_be_told_apart_is_scanned_in_one_pass(name, tmp_path):
    source, cfg = film(SOUND[name](tmp_path)), FootageConfig()
    survey = survey_film(source, cfg)
    assert survey is None or not can_join(survey, ends_of(span_by_span(source, cfg, survey)), cfg)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_damaged_film_is_not_joined_as_if_it_were_whole(name, seed, tmp_path):
    whole = make_film(tmp_path / f"whole-{name}", [Shot(1, 2.0), Shot(2, 2.0)], options={"g": "25"})
    source, cfg = film(flip_bits(whole, tmp_path / name, flips=2, seed=seed)), FootageConfig()
    one = in_one_pass(source, cfg)
    survey = survey_film(source, cfg)
    found = span_by_span(source, cfg, survey) if survey else []
    if survey and can_join(survey, ends_of(found), cfg):
        joined = list(join_spans(ends_of(found), lambda place: found[place], cfg))
        assert to_table(joined, Footage).equals(to_table(one, Footage))
    else:
        assert one[0].salvage


def test_film_that_differs_from_its_survey_is_not_joined(tmp_path):
    cfg = FootageConfig()
    source = film(make_film(tmp_path / "a.mp4", [Shot(1, 4.0)], options={"g": "25"}))
    other = film(make_film(tmp_path / "b.mp4", [Shot(2, 4.0)], options={"g": "25"}))
    survey = survey_film(source, cfg)
    assert survey
    assert not can_join(survey, ends_of(span_by_span(other, cfg, survey)), cfg)
    ends = ends_of(span_by_span(source, cfg, survey))
    assert can_join(survey, ends, cfg)
    assert not can_join(survey, ends[:-1], cfg)
    assert not can_join(survey, ends, FootageConfig(min_duration_s=60))


def test_a_window_ends_with_each_span(tmp_path):
    source = film(make_film(tmp_path / "a.mp4", [Shot(1, 6.0)], options={"g": "30", "sc_threshold": "0"}))
    rows = in_one_pass(source, FootageConfig(candidate_every_s=3.0))
    starts_s = [float(row.signals.time_s[0]) for row in rows]
    assert np.diff(starts_s) == pytest.approx(1.2, abs=0.01)
    for row, (start_s, end_s) in zip(rows, pairwise([*starts_s, np.inf]), strict=True):
        assert [start_s <= each.frame.time_s < end_s for each in row.candidates] == [True]
