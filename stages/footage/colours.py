"""HDR, wide gamuts and transparency -> colours as a BT.709 SDR screen shows them."""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

REFERENCE_WHITE_NITS = 203.0
"""What is shown as full white. Source: ITU-R BT.2408, HDR reference white."""
BACKDROP = 255
"""What shows through transparent pixels, in red, green and blue alike: the white of a page."""

_HLG_PEAK_NITS, _HLG_GAMMA = 1000.0, 1.2
_BT2020_NCL = 9  # AVCOL_SPC_BT2020_NCL
# Shares of red and blue in luma, by AVCOL_SPC. Source: ITU-T H.273, table 4.
_LUMA = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
_LUMINANCE_2020 = np.asarray([0.2627, 0.6780, 0.0593], np.float32)
_TO_BT709: dict[int, list[list[float]]] = {
    # Source: ITU-R BT.2087, and SMPTE EG 432-1 by way of CIE XYZ (both white points are D65).
    ColorPrimaries.BT2020: [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    ColorPrimaries.SMPTE432: [
        [1.224940, -0.224940, 0.0],
        [-0.042057, 1.042057, 0.0],
        [-0.019638, -0.078636, 1.098274],
    ],
}
_HDR: dict[int, str] = {ColorTrc.SMPTE2084: "pq", ColorTrc.ARIB_STD_B67: "hlg"}
_LEVELS = np.linspace(0, 1, 1 << 16, dtype=np.float64)


def hdr_transfer(frame: VideoFrame) -> str | None:
    """`pq` or `hlg`; None where the frame is made for an ordinary screen."""
    return _HDR.get(frame.color_trc)


def is_ordinary(frame: VideoFrame) -> bool:
    """Whether the frame's red, green and blue can be shown as they are."""
    return hdr_transfer(frame) is None and frame.color_primaries not in _TO_BT709


def for_an_ordinary_screen(image: np.ndarray, transfer: str | None, primaries: int) -> np.ndarray:
    """(H, W, 3) R'G'B' of the frame, 0 … 1 -> (H, W, 3) uint8 for sRGB. Reference white becomes 255.

    What is brighter, or of a purer colour than the screen has, is brought down with its hue kept.
    """
    light: np.ndarray = _LIGHT[transfer][_level(image)]
    if transfer == "hlg":  # the system gamma; source: ITU-R BT.2100, table 5
        luminance = light @ _LUMINANCE_2020
        nits = _HLG_PEAK_NITS * np.maximum(luminance, 1e-6) ** (_HLG_GAMMA - 1)
        light = light * (nits / REFERENCE_WHITE_NITS)[..., None]
    if transfer and primaries == ColorPrimaries.UNSPECIFIED:
        primaries = ColorPrimaries.BT2020
    if matrix := _TO_BT709.get(primaries):
        light = np.maximum(light @ np.asarray(matrix, np.float32).T, 0)
    light = light / np.maximum(light.max(axis=-1, keepdims=True), 1)
    codes: np.ndarray = _SRGB[_level(light)]
    return codes


def decoded(image: np.ndarray, frame: VideoFrame) -> np.ndarray:
    """The frame's (H, W, 3) uint16 Y'CbCr, not sub-sampled -> (H, W, 3) R'G'B', 0 … 1.

    By the matrix and the range that the frame names. swscale is off by 0.3 % here, which HDR makes more of.
    """
    red, blue = _LUMA.get(frame.colorspace, _LUMA[_BT2020_NCL])
    luma, cb, cr = np.moveaxis(image.astype(np.float32), -1, 0)
    if frame.color_range == ColorRange.JPEG:
        luma, cb, cr = luma / 65535, cb / 65535 - 0.5, cr / 65535 - 0.5
    else:
        luma, cb, cr = (luma / 256 - 16) / 219, (cb / 256 - 128) / 224, (cr / 256 - 128) / 224
    reds, blues = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    greens = (luma - red * reds - blue * blues) / (1 - red - blue)
    return np.stack([reds, greens, blues], axis=-1)


def _level(values: np.ndarray) -> np.ndarray:
    levels: np.ndarray = np.round(np.clip(values, 0, 1) * (len(_LEVELS) - 1)).astype(np.int64)
    return levels


def composited(image: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 RGBA -> (H, W, 3) uint8 on the backdrop; straight alpha."""
    share = image[..., 3:].astype(np.uint32)
    mixed = image[..., :3] * share + BACKDROP * (255 - share)
    return ((mixed + 127) // 255).astype(np.uint8)


def _pq_light() -> np.ndarray:
    """Light by code value, 1 = reference white. Source: SMPTE ST 2084, eq. 4.1."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = _LEVELS ** (1 / m2)
    nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (nits / REFERENCE_WHITE_NITS).astype(np.float32)


def _hlg_light() -> np.ndarray:
    """Scene light by code value, 0 … 1. Source: ITU-R BT.2100, table 5, inverse OETF."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light = np.where(_LEVELS <= 0.5, _LEVELS**2 / 3, (np.exp((_LEVELS - c) / a) + b) / 12)
    return light.astype(np.float32)


def _srgb_light() -> np.ndarray:
    """Light by code value, 0 … 1. Source: IEC 61966-2-1."""
    light = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _srgb_codes() -> np.ndarray:
    """8-bit code value by light; its inverse."""
    codes = np.where(_LEVELS <= 0.0031308, 12.92 * _LEVELS, 1.055 * _LEVELS ** (1 / 2.4) - 0.055)
    return np.round(255 * codes).astype(np.uint8)


_LIGHT = {"pq": _pq_light(), "hlg": _hlg_light(), None: _srgb_light()}
_SRGB = _srgb_codes()
