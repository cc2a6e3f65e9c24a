"""A second of film of our own, which decodes wherever decoding works at all."""

from pathlib import Path

import av
import numpy as np

from reelproof.stages.footage.decode import LocalVideo

NAME = "second.mp4"


def second_of_film(folder: Path) -> LocalVideo:
    """Encode a film of one second in a folder, and return it."""
    path = folder / NAME
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(0, 250, 10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)
