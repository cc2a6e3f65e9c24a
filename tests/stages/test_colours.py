"""Pictures are what they were before they were coded: the truth is the patches that each test coded."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from PIL import Image

from reelproof.schemas.footage import Footage
from reelproof.stages.footage.decode import LocalVideo, Reel
from reelproof.stages.footage.pictures import RgbConverter, Turn, turn_of
from reelproof.stages.footage.scan import FootageConfig, scan_footage

PATCHES = (
    *((0xC0, 0, 0), (0, 0xC0, 0), (0, 0, 0xC0), (0xC0, 0xC0, 0), (0, 0xC0, 0xC0), (0xC0, 0, 0xC0)),
    *((0x40, 0x40, 0x40), (0xC0, 0xC0, 0xC0), (255, 255, 255), (0, 0, 0), (200, 120, 40), (30, 90, 220)),
)
PATCH_PX = 32
UNSPECIFIED, BT709, BT470BG, SMPTE170M, BT2020 = 2, 1, 5, 6, 9
SRGB, BT2020_10, PQ, HLG = 13, 14, 16, 18
LUMA = {UNSPECIFIED: (0.299, 0.114), BT709: (0.2126, 0.0722), BT470BG: (0.299, 0.114)}
LUMA |= {SMPTE170M: (0.299, 0.114), BT2020: (0.2627, 0.0593)}
TO_BT2020 = np.asarray([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


class Coded(NamedTuple):
    """How patches are coded, and what the file says of it."""

    codec: str
    pixel_format: str
    matrix: int = BT709
    full_range: bool = False
    transfer: int = BT709
    primaries: int = BT709
    tagged_matrix: int | None = None
    size: tuple[int, int] = (PATCH_PX * len(PATCHES), 64)
    suffix: str = "mkv"

    @property
    def depth(self) -> int:
        return next((depth for depth in (10, 12) if str(depth) in self.pixel_format[4:]), 8)


LOSSLESS_ENOUGH = {
    "libx264": {"qp": "4"},
    "libx265": {"x265-params": "log-level=none:qp=4"},
    "libvpx-vp9": {"crf": "2", "b": "0", "cpu-used": "8"},
    "libsvtav1": {"crf": "5", "preset": "10"},
    "mpeg4": {"flags": "+qscale", "global_quality": "118"},
    "mpeg2video": {"flags": "+qscale", "global_quality": "118"},
}


def picture_of(patches: Sequence[Sequence[float]], size: tuple[int, int]) -> np.ndarray:
    """Patches from left to right, R'G'B' in 0 … 1."""
    columns = np.arange(size[0]) * len(patches) // size[0]
    return np.broadcast_to(np.asarray(patches, float)[columns], (size[1], size[0], 3))


def planes_of(image: np.ndarray, coded: Coded) -> list[np.ndarray]:
    """R'G'B' -> Y', Cb, Cr as ITU-R BT.601, 709 and 2020 write it."""
    red, blue = LUMA[coded.matrix]
    luma = image @ np.asarray([red, 1 - red - blue, blue])
    cb, cr = (image[..., 2] - luma) / (2 - 2 * blue), (image[..., 0] - luma) / (2 - 2 * red)
    unit, top = 1 << (coded.depth - 8), (1 << coded.depth) - 1
    if coded.full_range:
        scaled = luma * top, cb * top + 128 * unit, cr * top + 128 * unit
    else:
        scaled = (219 * luma + 16) * unit, (224 * cb + 128) * unit, (224 * cr + 128) * unit
    return [np.clip(np.round(plane), 0, top) for plane in scaled]


def write(path: Path, coded: Coded, image: np.ndarray) -> Path:
    """The picture for half a second, coded by our own arithmetic and by nobody else's."""
    tagged = coded.matrix if coded.tagged_matrix is None else coded.tagged_matrix
    with av.open(str(path), "w") as out:
        stream = out.add_stream(coded.codec, rate=12, options=LOSSLESS_ENOUGH.get(coded.codec, {}))
        stream.width, stream.height, stream.pix_fmt = *coded.size, coded.pixel_format
        context = stream.codec_context
        context.color_range, context.colorspace = 2 if coded.full_range else 1, tagged
        context.color_trc, context.color_primaries = coded.transfer, coded.primaries
        for _ in range(8):
            frame = av.VideoFrame(*coded.size, coded.pixel_format)
            frame.colorspace, frame.color_range = tagged, 2 if coded.full_range else 1
            for plane, values in zip(frame.planes, planes_of(image, coded), strict=True):
                fill(plane, values, coded)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def fill(plane: av.video.plane.VideoPlane, values: np.ndarray, coded: Coded) -> None:
    kind = np.dtype(np.uint8 if coded.depth == 8 else np.uint16)
    rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
    across, down = coded.size[0] // plane.width, coded.size[1] // plane.height
    rows[:, : plane.width] = values[::down, ::across]
    plane.update(rows.tobytes())


