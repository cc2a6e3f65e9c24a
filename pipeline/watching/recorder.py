"""What a live stream sent lately, in a folder of short files: what its clips are cut from."""

import threading
from pathlib import Path

from reelproof.stages.footage.cutting import Recording
from reelproof.stages.footage.recording import Recorded

FOLDER = "recording"
_PARTIAL = "now"


class Recorder:
    """Told of files by the thread that hears from the decoder, and read by the one that cuts clips."""

    def __init__(self, folder: Path, keep_s: float) -> None:
        self._folder, self._keep_s = folder / FOLDER, keep_s
        self._is_on = False
        self._lock = threading.Lock()
        self._sweep()
        self._held = [each for path in sorted(self._folder.glob("*-*.film")) if (each := _named(path))]

    @property
    def stem(self) -> str:
        """Files that are being written have names that begin so."""
        return str(self._folder / _PARTIAL)

    def begin(self) -> None:
        """Get ready for the files of a connection that is about to be tried."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._is_on = True

    def take(self, done: Recorded) -> None:
        """Name a recorded file, whole where it was written, by the stretch of the stream that it holds."""
        path = self._folder / f"{round(done.start_s * 1000):012d}-{round(done.end_s * 1000):012d}.film"
        Path(done.path).replace(path)
        with self._lock:
            self._held.append(done._replace(path=str(path)))
            while self._held[0].end_s < done.end_s - self._keep_s:
                Path(self._held.pop(0).path).unlink(missing_ok=True)

    def end(self, until_s: float) -> None:
        """The connection is gone; what was being recorded, and nobody closed, is kept as far as it goes."""
        self._is_on = False
        for path in self._folder.glob("*.part"):
            start_s = int(path.stem.rpartition("-")[2]) / 1000
            if start_s < until_s and path.stat().st_size:
                self.take(Recorded(str(path), start_s, until_s))
        self._sweep()

    def is_recorded(self, until_s: float) -> bool:
        """Whether files reach so far, or none will."""
        with self._lock:
            return not self._is_on or (bool(self._held) and self._held[-1].end_s >= until_s)

    def recordings(self, start_s: float, end_s: float) -> list[Recording]:
        """The files that hold a stretch, in order, as far back as they go."""
        with self._lock:
            return [
                Recording(each.path, each.start_s)
                for each in self._held
                if each.start_s < end_s and each.end_s > start_s
            ]

    def _sweep(self) -> None:
        for path in self._folder.glob("*.part"):
            path.unlink(missing_ok=True)


def _named(path: Path) -> Recorded | None:
    """What a file's name says."""
    try:
        start, end = (int(each) / 1000 for each in path.stem.split("-"))
    except ValueError:
        return None
    return Recorded(str(path), start, end)
