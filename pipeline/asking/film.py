"""A video file -> its frames at any times, as a model is shown them, each fetched once."""

from collections.abc import Sequence
from pathlib import Path

from reelproof.pipeline.asking.settings import AskConfig
from reelproof.pipeline.benchmark.films import CannotBeShown, length_s
from reelproof.pipeline.disk.files import stat_file, video_id_of
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.footage import FrameRef, Span
from reelproof.stages.footage.frame_signals import Measures
from reelproof.stages.footage.keyframes import make_keyframe
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import frames_at


class AskedFilm:
    """A film that is gone back to by random access."""

    def __init__(self, path: Path, start_s: float, end_s: float | None, cfg: AskConfig) -> None:
        """Raises UsageError for what is no film, and for an empty stretch."""
        self._path, self._cfg = path, cfg
        self.jpegs: dict[str, bytes] = {}
        """sha256 -> the file, of every frame fetched so far."""
        self._frames: dict[float, FrameRef] = {}
        try:
            stat_file(str(path), "unknown")
            self.video_id = video_id_of(path)
            length = length_s(str(path))
        except (OSError, CannotBeShown) as error:
            raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        self.span = Span(start_s=start_s, end_s=min(length, end_s) if end_s is not None else length)
        if self.span.start_s >= self.span.end_s:
            asked = f"{start_s:g} s to {self.span.end_s:g} s"
            raise UsageError(f"{path}: it is {length:.2f} s long, and nothing lies from {asked}")

    def look(self, times_s: Sequence[float]) -> tuple[FrameRef, ...]:
        """The frames shown then. Raises UsageError where the film cannot be decoded."""
        self._fetch([each for each in times_s if each not in self._frames])
        return tuple(self._frames[each] for each in times_s)

    def _fetch(self, times_s: Sequence[float]) -> None:
        try:
            images = frames_at(str(self._path), times_s, self._cfg.long_side_px) if times_s else []
        except UnusableVideoError as error:
            raise UsageError(f"{self._path}: {error}") from None
        for time_s, image in zip(times_s, images, strict=True):
            measures = Measures(time_s, *[0.0] * (len(Measures._fields) - 1))
            made = make_keyframe(image, measures, self.video_id, self._cfg.jpeg_quality)
            self._frames[time_s] = made.frame
            self.jpegs[made.frame.sha256] = made.jpeg
