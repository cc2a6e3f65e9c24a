"""A decoded frame -> pixels: as people see it, or small and quick to measure."""

from typing import NamedTuple

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from reelproof.stages.footage.colours import (
    composited,
    decoded,
    for_an_ordinary_screen,
    hdr_transfer,
    is_ordinary,
)

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED: players take BT.709 for HD, swscale would take BT.601
_HD_WIDTH, _HD_LINES = 1280, 720
_AREA = (
    Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
_FILLED_IN_PLANES = {"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le"}
_PLANAR_8_BIT = {f"yuv{j}{ratio}p" for j in ("", "j") for ratio in ("410", "411", "420", "422", "440", "444")}


class Turn(NamedTuple):
    """What the metadata wants done to a picture: turned clockwise, then mirrored left to right."""

    rotation_deg: int = 0
    """0, 90, 180 or 270."""
    is_mirrored: bool = False

    def of(self, image: np.ndarray) -> np.ndarray:
        """The image (H, W, …) as it is to be shown."""
        turned = np.rot90(image, k=-(self.rotation_deg // 90) % 4)
        return np.ascontiguousarray(turned[:, ::-1] if self.is_mirrored else turned)


def turn_of(frame: VideoFrame) -> Turn:
    """The frame's display matrix, to the nearest of the eight ways to lay a picture on a grid.

    Source: ISO/IEC 14496-12, 6.2.2: a point (x, y) is shown at (a x + c y, b x + d y), y down.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return Turn()
    a, b, _, c, d = np.frombuffer(memoryview(matrix), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(90 if b > 0 else 270, (b > 0) == (c > 0))
    return Turn(180 if d < 0 else 0, (a < 0) != (d < 0))


def is_untagged_hd(frame: VideoFrame) -> bool:
    """Whether nothing says by which matrix its colours are coded, and its size says BT.709."""
    is_hd = frame.width >= _HD_WIDTH or frame.height >= _HD_LINES
    return bool(frame.colorspace == _UNSPECIFIED and is_hd)


def is_transparent(frame: VideoFrame) -> bool:
    """Whether pixels say how much of them is seen."""
    return any(component.is_alpha for component in frame.format.components)


def is_as_decord_shows(frame: VideoFrame) -> bool:
    """It knows no fields, mirrors, transparency and HDR, and takes BT.601 for all that is untagged."""
    is_plain = is_ordinary(frame) and not is_transparent(frame) and not is_untagged_hd(frame)
    return is_plain and not frame.interlaced_frame and not turn_of(frame).is_mirrored


class RgbConverter:
    """Frames as people see them: upright, in an ordinary screen's colours, of interlaced footage one field.

    One for all frames of a video: setting up the scaler costs several times what scaling does.
    """

    def __init__(self, long_side_px: int | None = None, pixel_aspect: float = 1.0) -> None:
        """Shrink so that the longer side is at most `long_side_px`; None keeps the size."""
        self._long_side_px = long_side_px
        self._pixel_aspect = pixel_aspect
        self._scaler = VideoReformatter()

    def convert(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        width = frame.width * self._pixel_aspect
        shrink = min(1.0, self._long_side_px / max(width, frame.height)) if self._long_side_px else 1.0
        size = max(1, round(width * shrink)), max(1, round(frame.height * shrink))
        is_interlaced = frame.interlaced_frame and frame.height > 2
        image = self._shown(frame, size[0], frame.height if is_interlaced else size[1])
        if is_interlaced:
            image = cv2.resize(image[::2], size, interpolation=cv2.INTER_AREA)
        return turn_of(frame).of(image)

    def _shown(self, frame: VideoFrame, width: int, height: int) -> np.ndarray:
        """In an ordinary screen's colours, not turned. (height, width, 3) uint8"""
        if not is_ordinary(frame):
            if frame.format.is_rgb:
                image = self._scaled(frame, width, height, "gbrp16le").to_ndarray() / 65535
            else:
                image = decoded(self._scaled(frame, width, height, "yuv444p16le").to_ndarray(), frame)
            return for_an_ordinary_screen(image, hdr_transfer(frame), int(frame.color_primaries))
        if is_transparent(frame):
            return composited(self._scaled(frame, width, height, "rgba").to_ndarray())
        if frame.format.name in _FILLED_IN_PLANES and frame.height >= 2 * height:
            # The same sums as for pixels, done side by side: a third of the time.
            green, blue, red = _planes(self._scaled(frame, width, height, "gbrp"))
            return cv2.merge([red, green, blue])
        return self._scaled(frame, width, height, "rgb24").to_ndarray()

    def _scaled(self, frame: VideoFrame, width: int, height: int, pixel_format: str) -> VideoFrame:
        return self._scaler.reformat(
            frame,
            width=width,
            height=height,
            format=pixel_format,
            interpolation=_AREA,
            src_colorspace=Colorspace.ITU709 if is_untagged_hd(frame) else None,
        )


def small_ycrcb(frame: VideoFrame, lines: int, scaler: VideoReformatter) -> np.ndarray:
    """A frame sub-sampled to about `lines` on its shorter side, not rotated. (h, w, 3) uint8 of Y, Cr, Cb.

    `scaler` is kept from frame to frame: setting it up takes longer than its work.
    """
    shrink = max(1.0, min(frame.width, frame.height) / lines)
    size = max(1, round(frame.width / shrink)), max(1, round(frame.height / shrink))
    if frame.format.name not in _PLANAR_8_BIT:
        if is_transparent(frame):
            seen = scaler.reformat(frame, *size, format="rgba", interpolation="POINT").to_ndarray()
            return cv2.cvtColor(composited(seen), cv2.COLOR_RGB2YCrCb)
        frame = scaler.reformat(frame, *size, format="yuv444p", interpolation="POINT")
    luma, cb, cr = (cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in _planes(frame))
    return cv2.merge([luma, cr, cb])


def _planes(frame: VideoFrame) -> list[np.ndarray]:
    """Views of them, (h, w) uint8."""
    views = []
    for each in frame.planes:
        samples = np.frombuffer(memoryview(each), np.uint8, count=each.line_size * each.height)
        views.append(samples.reshape(each.height, each.line_size)[:, : each.width])
    return views
