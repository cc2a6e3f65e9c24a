"""Where videos come from: a file as it lies there, and the video that its bytes are."""

import re

from pydantic import Field

from reelproof.schemas.record import Record

# fmt: off
VIDEO_ENDINGS = frozenset((
    "3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "h264", "h265", "hevc", "ivf", "m1v", "m2t",
    "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mkv", "mod", "mov", "mp4", "mpe", "mpeg", "mpg", "mpv",
    "mts", "mxf", "nut", "ogm", "ogv", "qt", "rm", "rmvb", "tod", "ts", "vob", "webm", "wmv", "wtv",
    "y4m",
))
# fmt: on
"""What follows the last dot of a video file's name, lower case."""


class SourceFile(Record):
    """One file that may be a video, before anyone has read it."""

    url: str
    """An absolute path, or an fsspec URL."""
    size_bytes: int = Field(ge=0)
    version: str
    """Changes when the content does: modification and change time of a local file in ns, the ETag or
    modification time of a remote one; empty where the store knows none, and then the file is read anew each
    time."""
    license: str = "unknown"

    @property
    def name(self) -> str:
        """The file's name, without its folder and without what a signed address carries behind it."""
        path = re.split("[?#]", self.url)[0] if "://" in self.url else self.url
        return path.rstrip("/").rpartition("/")[2]


class SourceIdentity(Record):
    """A file whose bytes were read: which video it is."""

    video_id: str
    """sha256 of the bytes, hex."""
    file: SourceFile


class SubtitleFile(Record):
    """A file of subtitles that lies beside a video."""

    video_id: str
    """The video's."""
    sha256: str
    """Of the file's bytes, hex."""
    language: str | None
    """Two letters where there are two; null where the file's name tells none."""
    file: SourceFile
