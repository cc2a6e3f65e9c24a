"""A folder of videos -> films that rows' clips were cut from, found again by name and by bytes."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from reelproof.pipeline.disk.files import find_videos, video_id_of
from reelproof.pipeline.errors import UsageError
from reelproof.stages.footage.keyframes import as_jpeg
from reelproof.stages.footage.opening import UnusableVideoError
from reelproof.stages.footage.random_access import frames_at
from reelproof.training.frames import size_px
from reelproof.training.shards import Example

_QUALITY = 85


class FolderOfFilms:
    """The videos in a folder, with all its folders."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError for a folder without videos."""
        self._folder = folder
        self._ids: dict[Path, str] = {}
        if not self._by_name:
            raise UsageError(
                f"--videos: no video is in {folder}; name the folder that the build's films are in"
            )

    def frames(self, example: Example, times_s: Sequence[float]) -> list[bytes] | None:
        """JPEGs of the film at these times, as large as the row's; None where the very film is not here."""
        side_px = max(size_px(example.images[0]))
        for path in self._by_name.get(example.video, ()):
            if self._video_id(path) == example.video_id:
                try:
                    return [as_jpeg(image, _QUALITY) for image in frames_at(str(path), times_s, side_px)]
                except UnusableVideoError:
                    return None
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Several films may have one name."""
        try:
            found = find_videos(str(self._folder), "unknown").files
        except OSError as error:
            raise UsageError(f"--videos: {self._folder} cannot be read ({error})") from None
        paths: dict[str, list[Path]] = {}
        for file in found:
            paths.setdefault(Path(file.url).name, []).append(Path(file.url))
        return paths

    def _video_id(self, path: Path) -> str:
        if path not in self._ids:
            self._ids[path] = video_id_of(path)
        return self._ids[path]
