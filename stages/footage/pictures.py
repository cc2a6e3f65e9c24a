"""A decoded frame -> pixels: as people see it, or small and quick to measure."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED: players take BT.709 for HD, swscale would take BT.601
_HD_LINES = 720
_AREA = (
    Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
_PLANAR_8_BIT = {f"yuv{j}{ratio}p" for j in ("", "j") for ratio in ("410", "411", "420", "422", "440", "444")}


def rotated(image: np.ndarray, rotation_deg: int) -> np.ndarray:
    """Turn an image (H, W, …) clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(image, k=-(rotation_deg // 90) % 4))


def rotation_deg(frame: VideoFrame) -> int:
    """Clockwise degrees (0, 90, 180, 270) by which the frame's metadata wants it turned."""
    return round(-frame.rotation / 90) * 90 % 360


class RgbConverter:
    """Frames as people see them: upright, in their colours, of interlaced footage one field.

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
        scaled = self._scaler.reformat(
            frame,
            width=size[0],
            height=frame.height if is_interlaced else size[1],
            format="rgb24",
            interpolation=_AREA,
            src_colorspace=Colorspace.ITU709
            if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_LINES
            else None,
        )
        image: np.ndarray = scaled.to_ndarray()
        if is_interlaced:
            image = cv2.resize(image[::2], size, interpolation=cv2.INTER_AREA)
        return rotated(image, rotation_deg(frame))


def small_ycrcb(frame: VideoFrame, lines: int) -> np.ndarray:
    """A frame sub-sampled to about `lines` on its shorter side, not rotated. (h, w, 3) uint8 of Y, Cr, Cb."""
    shrink = max(1.0, min(frame.width, frame.height) / lines)
    size = max(1, round(frame.width / shrink)), max(1, round(frame.height / shrink))
    if frame.format.name not in _PLANAR_8_BIT:
        frame = frame.reformat(width=size[0], height=size[1], format="yuv444p", interpolation="POINT")
    planes = [_plane(frame, index) for index in (0, 2, 1)]
    return cv2.merge([cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST) for plane in planes])


def _plane(frame: VideoFrame, index: int) -> np.ndarray:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8, count=plane.line_size * plane.height)
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]
