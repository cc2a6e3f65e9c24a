import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.stages.footage.clock import Clock
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.references import references
from reelproof.stages.footage.scan import FootageConfig, scan_footage
from reelproof.stages.footage.temporal_units import TemporalUnits
from tests.films import Shot, make_film

SHOTS = [Shot(1, 1.6, motion_px=3), Shot(2, 1.6, motion_px=1)]
AV1 = "libsvtav1"
CODED = {
    "h264": ("libx264", {}),
    "h264 pyramid": ("libx264", {"bf": "8", "b_strategy": "2", "b-pyramid": "normal"}),
    "h264, all in order": ("libx264", {"bf": "0"}),
    "hevc": ("libx265", {"x265-params": "log-level=none"}),
    "av1": (AV1, {"preset": "11"}),
    "av1, three levels": (AV1, {"preset": "11", "svtav1-params": "hierarchical-levels=3"}),
    "av1, two levels, slow": (AV1, {"preset": "8", "svtav1-params": "hierarchical-levels=2:lp=1"}),
    "av1, low delay": (AV1, {"preset": "11", "svtav1-params": "pred-struct=1"}),
    "av1, of a screen": (AV1, {"preset": "11", "svtav1-params": "scm=1"}),
    "av1, resilient": (AV1, {"preset": "11", "svtav1-params": "enable-restoration=0:tile-rows=1:keyint=10"}),
}


def film(tmp_path, coded):
    codec, options = CODED[coded]
    return make_film(tmp_path / "film.mkv", SHOTS, codec=codec, options=options)


def decoded_without_the_rest(path):
    """Stamps of the frames that the decoder gives when told to leave out those that none refers to."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.skip_frame = "NONREF"
        return {frame.pts for frame in container.decode(stream)}


@pytest.mark.parametrize("coded", CODED)
def test_the_decoder_leaves_out_what_is_told(coded, tmp_path):
    path = film(tmp_path, coded)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        is_referred_to = references(stream.codec_context.codec.canonical_name, stream.codec_context)
        packets = [packet for packet in container.demux(stream) if packet.size]
        told = {packet.pts for packet in packets if is_referred_to(packet)}
    assert told == decoded_without_the_rest(path)
    assert (len(told) < len(packets)) == (coded != "h264, all in order")


def test_half_of_the_frames_show_the_same_cut_and_length_of_av1(tmp_path):
    path = film(tmp_path, "av1")
    source = LocalVideo(str(path), "v", path.name, path.stat().st_size)
    skipped, full = (next(scan_footage([source], FootageConfig(exact=exact))) for exact in (False, True))
    assert skipped.frame_count < 0.6 * full.frame_count
    assert skipped.duration_s == full.duration_s == 3.2
    assert skipped.damaged == full.damaged == ()
    assert cut_s(full) == pytest.approx(1.6)
    assert abs(cut_s(skipped) - 1.6) <= 2 / 25


@pytest.mark.parametrize("frames", [26, 27, 28, 29, 35, 41])
def test_a_last_frame_that_is_left_out_lasts_all_the_same(frames, tmp_path):
    path = make_film(tmp_path / "film.mkv", [Shot(1, frames / 25)], codec=AV1, options={"preset": "11"})
    source = LocalVideo(str(path), "v", path.name, path.stat().st_size)
    for exact in (False, True):
        footage = next(scan_footage([source], FootageConfig(exact=exact)))
        assert footage.duration_s == pytest.approx(frames / 25, abs=1e-6)


def test_packets_after_the_last_frame_are_part_of_the_film():
    clock = Clock(fps=25, declared_s=0.0, tick_s=0.001)
    for stamp in (0, 40):
        clock.expect(stamp, 40)
    clock.tell(0, 40)
    assert clock.end_s == 0.08
    clock.expect(80, 40)
    assert clock.end_s == 0.12


def cut_s(footage):
    """When the picture changes most."""
    content, times_s = footage.signals.content, footage.signals.time_s
    return float(times_s[int(np.argmax(content))])


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    with av.open(str(film(tmp_path_factory.mktemp("av1"), "av1"))) as container:
        stream = container.streams.video[0]
        return stream.codec_context.extradata, [
            memoryview(each).tobytes() for each in container.demux(stream)
        ]


def test_a_unit_of_a_sequence_that_is_not_known_is_kept(units):
    extradata, packets = units
    left_out = [each for each in packets if not TemporalUnits(extradata).is_referred_to(each)]
    assert left_out
    assert all(TemporalUnits(None).is_referred_to(each) for each in left_out)


@given(data=st.data())
def test_broken_units_are_kept_or_left_out_and_raise_nothing(units, data):
    extradata, packets = units
    unit = bytearray(data.draw(st.sampled_from(packets))[: data.draw(st.integers(0, 60))])
    for place in data.draw(st.lists(st.integers(0, 59), max_size=3)):
        if place < len(unit):
            unit[place] ^= data.draw(st.integers(1, 255))
    told = TemporalUnits(data.draw(st.sampled_from([extradata, None, extradata[:6]])))
    assert told.is_referred_to(bytes(unit)) in (True, False)
