"""A film with an index and a few times -> the frames shown then, pixel for pixel those of the scan."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelproof.stages.footage.decode import Reel
from reelproof.stages.footage.opening import open_container, pick_stream
from reelproof.stages.footage.pictures import RgbConverter


def frames_by_seeking(
    path: str, times_s: Sequence[float], long_side_px: int | None
) -> list[np.ndarray] | None:
    """Times rising, in seconds from the first frame. (H, W, 3) uint8 each; None where seeking will not do.

    It is sought only where a key frame lies between the last frame and the one that is wanted next, so that
    no frame is decoded that a scan would not decode. Raises UnusableVideoError where the file cannot be
    decoded.
    """
    with Reel(path) as reel:
        look = reel.look()
    if look.first_stamp is None:
        return None
    converter = RgbConverter(long_side_px, look.coded_aspect)
    try:
        return [converter.convert(frame) for frame in _shown(path, look.first_stamp, times_s)]
    except (av.error.FFmpegError, _LostWayError):
        return None


class _LostWayError(Exception):
    """The index led to a place behind what was wanted."""


def _shown(path: str, first_stamp: int, times_s: Sequence[float]) -> Iterator[VideoFrame]:
    """The frame that is shown at each of the times."""
    with open_container(path) as container:
        stream = pick_stream(container)
        tick_s = float(stream.time_base or 0)
        container.seek(first_stamp, stream=stream)  # Matroska's index is read only now
        keys = _key_stamps(stream, first_stamp)
        frames, shown, following = container.decode(stream), None, None

        for time_s in times_s:
            wanted = first_stamp + math.floor((time_s + 0.0005) / tick_s)
            if shown and bisect_right(keys, wanted) > bisect_right(keys, shown.pts or first_stamp):
                container.seek(wanted, stream=stream)
                frames, shown, following = container.decode(stream), None, None
            for frame in chain([following] if following else [], frames):
                following = frame
                if _time_s(frame, first_stamp, tick_s) > time_s:
                    break
                shown, following = frame, None
            if shown is None:
                raise _LostWayError
            yield shown


def _time_s(frame: VideoFrame, first_stamp: int, tick_s: float) -> float:
    """As in the scan, where times are sound."""
    if frame.pts is None:
        raise _LostWayError
    return round(frame.pts * tick_s - first_stamp * tick_s, 3)


def _key_stamps(stream: VideoStream, first_stamp: int) -> list[int]:
    """When key frames are shown, as near as an index of when they are decoded tells."""
    stamps = [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]
    return [stamp + first_stamp - stamps[0] for stamp in stamps]
