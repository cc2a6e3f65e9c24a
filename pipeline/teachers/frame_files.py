"""Frames -> files that a server reads by path or URL, there while they are asked about."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reelproof.schemas.openai_frames import Sending
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherUnavailable

PREFIX = "reelproof-frames-"


@contextmanager
def sent_by(cfg: ServerTeacherConfig) -> Iterator[Sending]:
    """How frames go to the server, for as long as they are asked about."""
    if cfg.frames_folder is None:
        yield Sending(as_video=cfg.frames_as_video)
        return
    with FrameFiles(cfg.frames_folder, cfg.frames_url) as files:
        yield Sending(files.url, cfg.frames_as_video)


class FrameFiles:
    """A new folder in one that builder and server share. Use in a `with`; it is removed at its end.

    Raises TeacherUnavailable where nothing can be written there.
    """

    def __init__(self, shared: str, url: str | None) -> None:
        """The server finds `shared` at `url`; where that is null, at the same path as we do."""
        self._folder = Path(shared).expanduser().absolute() / f"{PREFIX}{uuid.uuid4().hex}"
        self._url = f"{url.rstrip('/')}/{self._folder.name}" if url else self._folder.as_uri()
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir()
        except OSError as error:
            raise TeacherUnavailable(
                f"frames_folder {self._folder.parent} cannot be written to ({error.strerror or error}); name "
                "a folder that is there, on a disk that the server sees as well"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, sha256: str, jpeg: bytes) -> str:
        """Where the server finds the frame; written when it is first asked about."""
        if sha256 not in self._written:
            try:
                (self._folder / f"{sha256}.jpg").write_bytes(jpeg)
            except OSError as error:
                raise TeacherUnavailable(
                    f"frames_folder {self._folder.parent} takes no more frames ({error.strerror or error}); "
                    "make room, then run the same command again: every answer so far is kept"
                ) from None
            self._written.add(sha256)
        return f"{self._url}/{sha256}.jpg"
