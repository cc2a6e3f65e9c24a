"""Content values -> cuts, by PySceneDetect's adaptive detector; loaded only where cuts are looked for."""

from fractions import Fraction
from typing import Any

import numpy as np
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detectors import AdaptiveDetector

_MICROSECOND = Fraction(1, 1_000_000)


def adaptive_cuts(
    times_s: np.ndarray, content: np.ndarray, ratio: float, least: float, window: int
) -> list[int]:
    """Frames whose content value is `least`, and `ratio` times that of `window` frames around, or more.

    (T,) float64 seconds, (T,) float32 -> places among them, ascending.
    """
    detector = _StoredContentDetector(
        adaptive_threshold=ratio,
        min_content_val=least,
        min_scene_len=0,
        window_width=window,
    )
    index_of = {round(time_s * 1e6): index for index, time_s in enumerate(times_s.tolist())}
    cuts: list[int] = []
    for pts, value in zip(index_of, content, strict=True):
        found = detector.process_frame(FrameTimecode(Timecode(pts, _MICROSECOND), fps=25.0), value)
        cuts.extend(index_of[cut.pts] for cut in found)
    return cuts


class _StoredContentDetector(AdaptiveDetector):  # type: ignore[misc]  # scenedetect ships no types
    """PySceneDetect's adaptive detector over content values that an earlier pass stored."""

    def _calculate_frame_score(self, timecode: FrameTimecode, frame_img: Any) -> float:  # noqa: ARG002
        return float(frame_img)
