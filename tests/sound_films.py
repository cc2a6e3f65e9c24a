"""Films with nothing wrong with them, of every container and codec, and of every odd but legal timing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.films import Shot, make_film

X265 = {"x265-params": "log-level=none:keyint=25:min-keyint=25:scenecut=0"}
VP8 = {"deadline": "realtime", "cpu-used": "8", "g": "25", "keyint_min": "25"}
SHOTS = (Shot(1, 1.5), Shot(2, 1.5), Shot(3, 1.0))


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
