"""What is lost is told, and nothing else is: the truth is what each test took away."""

from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest

from reelproof.schemas.footage import Footage, Quarantine, is_within
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from tests.films import flip_bits, make_film
from tests.sound_films import SHOTS, SOUND, VP8, X265

X264 = {"g": "25", "sc_threshold": "0"}
X264_B = {**X264, "bf": "3"}


def scan(path: Path, exact: bool = False) -> Footage | Quarantine:
    (result,) = scan_footage([LocalVideo(str(path), "v", path.name, 1)], FootageConfig(exact=exact))
    return result


class Lossy(NamedTuple):
    """A film with a key frame each second, and packets that are taken away from it."""

    name: str
    codec: str
    options: dict[str, str]
    lost: tuple[int, ...]
    """In the order of decoding."""
    damaged: tuple[float, float] = (0.0, 0.0)
    """From when to when, give or take the frames that a decoder puts out before it notices."""


def lossy(folder: Path, case: Lossy) -> Path:
    suffix = case.name.rpartition(".")[2]
    whole = make_film(folder / f"whole.{suffix}", SHOTS, codec=case.codec, options=case.options)
    with av.open(str(whole)) as source, av.open(str(folder / case.name), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number not in case.lost:
                packet.stream = stream
                out.mux(packet)
    return folder / case.name


def cases(codec: str, name: str, options: dict[str, str]) -> list[Lossy]:
    """A key frame, a frame that others refer to, the beginning, a whole group, and two places at once."""
    suffix = name.rpartition(".")[2]
    return [
        Lossy(f"{name[: -len(suffix) - 1]}_{what}.{suffix}", codec, options, lost, damaged)
        for what, lost, damaged in (
            ("key", (50,), (2.0, 3.0)),
            ("middle", (31,), (31 / 25, 2.0)),
            ("start", tuple(range(6)), (0.0, 1.0)),
            ("group", tuple(range(25, 50)), (1.0, 2.0)),
            ("two", (25, 26, 80), (1.0, 4.0)),
        )
    ]


LOSSY = (
    *cases("libx264", "h264.mkv", {**X264, "bf": "0"}),
    *cases("libx264", "h264.ts", {**X264, "bf": "0"}),
    *cases("libx265", "hevc.mkv", {"x265-params": X265["x265-params"] + ":bframes=0"}),
    *cases("libvpx", "vp8.webm", VP8),
    *cases("libvpx-vp9", "vp9.webm", VP8),
    *cases("mpeg4", "mpeg4.mkv", {"g": "25", "sc_threshold": "1000000000"}),
    *cases("mpeg2video", "mpeg2.ts", {"g": "25", "sc_threshold": "1000000000"}),
)


@pytest.mark.parametrize("case", LOSSY, ids=[case.name for case in LOSSY])
def test_what_was_taken_away_is_damaged_up_to_the_next_key_frame(case, tmp_path):
    footage = scan(lossy(tmp_path, case))
    assert isinstance(footage, Footage)
    # A transport stream has no time 0 of its own: it begins with its first packet.
    begins_s = 0.24 if case.name.endswith("start.ts") else 0.0
    start_s, end_s = case.damaged[0], case.damaged[1] - begins_s
    lost_s = [number / 25 for number in case.lost if not begins_s]
    assert all(is_within(time_s + 0.01, footage.damaged) for time_s in lost_s), footage.damaged
    assert not any(is_within(each.frame.time_s, footage.damaged) for each in footage.candidates)
    for span in footage.damaged:
        assert start_s - 0.05 <= span.start_s
        assert span.end_s <= end_s + 0.05
        assert min((span.end_s + begins_s) % 1, -(span.end_s + begins_s) % 1) <= 0.05
    assert footage.salvage


def test_times_are_the_films_where_its_beginning_is_lost(tmp_path):
    case = Lossy("late.mkv", "libx264", X264, tuple(range(30)))
    footage = scan(lossy(tmp_path, case))
    assert isinstance(footage, Footage)
    assert footage.signals.time_s[0] == pytest.approx(2.0, abs=0.001)
    assert footage.duration_s == pytest.approx(4.04, abs=0.001)
    assert [(span.start_s, span.end_s) for span in footage.damaged] == [(0.0, 2.0)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("codec", "options"), [("libx264", X264_B), ("libx265", X265)])
def test_turned_bits_that_the_decoder_notices_are_told(codec, options, seed, tmp_path):
    """Forty of them: the decoder notices some. What is shown differs from the film only in a few frames."""
    whole = make_film(tmp_path / "whole.mkv", SHOTS, codec=codec, options=options)
    footage = scan(flip_bits(whole, tmp_path / "flipped.mkv", 40, seed, 0.2, 0.9))
    if isinstance(footage, Footage):
        assert footage.damaged
        assert footage.salvage
        assert not any(is_within(each.frame.time_s, footage.damaged) for each in footage.candidates)


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9", "mpeg4"])
def test_nothing_is_computed_of_a_clip_that_is_damaged(codec, tmp_path):
    """What is shown in its second of damage is not what was filmed, and nothing that is told rests on it."""
    options = {"libx264": {**X264, "bf": "0"}, "libvpx-vp9": VP8}.get(codec, {"g": "25"})
    whole, lost = Lossy("a.mkv", codec, options, ()), Lossy("b.mkv", codec, options, (50,))
    cfg = FootageConfig(candidate_every_s=0.25)
    paths = [lossy(tmp_path, each) for each in (whole, lost)]
    films = list(scan_footage([LocalVideo(str(path), path.name, path.name, 1) for path in paths], cfg))
    clips = list(cut_clips(views(films), ClipConfig(timeline_every_s=0.4)))
    assert [clip.damaged_share for clip in clips] == [0, pytest.approx(1 / 4.04, abs=0.002)]
    asked = {each.clip_id for each in computed_questions(clips, ComputedConfig())}
    assert asked == {clips[0].clip_id}
    shown = [frame.time_s for frame in (*clips[1].keyframes, *clips[1].timeline)]
    assert shown
    assert not any(is_within(time_s, films[1].damaged) for time_s in shown)


def views(films: list[Any]) -> list[VideoView]:
    boards = cut_scenes(films, StoryboardConfig())
    return [VideoView.of(each, board) for each, board in zip(films, boards, strict=True)]


@pytest.mark.parametrize("exact", [False, True], ids=["skipping", "exact"])
@pytest.mark.parametrize("name", SOUND)
def test_sound_film_is_whole(name, exact, tmp_path):
    footage = scan(SOUND[name](tmp_path), exact)
    assert isinstance(footage, Footage), footage.detail
    assert footage.damaged == ()
    assert footage.salvage is None