def shown(path: Path) -> np.ndarray:
    with Reel(str(path)) as reel:
        frame = next(timed.frame for timed in reel.frames(exact=True))
        return RgbConverter(None, reel.pixel_aspect).convert(frame)


def patch_colours(image: np.ndarray, count: int = len(PATCHES)) -> np.ndarray:
    """The middles of the patches."""
    middles = (np.arange(count) + 0.5) * image.shape[1] / count
    return image[image.shape[0] // 2, middles.astype(int)].astype(float)


def error(coded: Coded, folder: Path) -> float:
    image = picture_of(np.asarray(PATCHES) / 255, coded.size)
    got = patch_colours(shown(write(folder / f"film.{coded.suffix}", coded, image)))
    return float(np.abs(got - np.asarray(PATCHES)).max())


FORMATS = (
    *(("libx264", pix_fmt) for pix_fmt in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le")),
    *(("libx265", pix_fmt) for pix_fmt in ("yuv420p", "yuv420p10le", "yuv444p12le")),
    *(("libvpx-vp9", pix_fmt) for pix_fmt in ("yuv420p", "yuv444p")),
    *(("libsvtav1", pix_fmt) for pix_fmt in ("yuv420p", "yuv420p10le")),
    *(("ffv1", pix_fmt) for pix_fmt in ("yuv420p", "yuv422p10le", "yuv444p12le")),
)


@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [BT709, BT470BG, SMPTE170M, BT2020])
@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_tagged_colours_are_what_they_were(codec, pixel_format, matrix, full_range, tmp_path):
    assert error(Coded(codec, pixel_format, matrix, full_range), tmp_path) <= 3


@pytest.mark.parametrize("transfer", [BT709, UNSPECIFIED, SMPTE170M, SRGB, 4, 5])
@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_ordinary_transfers_are_shown_as_they_are(codec, transfer, tmp_path):
    assert error(Coded(codec, "yuv420p", transfer=transfer), tmp_path) <= 3


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((1280, 536), BT709),
        ((1280, 720), BT709),
        ((1920, 800), BT709),
        ((960, 720), BT709),
        ((720, 1280), BT709),
        ((1440, 300), BT709),
        ((640, 360), BT470BG),
        ((720, 576), BT470BG),
        ((1024, 576), BT470BG),
    ],
)
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_untagged_film_is_bt709_from_hd_on_by_width_or_height(codec, size, matrix, tmp_path):
    how = {"transfer": UNSPECIFIED, "primaries": UNSPECIFIED, "tagged_matrix": UNSPECIFIED, "size": size}
    assert error(Coded(codec, "yuv420p", matrix, **how), tmp_path) <= 3


def light_of(patches: np.ndarray) -> np.ndarray:
    """sRGB -> light, 1 = white. Source: IEC 61966-2-1."""
    return np.where(patches <= 0.04045, patches / 12.92, ((patches + 0.055) / 1.055) ** 2.4)


