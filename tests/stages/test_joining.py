"""Stretches of a film as a film of their own: lengths, times, sound in step, colours."""

from itertools import pairwise

import av
import numpy as np
import pytest

from reelproof.schemas.footage import Span
from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.joining import Chapter, join_spans
from reelproof.stages.footage.random_access import frames_at
from tests.clapper import apart_s, make_clapper
from tests.films import Shot, make_film

pytestmark = pytest.mark.real

SHOTS = [Shot(1, 3, 1), Shot(2, 3, 3), Shot(3, 3, 0)]
CHAPTERS = [
    Chapter(Span(start_s=1.2, end_s=3.0), "first"),
    Chapter(Span(start_s=3.0, end_s=4.0), "touches it"),
    Chapter(Span(start_s=6.04, end_s=9.0), "to the end"),
]
LENGTH_S = 5.76
VFR = np.cumsum([0.0, *np.random.default_rng(0).choice([0.02, 0.04, 0.08], 224)]).round(3).tolist()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mp4", {}),
        ("a.mkv", {"rate": 44_100}),
        ("a.ts", {"layout": "mono"}),
        ("a.avi", {"codec": "mpeg4", "sound": "mp3", "rate": 44_100}),
        (
            "a.webm",
            {"codec": "libvpx", "sound": "libopus", "options": {"deadline": "realtime", "cpu-used": "8"}},
        ),
        ("vfr.mkv", {"times_s": VFR}),
    ],
)
def test_sound_is_in_step_whatever_the_film_comes_as(tmp_path, name, how):
    film = make_clapper(tmp_path / name, SHOTS, **how)
    joined = join_spans(str(film), CHAPTERS, str(tmp_path / "reel.mp4"))
    assert joined.has_sound
    apart = apart_s(tmp_path / "reel.mp4")
    assert len(apart) in (5, 6)
    assert max(map(abs, apart)) <= 0.005
    with av.open(str(tmp_path / "reel.mp4")) as reel:
        assert [each["metadata"]["title"] for each in reel.chapters()] == [
            "first",
            "touches it",
            "to the end",
        ]
        assert reel.duration / 1e6 == pytest.approx(LENGTH_S, abs=0.05)


def test_frames_are_those_of_the_stretches_at_their_own_times(tmp_path):
    film = make_film(tmp_path / "film.mp4", SHOTS, times_s=VFR)
    join_spans(str(film), CHAPTERS, str(tmp_path / "reel.mp4"))
    with Reel(str(tmp_path / "reel.mp4")) as reel:
        times_s = [timed.time_s for timed in reel.frames(exact=True)]
    starts_s = [0.0, 1.8, 2.8]
    wanted = [
        start_s + time_s - span.start_s
        for start_s, (span, _) in zip(starts_s, CHAPTERS, strict=True)
        for time_s in VFR
        if span.start_s <= time_s < span.end_s
    ]
    gap_s = wanted[0]  # players show the first frame at once
    assert times_s == pytest.approx([each - gap_s for each in wanted], abs=0.0015)


@pytest.mark.parametrize("size", [(160, 96), (1280, 720)], ids=["sd", "hd"])
def test_colours_stay_and_sizes_are_upright(tmp_path, size):
    film = make_film(tmp_path / "film.mp4", SHOTS[:1], fps=5, size=size, rotation_deg=90)
    spans = [Chapter(Span(start_s=1.0, end_s=2.0), "one")]
    joined = join_spans(str(film), spans, str(tmp_path / "reel.mp4"))
    assert (joined.width, joined.height, joined.has_sound) == (size[1], size[0], False)
    (before,), (after,) = frames_at(str(film), [1.4]), frames_at(str(tmp_path / "reel.mp4"), [0.4])
    assert np.abs(before.astype(int) - after).mean(axis=(0, 1)).max() < 3


def test_without_an_index_one_pass_finds_the_same_frames(tmp_path):
    lengths = []
    for name in ("film.mp4", "film.h264"):
        film = make_film(tmp_path / name, SHOTS)
        join_spans(str(film), CHAPTERS, str(tmp_path / "reel.mp4"))
        with Reel(str(tmp_path / "reel.mp4")) as reel:
            times_s = [timed.time_s for timed in reel.frames(exact=True)]
        assert all(0.035 < later - earlier < 0.045 for earlier, later in pairwise(times_s))
        lengths.append(len(times_s))
    assert lengths == [144, 144]
