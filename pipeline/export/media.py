"""Frames as other projects want them: files in a folder, members of a tar, a video of the same JPEGs."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import av
from PIL import Image

from reelproof.pipeline.export.rows import PublishedRow

_MILLISECONDS = 1000
_TAR_BYTES = 500_000_000
_TIME_BASE = Fraction(1, _MILLISECONDS)


class FrameFolder:
    """A folder of JPEG files named by their hashes, each written once."""

    def __init__(self, root: Path, name: str = "frames") -> None:
        self._root, self._name = root, name

    def save(self, row: PublishedRow) -> list[str]:
        """The paths of a row's frames from the root, in the order shown."""
        paths = []
        for sha256, jpeg in zip(row.frame_sha256, row.jpegs, strict=True):
            path = f"{self._name}/{sha256[:2]}/{sha256}.jpg"
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


class TarShards:
    """Samples as members of tar files `NAME-000000.tar`, …: a JSON file and its frames each, in one order."""

    def __init__(self, root: Path, name: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root, self._name = root, name
        self._number, self._bytes = 0, 0
        self._tar = self._open()

    def add(self, key: str, row: Any, jpegs: Sequence[bytes]) -> None:
        """Write one sample; a new file begins where this one is large enough."""
        if self._bytes >= _TAR_BYTES:
            self._tar.close()
            self._number, self._bytes = self._number + 1, 0
            self._tar = self._open()
        self._write(f"{key}.json", json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
        for place, jpeg in enumerate(jpegs):
            self._write(f"{key}.{place:03d}.jpg", jpeg)

    def close(self) -> None:
        """Finish the last file."""
        self._tar.close()

    def _open(self) -> tarfile.TarFile:
        return tarfile.open(
            self._root / f"{self._name}-{self._number:06d}.tar", "w", format=tarfile.USTAR_FORMAT
        )

    def _write(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))
        self._bytes += len(content)