def to_pq(nits: np.ndarray) -> np.ndarray:
    """Source: SMPTE ST 2084."""
    power = (np.clip(nits, 0, None) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def to_hlg(nits: np.ndarray) -> np.ndarray:
    """For a screen of 1,000 nits, with its system gamma taken back. Source: ITU-R BT.2100."""
    luminance = np.maximum(nits @ np.asarray([0.2627, 0.6780, 0.0593]), 1e-9)[..., None] / 1000
    scene = np.clip(nits / 1000 * luminance ** (1 / 1.2 - 1), 0, 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@pytest.mark.parametrize("white_nits", [203, 100, 50])
@pytest.mark.parametrize(("transfer", "curve"), [(PQ, to_pq), (HLG, to_hlg)])
@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [
        ("libx265", "yuv420p10le"),
        ("libsvtav1", "yuv420p10le"),
        ("ffv1", "yuv444p12le"),
        ("libx264", "yuv420p10le"),
    ],
)
def test_hdr_is_shown_as_on_an_ordinary_screen(codec, pixel_format, transfer, curve, white_nits, tmp_path):
    """White at 203 nits is shown as 255, and all below as bright beside it as it was."""
    coded = Coded(codec, pixel_format, BT2020, False, transfer, BT2020)
    light = light_of(np.asarray(PATCHES) / 255)
    image = picture_of(curve(light @ TO_BT2020.T * white_nits), coded.size)
    path = write(tmp_path / "film.mkv", coded, image)
    dimmed = light * white_nits / 203
    want = np.where(dimmed <= 0.0031308, 12.92 * dimmed, 1.055 * dimmed ** (1 / 2.4) - 0.055) * 255
    got = patch_colours(shown(path))
    # Dark parts of a saturated colour are a small difference of large numbers: 10 bits say no more.
    assert np.abs(got - want)[want > 32].max() <= 4
    assert np.abs(got - want).max() <= 12


def test_hdr_highlights_keep_their_hue(tmp_path):
    coded = Coded("ffv1", "yuv444p12le", BT2020, False, PQ, BT2020)
    bright = np.asarray([[1000, 1000, 1000], [1000, 500, 250], [250, 500, 1000.0]])
    image = picture_of(to_pq(bright @ TO_BT2020.T), coded.size)
    white, warm, cold = patch_colours(shown(write(tmp_path / "film.mkv", coded, image)), 3)
    assert white.tolist() == [255, 255, 255]
    assert warm[0] == cold[2] == 255
    assert np.abs(warm - cold[::-1]).max() <= 2
    assert warm[1:].tolist() == pytest.approx([188, 137], abs=2)  # sRGB of half and of a quarter


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "pq"), (HLG, "hlg"), (BT709, None)])
def test_footage_says_that_it_was_hdr(transfer, name, tmp_path):
    coded = Coded("libx265", "yuv420p10le", BT2020, False, transfer, BT2020)
    path = write(tmp_path / "film.mkv", coded, picture_of(np.asarray(PATCHES) / 255, coded.size))
    (footage,) = scan_footage([LocalVideo(str(path), "v", "film", 1)], FootageConfig())
    assert isinstance(footage, Footage)
    assert footage.video.hdr == name


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
def test_wide_gamut_is_brought_to_bt709(codec, tmp_path):
    coded = Coded(codec, "yuv420p10le", BT2020, False, BT2020_10, BT2020)
    light = light_of(np.asarray(PATCHES) / 255) @ TO_BT2020.T
    codes = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    got = patch_colours(shown(write(tmp_path / "film.mkv", coded, picture_of(codes, coded.size))))
    assert np.abs(got - np.asarray(PATCHES))[np.asarray(PATCHES) > 32].max() <= 4


ORIENTATIONS = {
    "upright": ((1, 0, 0, 1), [[1, 2], [3, 4]]),
    "mirrored": ((-1, 0, 0, 1), [[2, 1], [4, 3]]),
    "upside down": ((1, 0, 0, -1), [[3, 4], [1, 2]]),
    "half a turn": ((-1, 0, 0, -1), [[4, 3], [2, 1]]),
    "clockwise": ((0, 1, -1, 0), [[3, 1], [4, 2]]),
    "anticlockwise": ((0, -1, 1, 0), [[2, 4], [1, 3]]),
    "transposed": ((0, 1, 1, 0), [[1, 3], [2, 4]]),
    "transposed the other way": ((0, -1, -1, 0), [[4, 2], [3, 1]]),
}
TURNS = {
    "upright": (0, False),
    "mirrored": (0, True),
    "upside down": (180, True),
    "half a turn": (180, False),
    "clockwise": (90, False),
    "anticlockwise": (270, False),
    "transposed": (90, True),
    "transposed the other way": (270, True),
}
CORNERS = {1: (255, 255, 255), 2: (0, 255, 0), 3: (255, 0, 0), 4: (0, 0, 255)}


