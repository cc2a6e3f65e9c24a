"""What is lost is told, and nothing else is: the truth is what each test took away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest

from reelproof.schemas.footage import Footage, Quarantine, is_within
from reelproof.stages.footage.clips import ClipConfig, VideoView, cut_clips
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.storyboard import StoryboardConfig, cut_scenes
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from tests.films import Shot, flip_bits, make_film

X265 = {"x265-params": "log-level=none:keyint=25:min-keyint=25:scenecut=0"}
X264 = {"g": "25", "sc_threshold": "0"}
X264_B = {**X264, "bf": "3"}
VP8 = {"deadline": "realtime", "cpu-used": "8", "g": "25", "keyint_min": "25"}
SHOTS = (Shot(1, 1.5), Shot(2, 1.5), Shot(3, 1.0))


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


def vfr(*times_s: float, **how: Any) -> Callable[[Path], Path]:
    suffix = how.pop("suffix", "mkv")
    return lambda folder: make_film(folder / f"vfr.{suffix}", SHOTS, times_s=times_s, **how)


def with_frames_left_out(folder: Path, suffix: str = "mkv", codec: str = "libx264", **how: Any) -> Path:
    """A camera that now and then misses a frame before it codes: 100 frames, two of them never there."""
    times_s = [i / 25 for i in range(102) if i not in (40, 77)]
    return make_film(folder / f"left_out.{suffix}", SHOTS, times_s=times_s, codec=codec, **how)


def still_in_the_middle(folder: Path, suffix: str = "mp4", codec: str = "libx264") -> Path:
    times_s = [i / 25 + (3 if i >= 60 else 0) for i in range(100)]
    return make_film(folder / f"still.{suffix}", (Shot(1, 4.0),), times_s=times_s, codec=codec)


def joined(folder: Path) -> Path:
    """Two transport streams end to end."""
    one, two = (make_film(folder / f"{look}.ts", ((look, 2.0),)).read_bytes() for look in (1, 2))
    (folder / "joined.ts").write_bytes(one + two)
    return folder / "joined.ts"


def late(folder: Path, offset_s: float = 3600.0) -> Path:
    """A film that was cut out of a longer one with its times kept."""
    return make_film(folder / "late.mkv", SHOTS, times_s=[offset_s + i / 25 for i in range(100)])


def film(name: str, **how: Any) -> Callable[[Path], Path]:
    return lambda folder: make_film(folder / name, SHOTS, **how)


SOUND: dict[str, Callable[[Path], Path]] = {
    **{
        f"h264.{suffix}": film(f"a.{suffix}")
        for suffix in ("mp4", "mov", "mkv", "avi", "ts", "flv", "h264", "3gp", "m4v")
    },
    "h264 open groups": film("a.mkv", options={"x264-params": "open-gop=1:keyint=24:bframes=3"}),
    "h264 open groups in ts": film("a.ts", options={"x264-params": "open-gop=1:keyint=24:bframes=3"}),
    "h264 intra refresh": film("a.mkv", options={"x264-params": "intra-refresh=1:keyint=24"}),
    "h264 interlaced": film("a.mkv", options={"x264-params": "interlaced=1:keyint=24"}),
    "h264 interlaced in ts": film("a.ts", options={"x264-params": "interlaced=1:keyint=24"}),
    "h264 pyramid": film("a.mp4", options={"bf": "7", "x264-params": "b-pyramid=strict"}),
    "h264 many slices": film("a.mp4", options={"slices": "4"}),
    "h264 long group of 4:4:4": film("a.mkv", pix_fmt="yuv444p", options={"g": "1000"}),
    "h264 30000/1001": film("a.mkv", fps=30000 / 1001),
    "h264 with sound": film("a.mkv", with_audio=True),
    "h264 with sound in ts": film("a.ts", with_audio=True),
    **{f"hevc.{s}": film(f"a.{s}", codec="libx265", options=X265) for s in ("mp4", "mkv", "ts")},
    "hevc open groups": film(
        "a.mkv", codec="libx265", options={"x265-params": "log-level=none:keyint=24:open-gop=1"}
    ),
    **{f"vp8.{suffix}": film(f"a.{suffix}", codec="libvpx", options=VP8) for suffix in ("webm", "mkv")},
    "vp8 hidden frames": film(
        "a.webm", codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16", "g": "50"}
    ),
    "vp9.webm": film("a.webm", codec="libvpx-vp9", options=VP8),
    "vp9 hidden frames": film(
        "a.webm", codec="libvpx-vp9", options={"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}
    ),
    "vp9.mp4": film("a.mp4", codec="libvpx-vp9", options=VP8),
    "av1.mkv": film("a.mkv", codec="libsvtav1", options={"preset": "12", "g": "25"}),
    "av1.mp4": film("a.mp4", codec="libsvtav1", options={"preset": "12"}),
    **{f"mpeg4.{s}": film(f"a.{s}", codec="mpeg4", options={"bf": "2"}) for s in ("avi", "mp4", "mkv")},
    **{f"mpeg2.{s}": film(f"a.{s}", codec="mpeg2video", options={"bf": "2"}) for s in ("mpg", "ts", "mkv")},
    "mpeg1.mpg": film("a.mpg", codec="mpeg1video"),
    "mjpeg.avi": film("a.avi", codec="mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mov": film("a.mov", codec="mjpeg", pix_fmt="yuvj420p"),
    "prores.mov": film("a.mov", codec="prores_ks", pix_fmt="yuv422p10le"),
    "dnxhr.mov": film(
        "a.mov", codec="dnxhd", pix_fmt="yuv422p", size=(256, 128), options={"profile": "dnxhr_lb"}
    ),
    "ffv1.mkv": film("a.mkv", codec="ffv1"),
    "huffyuv.avi": film("a.avi", codec="huffyuv", pix_fmt="yuv422p"),
    "wmv2.asf": film("a.asf", codec="wmv2"),
    "wmv1.wmv": film("a.wmv", codec="wmv1"),
    "msmpeg4.avi": film("a.avi", codec="msmpeg4"),
    "h263.3gp": film("a.3gp", codec="h263", size=(176, 144), fps=30000 / 1001),
    "flv1.flv": film("a.flv", codec="flv"),
    "qtrle.mov": film("a.mov", codec="qtrle", pix_fmt="rgb24"),
    "png.mov": film("a.mov", codec="png", pix_fmt="rgb24"),
    "raw.avi": film("a.avi", codec="rawvideo", pix_fmt="yuv420p"),
    "gif": film("a.gif", codec="gif", pix_fmt="rgb8", fps=20),
    "frames left out": with_frames_left_out,
    "frames left out of hevc": lambda folder: with_frames_left_out(folder, codec="libx265", options=X265),
    "frames left out of vp9.mp4": lambda folder: with_frames_left_out(
        folder, "mp4", "libvpx-vp9", options=VP8
    ),
    "a still in the middle of h264": still_in_the_middle,
    "a still in the middle of h264.mkv": lambda folder: still_in_the_middle(folder, "mkv"),
    "a still in the middle of vp9.mp4": lambda folder: still_in_the_middle(folder, codec="libvpx-vp9"),
    "a camera's unsteady beat": vfr(*(np.arange(100) / 25 + np.random.default_rng(1).uniform(0, 0.02, 100))),
    "a screen recording": vfr(
        *np.cumsum(np.random.default_rng(2).choice([0.04, 0.08, 0.4], 80)), codec="libvpx-vp9", suffix="webm"
    ),
    "slow, then fast": vfr(*np.arange(0, 1, 0.2), *np.arange(1, 2, 0.02), suffix="mp4"),
    "two streams end to end": joined,
    "times kept": late,
}


@pytest.mark.parametrize("exact", [False, True], ids=["skipping", "exact"])
@pytest.mark.parametrize("name", SOUND)
def test_sound_film_is_whole(name, exact, tmp_path):
    footage = scan(SOUND[name](tmp_path), exact)
    assert isinstance(footage, Footage), footage.detail
    assert footage.damaged == ()
    assert footage.salvage is None
