"""Sixty odd and broken files: every decodable second is kept, every other file quarantined with its kind."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from reelproof.schemas.footage import Footage, Quarantine, QuarantineKind
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from tests.films import erase, flip_bits, make_audio, make_film, truncate

TWO_SHOTS = ((1, 1.0), (2, 1.0))


class Odd(NamedTuple):
    """A file, and what must come of it: at least so many seconds, so many pixels, or a quarantine."""

    name: str
    make: Callable[[Path], Path]
    seconds: float | None = None
    size: tuple[int, int] | None = None
    kind: QuarantineKind | None = None
    tells: bool = False
    """The footage must say that something is missing."""


def film(name: str, seconds: float = 2.0, size: tuple[int, int] = (160, 96), **how: object) -> Odd:
    shown = (size[1], size[0]) if how.get("rotation_deg") in (90, 270) else size
    make = lambda folder: make_film(folder / name, TWO_SHOTS, size=size, **how)  # type: ignore[arg-type] # noqa: E731
    return Odd(f"{name} {how or size}", make, seconds, shown)


def base(folder: Path, **how: object) -> Path:
    return make_film(folder / "base.mp4", ((1, 2.0), (2, 2.0)), **how)  # type: ignore[arg-type]


def broken(name: str, change: Callable[[Path, Path], object], **want: object) -> Odd:
    def make(folder: Path) -> Path:
        change(base(folder, options={"g": "12"}), folder / name)
        return folder / name

    return Odd(name, make, **want)  # type: ignore[arg-type]


def written(name: str, data: bytes, kind: QuarantineKind) -> Odd:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return Odd(name, make, kind=kind)


def remuxed(name: str, change: Callable[[int, av.Packet], bool], **want: object) -> Odd:
    """The base film with only those packets that `change` lets through, as it leaves them."""

    def make(folder: Path) -> Path:
        with av.open(str(base(folder))) as source, av.open(str(folder / name), "w") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            for index, packet in enumerate(source.demux(video=0)):
                if packet.size and change(index, packet):
                    packet.stream = stream
                    out.mux(packet)
        return folder / name

    return Odd(name, make, **want)  # type: ignore[arg-type]


def with_edit_list(folder: Path) -> Path:
    """A film whose first half second is hidden by an edit list (elst: media_time moved on)."""
    data = base(folder, options={"bf": "0"}).read_bytes()
    at = data.index(b"elst") + 4
    version_entries, duration, start, rate = struct.unpack(">QIiI", data[at : at + 20])
    moved = struct.pack(">QIiI", version_entries, duration - 500, start + 6400, rate)
    (folder / "edit_list.mp4").write_bytes(data[:at] + moved + data[at + 20 :])
    return folder / "edit_list.mp4"


def with_huge_size(folder: Path) -> Path:
    """A film whose sample entry declares 65535x65535."""
    data = bytearray(base(folder).read_bytes())
    at = data.index(b"avc1", data.index(b"stsd")) + 28
    data[at : at + 4] = b"\xff\xff\xff\xff"
    (folder / "huge.mp4").write_bytes(data)
    return folder / "huge.mp4"


def joined_streams(folder: Path) -> Path:
    """Two transport streams end to end: the timestamps start anew in the middle."""
    one = make_film(folder / "one.ts", ((1, 2.0),))
    (folder / "joined.ts").write_bytes(
        one.read_bytes() + make_film(folder / "two.ts", ((2, 2.0),)).read_bytes()
    )
    return folder / "joined.ts"


def slow_then_fast(folder: Path) -> Path:
    times_s = [*np.arange(0, 1, 0.2), *np.arange(1, 2, 0.02)]
    return make_film(folder / "vfr.mp4", ((1, 1.0), (2, 2.0)), times_s=times_s)


def with_long_gap(folder: Path) -> Path:
    return make_film(
        folder / "gap.mkv", ((1, 1.0), (2, 1.0)), times_s=[*np.arange(25) / 25, *(8 + np.arange(25) / 25)]
    )


BROKEN_TEXT = b"this is not a video\n" * 200
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/etc/hostname\n#EXT-X-ENDLIST\n"
UNREADABLE, TRUNCATED = QuarantineKind.UNREADABLE, QuarantineKind.TRUNCATED
TOO_SHORT, NO_VIDEO = QuarantineKind.TOO_SHORT, QuarantineKind.NO_VIDEO_STREAM
CASES = (
    film("plain.mp4"),
    film("name with späces & 'quotes' 日本.mp4"),
    film("plain.mov"),
    film("plain.mkv"),
    film("plain.avi"),
    film("plain.ts"),
    film("plain.flv", codec="flv"),
    film("no_b_frames.mp4", options={"bf": "0"}),
    film("many_b_frames.mp4", options={"bf": "8", "b_strategy": "2"}),
    film("no_pyramid.mp4", options={"x264-params": "bframes=2:b-pyramid=none"}),
    film("one_gop.mp4", options={"g": "1000", "sc_threshold": "0"}),
    film("all_intra.mp4", options={"g": "1"}),
    film("open_gop.mp4", options={"x264-params": "open-gop=1:keyint=12"}),
    film("interlaced.mp4", options={"x264-params": "interlaced=1"}),
    film("faststart.mp4", container_options={"movflags": "faststart"}),
    film("fragmented.mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
    film("annex_b.h264", codec="libx264"),
    film("ten_bit_h264.mp4", pix_fmt="yuv420p10le"),
    film("yuv422.mp4", pix_fmt="yuv422p"),
    film("yuv444.mp4", pix_fmt="yuv444p"),
    film("full_range.mp4", pix_fmt="yuvj420p"),
    film("grey.mp4", pix_fmt="gray"),
    film("hevc.mp4", codec="libx265", options={"x265-params": "log-level=none"}),
    film(
        "hevc_ten_bit.mp4", codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"}
    ),
    film("vp8.webm", codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"}),
    film("vp9.webm", codec="libvpx-vp9"),
    film("vp9_444.webm", codec="libvpx-vp9", pix_fmt="yuv444p"),
    film("av1.mkv", codec="libsvtav1"),
    film("mpeg4.avi", codec="mpeg4"),
    film("mpeg4_b_frames.avi", codec="mpeg4", options={"bf": "2"}),
    film("mpeg2.mpg", codec="mpeg2video"),
    film("mjpeg.avi", codec="mjpeg", pix_fmt="yuvj420p"),
    film("ffv1.mkv", codec="ffv1"),
    film("animated.gif", codec="gif", pix_fmt="rgb8", fps=20),
    film("raw.nut", codec="rawvideo", pix_fmt="rgb24"),
    film("odd_size.mkv", size=(161, 97), pix_fmt="yuv444p"),
    film("odd_width.avi", size=(163, 96), codec="ffv1"),
    film("narrow.mp4", size=(32, 480)),
    film("tiny.mp4", size=(16, 16)),
    film("wide.mp4", size=(960, 16)),
    film("portrait.mp4", size=(96, 160)),
    film("rotated_90.mp4", rotation_deg=90),
    film("rotated_180.mp4", rotation_deg=180),
    film("rotated_270.mp4", rotation_deg=270),
    film("slow_frames.mp4", fps=2),
    film("fast_frames.mp4", fps=120),
    film("ntsc.mp4", fps=30000 / 1001),
    film("with_sound.mp4", with_audio=True),
    Odd("variable frame rate", slow_then_fast, 1.9),
    Odd("a gap of seven seconds", with_long_gap, 8.9),
    Odd("edit list", with_edit_list, 3.3, (160, 96)),
    Odd("clock starts anew", joined_streams, 3.8),
    Odd("sound only", lambda folder: make_audio(folder / "sound.mp4"), kind=NO_VIDEO),
    Odd("one frame", lambda folder: make_film(folder / "one.mp4", ((1, 0.04),)), kind=TOO_SHORT),
    Odd("four frames", lambda folder: make_film(folder / "four.mp4", ((1, 0.16),)), kind=TOO_SHORT),
    written("empty.mp4", b"", UNREADABLE),
    written("text.mp4", BROKEN_TEXT, UNREADABLE),
    written("zeros.mp4", bytes(100_000), UNREADABLE),
    written("noise.avi", np.random.default_rng(0).bytes(100_000), UNREADABLE),
    written("playlist.mp4", PLAYLIST, UNREADABLE),
    broken("cut_off.mp4", lambda a, b: truncate(a, b, 0.6), kind=TRUNCATED),
    broken("head_only.mp4", lambda a, b: truncate(a, b, 0.02), kind=TRUNCATED),
    broken("bits_flipped.mp4", lambda a, b: flip_bits(a, b, 40), seconds=2.0),
    broken("hole.mp4", lambda a, b: erase(a, b, 0.3, 0.5), seconds=2.5, tells=True),
    Odd(
        "cut-off Matroska",
        lambda folder: truncate(make_film(folder / "a.mkv", ((1, 2.0), (2, 2.0))), folder / "b.mkv", 0.6),
        1.0,
        tells=True,
    ),
    Odd(
        "cut-off MP4 with its index in front",
        lambda folder: truncate(
            base(folder, container_options={"movflags": "faststart"}), folder / "b.mp4", 0.7
        ),
        0.5,
        tells=True,
    ),
    Odd("declares 65535 pixels", with_huge_size, 3.9, (160, 96)),
    remuxed("half_the_packets.mkv", lambda i, packet: i < 50, seconds=1.8),
    remuxed("no_key_frame.mkv", lambda i, packet: not packet.is_keyframe, kind=UNREADABLE),
)


def scan(path: Path, cfg: FootageConfig) -> Footage | Quarantine:
    return next(scan_footage([LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)], cfg))


@pytest.mark.parametrize("exact", [False, True], ids=["skipping", "exact"])
@pytest.mark.parametrize("odd", CASES, ids=[odd.name for odd in CASES])
def test_odd_file_keeps_every_second_or_says_why_not(odd, exact, tmp_path):
    got = scan(odd.make(tmp_path), FootageConfig(exact=exact))
    if odd.kind:
        assert isinstance(got, Quarantine)
        assert got.kind is odd.kind, got.detail
        return
    assert isinstance(got, Footage), got.detail
    times_s = got.signals.time_s
    assert got.duration_s >= odd.seconds
    assert (np.diff(times_s) > 0).all()
    assert times_s[0] == 0
    assert [each.frame.time_s for each in got.candidates] == sorted(
        each.frame.time_s for each in got.candidates
    )
    if odd.size:
        assert (got.video.width, got.video.height) == odd.size
    assert bool(got.salvage) or not odd.tells


def test_file_of_no_bytes_is_called_empty(tmp_path):
    (tmp_path / "empty.mp4").touch()
    got = scan(tmp_path / "empty.mp4", FootageConfig())
    assert isinstance(got, Quarantine)
    assert got.detail == "not a video FFmpeg can open: the file is empty (0 bytes)"
