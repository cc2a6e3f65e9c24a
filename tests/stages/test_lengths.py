"""How long a film is, is what its pictures say: not its sound, and not the frames that were counted."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reelproof.schemas.footage import Footage
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from tests.films import Shot, make_film


def scan(path: Path, exact: bool = False) -> Footage:
    (footage,) = scan_footage([LocalVideo(str(path), "v", path.name, 1)], FootageConfig(exact=exact))
    assert isinstance(footage, Footage), footage.detail
    return footage


def with_sound(picture: Path, path: Path, seconds: float, codec: str, starts_s: float = 0.0) -> Path:
    """The film's packets, and a sound track of its own length."""
    with av.open(str(picture)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream(codec, rate=48_000)
        packets = []
        for packet in source.demux(video=0):
            if packet.size:
                shift = round(starts_s / packet.time_base)
                packet.pts = packet.pts + shift if packet.pts is not None else None
                packet.dts = packet.dts + shift if packet.dts is not None else None
                packet.stream = stream
                packets.append(packet)
        size = sound.codec_context.frame_size or 1024
        for start in range(0, int(seconds * 48_000), size):
            silence = np.zeros((sound.codec_context.layout.nb_channels, size), np.float32)
            packed = silence if sound.codec_context.format.is_planar else silence.reshape(1, -1)
            packed = packed.astype(np.int16) if "s16" in sound.codec_context.format.name else packed
            frame = av.AudioFrame.from_ndarray(
                packed, format=sound.codec_context.format.name, layout=sound.codec_context.layout.name
            )
            frame.sample_rate, frame.pts = 48_000, start
            packets += sound.encode(frame)
        for packet in sorted([*packets, *sound.encode()], key=lambda each: each.dts * each.time_base):
            out.mux(packet)
    return path


VPX = {"deadline": "realtime", "cpu-used": "8"}
NO_B = {"bf": "0"}


@pytest.mark.parametrize("seconds", [12.0, 1.0])
@pytest.mark.parametrize(
    ("suffix", "codec", "options", "sound"),
    [
        ("webm", "libvpx", VPX, "libopus"),
        ("webm", "libvpx-vp9", VPX, "libopus"),
        ("mkv", "libx264", NO_B, "aac"),
        ("mp4", "libx264", NO_B, "aac"),
        ("mov", "mpeg4", {}, "aac"),
        ("ts", "libx264", NO_B, "aac"),
        ("ts", "mpeg2video", NO_B, "mp2"),
        ("flv", "flv", {}, "aac"),
        ("avi", "mpeg4", {}, "mp2"),
        ("mp4", "libx265", {"x265-params": "log-level=none:bframes=0"}, "aac"),
    ],
)
def test_sound_does_not_make_the_film_longer(suffix, codec, options, sound, seconds, tmp_path):
    picture = make_film(tmp_path / f"p.{suffix}", ((1, 2.0), (2, 2.0)), codec=codec, options=options)
    footage = scan(with_sound(picture, tmp_path / f"film.{suffix}", seconds, sound))
    assert footage.duration_s == pytest.approx(4.0, abs=0.05)
    assert footage.damaged == ()
    assert footage.salvage is None


def test_sound_that_begins_earlier_does_not_either(tmp_path):
    picture = make_film(tmp_path / "p.mkv", ((1, 2.0), (2, 2.0)), options=NO_B)
    footage = scan(with_sound(picture, tmp_path / "film.mkv", 8.0, "aac", starts_s=5.0))
    assert footage.duration_s == pytest.approx(4.0, abs=0.05)
    assert footage.damaged == ()
    assert footage.signals.time_s[0] == 0


@pytest.mark.parametrize("tail_s", [2.0, 9.0, 40.0, 300.0])
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_last_frame_lasts_as_long_as_the_film_says(codec, suffix, tail_s, tmp_path):
    options: dict[str, Any] = (
        {"bf": "0"} if codec != "libx265" else {"x265-params": "log-level=none:bframes=0"}
    )
    source_path = make_film(tmp_path / f"p.{suffix}", (Shot(1, 3.0),), codec=codec, options=options)
    with av.open(str(source_path)) as source, av.open(str(tmp_path / f"film.{suffix}"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        packets[-1].duration = round(tail_s / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            out.mux(packet)
    footage = scan(tmp_path / f"film.{suffix}", exact=True)
    assert footage.duration_s == pytest.approx(2.96 + tail_s, abs=0.05)
    assert footage.damaged == ()
    assert footage.salvage is None


@pytest.mark.parametrize(
    "said",
    [
        "00:00:        -nan",
        "00:00:inf",
        "1e400:00:00",
        "-1:00:00",
        "00:00:-5",
        "many",
        "9" * 400 + ":0:0",
        "",
    ],
)
def test_length_that_is_no_time_is_not_believed(said, tmp_path):
    path = make_film(tmp_path / "film.mkv", ((1, 2.0),), options=NO_B)
    with av.open(str(path)) as source, av.open(str(tmp_path / "told.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        stream.metadata["DURATION-eng"] = said
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    footage = scan(tmp_path / "told.mkv")
    assert footage.duration_s == pytest.approx(2.0, abs=0.05)
    assert footage.video.duration_s == pytest.approx(2.0, abs=0.05)
    assert footage.damaged == ()
