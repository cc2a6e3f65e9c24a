"""Frames and clips of a watch on disk: written before they are needed, removed when they are not."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from reelproof.pipeline.disk.renaming import written_then_renamed
from reelproof.schemas.footage import FrameRef

FRAMES, CLIPS = "frames", "clips"


class FrameFiles:
    """JPEGs by their hashes: some for good, others until the ticks that they are of are judged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FRAMES
        self._folder.mkdir(parents=True, exist_ok=True)
        self._until: dict[str, int] = {}

    def path(self, sha256: str) -> Path:
        """Where a frame lies, or would."""
        return self._folder / f"{sha256}.jpg"

    def put(self, frames: Iterable[FrameRef], jpegs: Mapping[str, bytes], tick: int) -> None:
        """Keep them as long as this tick may be asked about."""
        for each in frames:
            path = self.path(each.sha256)
            if each.sha256 in jpegs and not path.exists():
                with written_then_renamed(path) as file:
                    file.write(jpegs[each.sha256])
            self._until[each.sha256] = max(tick, self._until.get(each.sha256, tick))

    def read(self, sha256: str) -> bytes | None:
        """The JPEG, where it is there."""
        path = self.path(sha256)
        return path.read_bytes() if path.exists() else None

    def keep(self, hashes: Iterable[str]) -> None:
        """An event rests on them."""
        for each in hashes:
            self._until.pop(each, None)

    def let_go(self, before: int) -> None:
        """Remove what no event rests on, of ticks before this one."""
        for sha256 in [each for each, tick in self._until.items() if tick < before]:
            del self._until[sha256]
            self.path(sha256).unlink(missing_ok=True)

    def sweep(self, kept: Collection[str]) -> None:
        """Remove whatever is neither to be kept nor awaited, as a killed run leaves it."""
        for path in self._folder.iterdir():
            if path.stem not in kept and path.stem not in self._until:
                path.unlink()


def make_room(folder: Path, most_bytes: int) -> int:
    """Remove the oldest clips, then the oldest frames, until the rest fits. Returns how many files went."""
    found = [sorted((folder / name).glob("*.*"), key=_age) for name in (CLIPS, FRAMES)]
    total = sum(path.stat().st_size for paths in found for path in paths)
    gone = 0
    for path in (path for paths in found for path in paths):
        if total <= most_bytes:
            break
        total -= path.stat().st_size
        path.unlink()
        gone += 1
    return gone


def _age(path: Path) -> float:
    return path.stat().st_mtime
