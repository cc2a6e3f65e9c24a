"""The studies' films: how they are written, and how a build looks at small squares on a ground that stays."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

LOOKED_AT: dict[str, dict[str, object]] = {
    "footage": {
        "candidate_every_s": 1.0,
        "change_content": 255,  # a square's step is no change of scene
        "change_histogram": 0.5,
        "jpeg_quality": 92,
        "long_side_px": 64,
    },
    "storyboard": {
        "keyframe_every_s": 1.0,
        "duplicate_bits": 0,
        "adaptive_content": 100,
        "histogram_change": 0.5,
        "cut_distance_s": 0,
    },
}
"""Sections of a recipe."""


def write_h264(
    file: Path, pictures: Iterable[npt.NDArray[np.uint8]], size: tuple[int, int], fps: int, **quality: str
) -> None:
    """A film of RGB pictures, (height, width, 3) each, of `size` (width, height): the same bytes each time.

    `quality` is x264's, such as `crf="14"`.
    """
    with av.open(str(file), "w") as container:
        # with its macroblock tree, or with more threads, x264's bytes differ now and then
        same = {"preset": "veryfast", "x264-params": "no-mbtree=1"}
        stream = container.add_stream("libx264", rate=fps, options={**quality, **same})
        stream.codec_context.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
