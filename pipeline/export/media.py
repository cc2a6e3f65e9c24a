"""Frames as other projects want them: files in a folder, a video of the same JPEGs."""

import hashlib
import io
import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
from PIL import Image

from reelproof.pipeline.export.rows import PublishedRow

_MILLISECONDS = 1000
_TIME_BASE = Fraction(1, _MILLISECONDS)


class FrameFolder:
    """`frames/`: JPEG files named by their hashes, each written once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, row: PublishedRow) -> list[str]:
        """The paths of a row's frames from the root, in the order shown."""
        paths = []
        for sha256, jpeg in zip(row.frame_sha256, row.jpegs, strict=True):
            path = f"frames/{sha256[:2]}/{sha256}.jpg"
            file = self._root / path
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(jpeg)
            paths.append(path)
        return paths


class _Moment(NamedTuple):
    time_ms: int
    jpeg: bytes


def save_clip(root: Path, row: PublishedRow) -> str:
    """A row's frames as Motion-JPEG video: each packet is a frame's JPEG file, so no pixel changes.

    Frames that the prompt shows with their times stand at those times from the video's start, and the first
    one at 0 as well, since players and decoders count from the first frame. Others stand one second apart.
    Returns the path from the root. Raises ValueError where there is no frame.
    """
    if not row.jpegs:
        raise ValueError(f"sample {row.sample_id} shows no frame")
    moments = _moments(row)
    content = json.dumps([row.frame_sha256, [moment.time_ms for moment in moments]])
    name = hashlib.sha256(content.encode()).hexdigest()[:32]
    path = root / "clips" / name[:2] / f"{name}.mp4"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_clip(path, moments)
    return path.relative_to(root).as_posix()


def _moments(row: PublishedRow) -> list[_Moment]:
    times_ms = [round(time_s * _MILLISECONDS) for time_s in row.frame_times_s if time_s is not None]
    if len(times_ms) < len(row.jpegs) or any(one >= other for one, other in pairwise(times_ms)):
        return [_Moment(place * _MILLISECONDS, jpeg) for place, jpeg in enumerate(row.jpegs)]
    first = [_Moment(0, row.jpegs[0])] if times_ms[0] > 0 else []
    return [*first, *map(_Moment, times_ms, row.jpegs)]


def _write_clip(path: Path, moments: Sequence[_Moment]) -> None:
    with Image.open(io.BytesIO(moments[0].jpeg)) as first:
        width, height = first.size
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_mux_stream("mjpeg", rate=1, width=width, height=height, time_base=_TIME_BASE)
        ends_ms = [each.time_ms for each in moments[1:]] + [moments[-1].time_ms + _MILLISECONDS]
        for moment, end_ms in zip(moments, ends_ms, strict=True):
            packet = av.Packet(moment.jpeg)
            packet.stream = stream
            packet.time_base = _TIME_BASE
            packet.pts = packet.dts = moment.time_ms
            packet.duration = end_ms - moment.time_ms
            packet.is_keyframe = True
            container.mux(packet)