def with_matrix(path: Path, matrix: Sequence[int], shift: tuple[int, int]) -> None:
    """Write a matrix into the film's track header. Source: ISO/IEC 14496-12, 8.3.2."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (each << 16 for each in matrix)
    values = [a, b, 0, c, d, 0, shift[0] << 16, shift[1] << 16, 1 << 30]
    data[at : at + 36] = np.asarray(values, ">i4").tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libx265"])
@pytest.mark.parametrize("name", ORIENTATIONS)
def test_film_is_turned_and_mirrored_as_it_asks(name, codec, tmp_path):
    matrix, want = ORIENTATIONS[name]
    path, size = tmp_path / "film.mp4", (64, 96)
    image = np.zeros((size[1], size[0], 3))
    image[:48, :32], image[:48, 32:], image[48:, :32], image[48:, 32:] = (
        np.asarray(CORNERS[each]) / 255 for each in (1, 2, 3, 4)
    )
    write(path, Coded(codec, "yuv420p", size=size), image)
    with_matrix(path, matrix, size)
    with Reel(str(path)) as reel:
        assert turn_of(next(timed.frame for timed in reel.frames(exact=True))) == Turn(*TURNS[name])
    (footage,) = scan_footage([LocalVideo(str(path), "v", "film", 1)], FootageConfig(jpeg_quality=95))
    assert isinstance(footage, Footage)
    got = np.asarray(Image.open(io.BytesIO(footage.candidates[0].jpeg)))
    assert (footage.video.width, footage.video.height) == (got.shape[1], got.shape[0])
    rows, columns = (got.shape[0] // 4, -got.shape[0] // 4), (got.shape[1] // 4, -got.shape[1] // 4)
    corners = [[got[row, column].astype(int) for column in columns] for row in rows]
    for row, wanted in zip(corners, want, strict=True):
        for colour, number in zip(row, wanted, strict=True):
            assert np.abs(colour - CORNERS[number]).max() <= 12


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("libx264", "mkv"), ("mpeg4", "avi")])
def test_wide_pixels_are_shown_wide(codec, suffix, tmp_path):
    path = tmp_path / f"film.{suffix}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=12)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        stream.sample_aspect_ratio = 2
        for _ in range(8):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 96, 3), 90, np.uint8))))
        out.mux(stream.encode())
    assert shown(path).shape == (96, 192, 3)


def test_one_field_of_interlaced_film_is_shown(tmp_path):
    """Two moments in one frame: white lines of one, black lines of the other. Never both in one picture."""
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"x264-params": "interlaced=1", "qp": "4"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(16):
            image = np.zeros((64, 64, 3), np.uint8)
            image[::2] = 255
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        out.mux(stream.encode())
    assert shown(path)[8:-8].min() > 200


ALPHA = [("libvpx-vp9", "yuva420p", "webm"), ("libvpx", "yuva420p", "webm"), ("ffv1", "yuva420p", "mkv"),
         ("prores_ks", "yuva444p10le", "mov"), ("qtrle", "argb", "mov"), ("png", "rgba", "mov"),
         ("ffv1", "bgra", "mkv")]  # fmt: skip


@pytest.mark.parametrize(("codec", "pixel_format", "suffix"), ALPHA)
def test_hidden_colours_of_transparent_pixels_are_not_shown(codec, pixel_format, suffix, tmp_path):
    path = tmp_path / f"film.{suffix}"
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as out:
        options = {"auto-alt-ref": "0", "crf": "4", "b": "2M"} if "vpx" in codec else {}
        stream = out.add_stream(codec, rate=12, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixel_format
        if "vpx" in codec:
            stream.metadata["alpha_mode"] = "1"
        for _ in range(8):
            image = np.zeros((64, 64, 4), np.uint8)
            image[..., :3] = random.integers(0, 256, 3)
            image[16:48, 16:48] = (0, 160, 0, 255)
            frame = av.VideoFrame.from_ndarray(image, format="rgba")
            out.mux(stream.encode(frame.reformat(format=pixel_format)))
        out.mux(stream.encode())
    (footage,) = scan_footage([LocalVideo(str(path), "v", "film", 1)], FootageConfig(jpeg_quality=95))
    assert isinstance(footage, Footage)
    with Reel(str(path)) as reel:
        pictures = [RgbConverter().convert(timed.frame).astype(int) for timed in reel.frames(exact=True)]
    for picture in pictures:
        around = picture[2:12, 2:62].reshape(-1, 3)
        assert np.abs(around - around[0]).max() <= 4
        assert np.abs(around[0] - pictures[0][2, 2]).max() <= 4
        assert np.abs(picture[32, 32] - (0, 160, 0)).max() <= 8
    assert float(footage.signals.content.max()) < 4  # nor do they make cuts


@pytest.mark.parametrize("size", [(256, 144), (160, 90)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_pictures_filled_plane_by_plane_are_those_filled_pixel_by_pixel(pixel_format, size):
    noise, frame = np.random.default_rng(3), av.VideoFrame(320, 180, pixel_format)
    for plane in frame.planes:
        samples = noise.integers(0, 256, plane.buffer_size, np.uint8)
        samples[1::2] &= 3 if pixel_format.endswith("10le") else 255
        plane.update(samples.tobytes())
    how = (
        Interpolation.AREA
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.BITEXACT
    )
    by_pixels = frame.reformat(*size, "rgb24", interpolation=how).to_ndarray()
    assert np.array_equal(RgbConverter(size[0]).convert(frame), by_pixels)
